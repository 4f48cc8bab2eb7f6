"""What a change does to callers: a file before, a file after, the word and its reason."""

from __future__ import annotations

import pytest

from promptstore.promptfile.reader import loads
from promptstore.review.impact import judge

CHAT = "messages:\n  - {role: system, content: Be kind.}\n  - {role: user, content: '{{ x }}'}\n"

BREAKING: dict[str, tuple[str, str, str]] = {
    "a new required variable": (
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variables: {x: {}, y: {}}\nprompt: '{{ x }}{{ y }}'\n",
        "new required variable 'y'",
    ),
    "a new variable of a text that declares none": (
        "prompt: '{{ x }}'\n",
        "prompt: '{{ x }}{{ y }}'\n",
        "new required variable 'y'",
    ),
    "a variable that is required now": (
        "variables: {x: {required: false}}\nprompt: '{% if x %}{{ x }}{% endif %}'\n",
        "variables: {x: {}}\nprompt: '{% if x %}{{ x }}{% endif %}'\n",
        "variable 'x' is required now",
    ),
    "a default that is taken away": (
        "variables: {x: {default: a}}\nprompt: '{{ x }}'\n",
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variable 'x' is required now",
    ),
    "a removed variable": (
        "variables: {x: {}, y: {default: 1}}\nprompt: '{{ x }}{{ y }}'\n",
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variable 'y' removed",
    ),
    "another type": (
        "variables: {x: {type: string}}\nprompt: '{{ x }}'\n",
        "variables: {x: {type: integer}}\nprompt: '{{ x }}'\n",
        "variable 'x' was of the type string and is of the type integer",
    ),
    "a type where there was none": (
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variables: {x: {type: string}}\nprompt: '{{ x }}'\n",
        "variable 'x' was of the type any and is of the type string",
    ),
    "a narrower enum": (
        "variables: {x: {enum: [a, b, c]}}\nprompt: '{{ x }}'\n",
        "variables: {x: {enum: [a, d]}}\nprompt: '{{ x }}'\n",
        "variable 'x' does not take 'b', 'c' any more",
    ),
    "an enum where there was none": (
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variables: {x: {enum: [a]}}\nprompt: '{{ x }}'\n",
        "variable 'x' takes only some values now",
    ),
    "a tombstone": (
        "prompt: x\n",
        "prompt: x\ndeleted: true\nreplaced_by: other\n",
        "deleted; other replaces it",
    ),
    "a chat prompt out of a text prompt": (
        "prompt: '{{ x }}'\n",
        CHAT,
        "became a chat prompt: it has no single text any more",
    ),
    "a text prompt out of a chat prompt": (
        CHAT,
        "prompt: '{{ x }}'\n",
        "became a text prompt",
    ),
    "a declaration that takes nothing any more": (
        "prompt: '{{ x }}'\n",
        "variables: {}\nprompt: x\n",
        "variable 'x' removed",
    ),
    "a template that does not compile": (
        "prompt: x\n",
        "prompt: '{% if %}'\n",
        "it cannot be rendered any more: ",
    ),
    "a variable that nobody declares": (
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variables: {x: {}}\nprompt: '{{ x }}{{ y }}'\n",
        "it cannot be rendered any more: nobody declares the variable 'y'",
    ),
    "an include that is not there": (
        "prompt: x\n",
        "prompt: \"{% include 'nope' %}\"\n",
        "it cannot be rendered any more: ",
    ),
}

BEHAVIOUR: dict[str, tuple[str, str, str]] = {
    "another text": ("prompt: one\n", "prompt: two\n", "the text changed"),
    "another message": (CHAT, CHAT.replace("kind", "brief"), "the messages changed"),
    "another role": (CHAT, CHAT.replace("system", "developer"), "the messages changed"),
    "another template language": (
        "prompt: one\n",
        "template: none\nprompt: one\n",
        "the template language is none now",
    ),
    "another config": (
        "prompt: x\nconfig: {temperature: 0}\n",
        "prompt: x\nconfig: {temperature: 1}\n",
        "the config changed",
    ),
    "true where there was 1": (
        "prompt: x\nconfig: {stream: 1}\n",
        "prompt: x\nconfig: {stream: true}\n",
        "the config changed",
    ),
    "another default": (
        "variables: {x: {default: a}}\nprompt: '{{ x }}'\n",
        "variables: {x: {default: b}}\nprompt: '{{ x }}'\n",
        "another default of the variable 'x'",
    ),
}

COMPATIBLE: dict[str, tuple[str, str, str]] = {
    "a description": ("prompt: x\n", "description: why\nprompt: x\n", "only description"),
    "tags": ("prompt: x\n", "prompt: x\ntags: [a]\n", "only tags"),
    "metadata": ("prompt: x\n", "prompt: x\nmetadata: {owner: a}\n", "only metadata"),
    "a key of one's own": ("prompt: x\n", "prompt: x\nx-note: a\n", "only x- keys"),
    "an id": (
        "prompt: x\n",
        "id: 497f6eca-6276-4993-bfeb-53cbbbba6f08\nprompt: x\n",
        "only id",
    ),
    "what a variable is for": (
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "variables: {x: {description: Who}}\nprompt: '{{ x }}'\n",
        "variables that take what they took",
    ),
    "a variable that is optional now": (
        "variables: {x: {}}\nprompt: '{% if x %}{% endif %}'\n",
        "variables: {x: {required: false}}\nprompt: '{% if x %}{% endif %}'\n",
        "variables that take what they took",
    ),
    "another order of the config": (
        "prompt: x\nconfig: {a: 1, b: 1.0}\n",
        "prompt: x\nconfig: {b: 1.0, a: 1}\n",
        "nothing that matters",
    ),
    "an optional variable": (
        "variables: {}\nprompt: x\n",
        "variables: {y: {default: 1}}\nprompt: x\n",
        "new optional variables 'y'",
    ),
    "a wider type": (
        "variables: {x: {type: integer}}\nprompt: '{{ x }}'\n",
        "variables: {x: {type: number}}\nprompt: '{{ x }}'\n",
        "variables that take what they took",
    ),
    "a wider enum": (
        "variables: {x: {enum: [a]}}\nprompt: '{{ x }}'\n",
        "variables: {x: {enum: [a, b]}}\nprompt: '{{ x }}'\n",
        "variables that take what they took",
    ),
    "a declaration of what was used anyway": (
        "prompt: '{{ x }}'\n",
        "variables: {x: {}}\nprompt: '{{ x }}'\n",
        "new optional variables",
    ),
    "a prompt that comes back": (
        "prompt: x\ndeleted: true\n",
        "prompt: x\n",
        "restored: calls that failed render again",
    ),
    "a variable that nobody declares, before and after": (
        "variables: {}\nprompt: '{{ y }}'\n",
        "variables: {}\ndescription: x\nprompt: '{{ y }}'\n",
        "only description",
    ),
    "a text that is no template, before and after": (
        "prompt: '{% if %}'\nconfig: {}\n",
        "prompt: '{% if %}'\ndescription: x\n",
        "only description",
    ),
    "a variable that is declared at last": (
        "variables: {}\nprompt: '{{ y }}'\n",
        "variables: {y: {}}\nprompt: '{{ y }}'\n",
        "it could not be rendered before and can be now",
    ),
    "the text of a deleted prompt": (
        "prompt: x\ndeleted: true\n",
        "prompt: y\ndeleted: true\n",
        "it is deleted, before and after",
    ),
}

CASES = {
    f"{impact}: {title}": (impact, *case)
    for impact, cases in (
        ("breaking", BREAKING),
        ("behaviour", BEHAVIOUR),
        ("compatible", COMPATIBLE),
    )
    for title, case in cases.items()
}


@pytest.mark.parametrize(("impact", "before", "after", "reason"), CASES.values(), ids=list(CASES))
def test_impact(impact: str, before: str, after: str, reason: str) -> None:
    judgement = judge(loads(before), loads(after))
    assert judgement.impact == impact
    assert judgement.reasons[0].startswith(reason)


@pytest.mark.parametrize("text", [CHAT, "prompt: x\n", "variables: {x: {}}\nprompt: '{{ x }}'\n"])
def test_the_same_is_compatible(text: str) -> None:
    assert judge(loads(text), loads(text)).impact == "compatible"


def test_every_breach_is_reported() -> None:
    before = loads("variables: {x: {}, y: {}}\nprompt: '{{ x }}{{ y }}'\n")
    after = loads("variables: {x: {type: string}, z: {}}\nprompt: '{{ x }}{{ z }}'\n")
    assert judge(before, after).reasons == (
        "new required variable 'z'",
        "variable 'x' was of the type any and is of the type string",
        "variable 'y' removed",
    )
