"""An edit changes what it must and nothing else: before and after, as a reviewer sees the diff."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptstore.errors import PromptFileError
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable
from promptstore.promptfile.editor import edit
from promptstore.promptfile.reader import loads

SOURCE = """\
# yaml-language-server: $schema=prompt.schema.json
description:   'Sort a ticket'   # for people
variables:
    # the customer's own words
    ticket: { type: string }
    tier:   { type: string, default: free }

# What the model reads.
messages:
- role: system
  content: |
    You help.

    Be kind.   # not a comment, but text
- insert: history

- role: user      # the ticket
  content: "{{ ticket }}"
config:
  temperature: 0.20   # low
  stop:
  - END    # one
  - STOP
tags: [ support, urgent ]
"""
SOURCE = SOURCE.replace("variables:\n", "variables:\n    history: {type: messages}\n")


def changed_message(prompt: Prompt, index: int, message: Message | Insert) -> Prompt:
    messages = list(prompt.messages or ())
    messages[index] = message
    return replace(prompt, messages=tuple(messages))


def with_messages(prompt: Prompt, *messages: Message | Insert) -> Prompt:
    return replace(prompt, messages=messages)


def with_variables(prompt: Prompt, **variables: Variable) -> Prompt:
    return replace(prompt, variables={**(prompt.variables or {}), **variables})


EDITS: dict[str, tuple[Callable[[Prompt], Prompt], list[str]]] = {
    "a description": (
        lambda p: replace(p, description="It's sorted"),
        [
            "-description:   'Sort a ticket'   # for people",
            "+description:   'It''s sorted'   # for people",
        ],
    ),
    "a description of several lines": (
        lambda p: replace(p, description="Sort\na ticket"),
        [
            "-description:   'Sort a ticket'   # for people",
            "+description:   |-   # for people",
            "+  Sort",
            "+  a ticket",
        ],
    ),
    "one line of a block": (
        lambda p: changed_message(
            p, 0, Message("system", "You help.\n\nBe brief.   # not a comment, but text\n")
        ),
        [
            "-    Be kind.   # not a comment, but text",
            "+    Be brief.   # not a comment, but text",
        ],
    ),
    "a line added to a block": (
        lambda p: changed_message(
            p, 0, Message("system", "You help.\nAlways.\n\nBe kind.   # not a comment, but text\n")
        ),
        ["+    Always."],
    ),
    "the end of a block": (
        lambda p: changed_message(
            p, 0, Message("system", "You help.\n\nBe kind.   # not a comment, but text")
        ),
        ["-  content: |", "+  content: |-"],
    ),
    "a role": (
        lambda p: changed_message(p, 2, Message("assistant", "{{ ticket }}")),
        ["-- role: user      # the ticket", "+- role: assistant      # the ticket"],
    ),
    "a message added at the end": (
        lambda p: with_messages(p, *(p.messages or ()), Message("user", "Go.")),
        ["+- role: user", "+  content: Go."],
    ),
    "a message added at the start": (
        lambda p: with_messages(p, Message("system", "First."), *(p.messages or ())),
        ["+- role: system", "+  content: First."],
    ),
    "a message removed": (
        lambda p: with_messages(p, *(p.messages or ())[:2]),
        ["-- role: user      # the ticket", '-  content: "{{ ticket }}"'],
    ),
    "a number": (
        lambda p: replace(p, config={**p.config, "temperature": 0.7}),
        ["-  temperature: 0.20   # low", "+  temperature: 0.7   # low"],
    ),
    "a number that became a boolean": (
        lambda p: replace(p, config={**p.config, "temperature": True}),
        ["-  temperature: 0.20   # low", "+  temperature: true   # low"],
    ),
    "a key of config added": (
        lambda p: replace(p, config={**p.config, "model": "gpt-x"}),
        ["+  model: gpt-x"],
    ),
    "a key of config removed": (
        lambda p: replace(p, config={"stop": ["END", "STOP"]}),
        ["-  temperature: 0.20   # low"],
    ),
    "an item of a list": (
        lambda p: replace(p, config={**p.config, "stop": ["END", "HALT"]}),
        ["-  - STOP", "+  - HALT"],
    ),
    "a variable added": (
        lambda p: with_variables(p, lang=Variable("string", default="en")),
        ["+    lang: {type: string, default: en}"],
    ),
    "variables added in the order that they were given": (
        lambda p: with_variables(p, zone=Variable("string"), area=Variable("string")),
        ["+    zone: {type: string}", "+    area: {type: string}"],
    ),
    "a variable changed": (
        lambda p: with_variables(p, tier=Variable("string", default="pro")),
        [
            "-    tier:   { type: string, default: free }",
            "+    tier:   { type: string, default: pro }",
        ],
    ),
    "tags": (
        lambda p: replace(p, tags=("support",)),
        ["-tags: [ support, urgent ]", "+tags: [ support ]"],
    ),
    "a tombstone": (
        lambda p: replace(p, deleted=True, deleted_reason="Old.", replaced_by="a/b"),
        ["+deleted: true", "+deleted_reason: Old.", "+replaced_by: a/b"],
    ),
    "a key that belongs in the middle": (
        lambda p: replace(p, template="simple"),
        ["+template: simple"],
    ),
    "a key that goes": (
        lambda p: replace(p, description=None),
        ["-description:   'Sort a ticket'   # for people"],
    ),
}


def diff_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


@pytest.mark.parametrize(("change", "expected"), EDITS.values(), ids=list(EDITS))
def test_only_the_lines_that_must_change(
    change: Callable[[Prompt], Prompt], expected: list[str]
) -> None:
    wanted = change(loads(SOURCE))
    edited = edit(SOURCE.encode(), wanted).decode()
    assert loads(edited) == wanted
    assert diff_lines(SOURCE, edited) == expected


@pytest.mark.parametrize("change", [change for change, _ in EDITS.values()], ids=list(EDITS))
def test_line_ends_stay_as_they_are(change: Callable[[Prompt], Prompt]) -> None:
    wanted = change(loads(SOURCE))
    edited = edit(SOURCE.replace("\n", "\r\n").encode(), wanted)
    assert edited == edit(SOURCE.encode(), wanted).replace(b"\n", b"\r\n")


def test_there_and_back_again_gives_the_same_file() -> None:
    present = loads(SOURCE)
    deleted = replace(present, deleted=True, deleted_reason="Old.")
    assert edit(edit(SOURCE.encode(), deleted), present) == SOURCE.encode()


def test_a_default_that_is_written_out_stays() -> None:
    source = "template: jinja2\ndeleted: false\ntags: []\nconfig: {}\nprompt: x\n"
    edited = edit(source.encode(), Prompt(prompt="hi")).decode()
    assert edited == source.replace("prompt: x", "prompt: hi")


def test_a_file_without_a_last_line_end() -> None:
    edited = edit(b"prompt: x", Prompt(prompt="x", tags=("a",)))
    assert loads(edited) == Prompt(prompt="x", tags=("a",))
    assert edited.startswith(b"prompt: x\n")


def test_a_broken_file_is_not_edited() -> None:
    with pytest.raises(PromptFileError):
        edit(b"prompt: [\n", Prompt(prompt="x"))


def test_a_file_in_flow_style_is_edited_too() -> None:
    wanted: Any = Prompt(prompt="y", config={"a": 1})
    assert loads(edit(b'{"prompt": "x", "config": {"a": 2}}', wanted)) == wanted


@pytest.mark.parametrize(
    ("source", "change", "expected"),
    [
        pytest.param(
            "prompt: x\nconfig:\n  a: 1  # why\n  b: 2\n",
            {"config": {"a": [{"c": "d\ne"}], "b": 2}},
            "prompt: x\nconfig:\n  a:  # why\n    - c: |-\n        d\n        e\n  b: 2\n",
            id="a comment stays beside its key",
        ),
        pytest.param(
            "prompt: |+\n  a\n\n\ntags: [t]\n",
            {"prompt": "b\n"},
            "prompt: |\n  b\ntags: [t]\n",
            id="blank lines that were text go",
        ),
        pytest.param(
            "prompt: |\n  a\n\n\ntags: [t]\n",
            {"prompt": "b\n"},
            "prompt: |\n  b\n\n\ntags: [t]\n",
            id="blank lines that were none stay",
        ),
    ],
)
def test_what_stands_around_a_value(source: str, change: dict[str, Any], expected: str) -> None:
    wanted = replace(loads(source), **change)
    assert loads(expected) == wanted
    assert edit(source.encode(), wanted).decode() == expected


WORDS = {
    "a literal block": "prompt: |  # why\n  Be kind.\n  \n  So be it.\n",
    "a folded block": "prompt: >-  # why\n  Be kind\n  and helpful.\n\n  So be it.\n",
    "a folded block that keeps its end": "prompt: >+\n  Be\n  kind.\n\ntags: [a]\n",
    "a block with an indicator": "prompt: |1-\n   Be kind.\n  So.\n",
    "single quotes": "prompt: 'It''s so: be\n  kind.\n\n  So be it.'  # why\n",
    "double quotes": 'prompt: "Caf\\u00e9, be\n  kind.\\n\\\n  So be it."  # why\n',
    "a plain text": "prompt: Be\n  kind\n\n  and so.  # why\n",
    "a plain text that starts oddly": "prompt: <b>kind</b>\n",
    "flow style": "{prompt: 'Be\n  kind', tags: [a, # why\n  b]}\n",
    "line ends of two kinds": "prompt: >\r\n  Be\n  kind\r\n  and so.\n",
}


@pytest.mark.parametrize("source", WORDS.values(), ids=list(WORDS))
def test_one_word_changes_nothing_else(source: str) -> None:
    present = loads(source)
    assert "kind" in str(present.prompt)
    wanted = replace(present, prompt=str(present.prompt).replace("kind", "brief"))
    edited = edit(source.encode(), wanted).decode()
    assert edited == source.replace("kind", "brief")
    assert loads(edited) == wanted


def test_words_far_apart_leave_the_lines_between_them() -> None:
    source = "prompt: >\n  Be kind\n  and helpful\n  to the\n  customer.\n"
    wanted = replace(loads(source), prompt="Be nice and helpful to the user.\n")
    edited = edit(source.encode(), wanted).decode()
    assert edited == source.replace("kind", "nice").replace("customer", "user")


@pytest.mark.parametrize(
    ("source", "change", "expected"),
    [
        pytest.param(
            "prompt: |  # why\n  Be kind.\n",
            {"prompt": "Be kind."},
            "prompt: |-  # why\n  Be kind.\n",
            id="behind a block that becomes one line",
        ),
        pytest.param(
            "prompt: |  # why\n  Be kind.\ntags: [a]  # first\n",
            {"prompt": ""},
            'prompt: ""  # why\ntags: [a]  # first\n',
            id="behind a block that becomes empty",
        ),
        pytest.param(
            "prompt: |\n  Be kind.\n\n# second\ntags: [a]\n",
            {"prompt": "Be kind.\n\n"},
            "prompt: |+\n  Be kind.\n\n# second\ntags: [a]\n",
            id="below a blank line that becomes text",
        ),
        pytest.param(
            'prompt: x\nmetadata:\n  list:\n    - " /pid "  # why\n    - b\n',
            {"metadata": {"list": [" /pid \nx", "b"]}},
            "prompt: x\nmetadata:\n  list:\n    - |2-  # why\n       /pid \n      x\n    - b\n",
            id="behind an item that becomes a block",
        ),
        pytest.param(
            "prompt: x\n    # far in\ntags: [a]\n",
            {"prompt": "one\ntwo"},
            'prompt: "one\\ntwo"\n    # far in\ntags: [a]\n',
            id="that a block would take for its text",
        ),
        pytest.param(
            "prompt: x\nmetadata:\n  a: |\n    b\n  c: d\n      # far in\n  e: f\n",
            {"metadata": {"a": "b\n", "e": "f"}},
            "prompt: x\nmetadata:\n  a: |\n    b\n  # far in\n  e: f\n",
            id="that came to stand below a block",
        ),
        pytest.param(
            "prompt: x\nmetadata: [a, # one\n  b, # two\n  c] # three\n".replace(
                "[", "{l: ["
            ).replace("] #", "]} #"),
            {"metadata": {"l": ["a", "c"]}},
            "prompt: x\nmetadata: {l: [a, # one\n  c]} # three\n",
            id="between brackets",
        ),
        pytest.param(
            "prompt: x\nmetadata:\n  # above\n  a:  # behind\n    # within\n    old  # at the end"
            "\n",
            {"metadata": {"a": {"b": 1}}},
            "prompt: x\nmetadata:\n  # above\n  a:  # behind\n    # within\n    # at the end\n"
            "    b: 1\n",
            id="around a text that becomes a mapping",
        ),
        pytest.param(
            "prompt: x\nmetadata:\n  - - a  # one\n    # two\n    - b\n".replace(
                "  - - ", "  l:\n  - - "
            ),
            {"metadata": {"l": [["b"]]}},
            "prompt: x\nmetadata:\n  l:\n  -\n    # two\n    - b\n",
            id="below an item that shared its line",
        ),
        pytest.param(
            "  # top\n  prompt: x\n  # second\n  config: {a: 1}  # why\n",
            {"prompt": None, "messages": (Message("user", "Hi"),)},
            "  # top\n  messages:\n    - role: user\n      content: Hi\n  # second\n"
            "  config: {a: 1}  # why\n",
            id="around an indented key that becomes another one",
        ),
    ],
)
def test_comments_stay(source: str, change: dict[str, Any], expected: str) -> None:
    wanted = replace(loads(source), **change)
    assert loads(expected) == wanted
    assert edit(source.encode(), wanted).decode() == expected


def test_a_file_of_json_stays_in_its_lines() -> None:
    source = (
        '{\n    "prompt": "x",\n    "metadata": {\n        "a": 1,\n        "b": [1, 2]\n    }\n}\n'
    )
    wanted = replace(loads(source), metadata={"b": [1, 2, 3], "c": None})
    assert diff_lines(source, edit(source.encode(), wanted).decode()) == [
        '-        "a": 1,',
        '-        "b": [1, 2]',
        '+        "b": [1, 2, 3],',
        "+        c: null",
    ]


def test_many_edits_of_a_large_file_take_one_pass_each() -> None:
    """A list of which every second item goes, and a mapping of which each value changes."""
    numbers = list(range(20_000))
    source = f"prompt: x\nmetadata: {{l: {numbers}}}\nconfig:\n"
    source += "".join(f"  k{number}: {number}\n" for number in range(500))
    wanted = replace(
        loads(source),
        metadata={"l": numbers[::2]},
        config={f"k{number}": number + 1 for number in range(500)},
    )
    assert loads(edit(source.encode(), wanted)) == wanted
