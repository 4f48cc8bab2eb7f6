from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptstore.compare.diff import diff_prompts
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable

SYSTEM, USER = Message("system", "You help.\nBe kind.\n"), Message("user", "{{ x }}")
CHAT = Prompt(
    messages=(SYSTEM, USER),
    description="Help.",
    variables={"x": Variable("string")},
    config={"model": "a", "limits": {"tokens": 5}},
    tags=("t",),
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"description": "Help!"}, ['description: "Help." → "Help!"']),
        ({"description": None}, ['description removed (was "Help.")']),
        ({"template": "simple"}, ['template: "jinja2" → "simple"']),
        ({"tags": ("u",)}, ["tag 'u' added", "tag 't' removed"]),
        ({"config": {"model": "b", "limits": {"tokens": 5}}}, ['config.model: "a" → "b"']),
        (
            {"config": {"model": "a", "limits": {"tokens": True}, "n": 1}},
            ["config.limits.tokens: 5 → true", "config.n added: 1"],
        ),
        ({"config": {"limits": {"tokens": 5}}}, ['config.model removed (was "a")']),
        ({"metadata": {"owner": "a"}}, ['metadata.owner added: "a"']),
        ({"extensions": {"x-a": 1}}, ["x-a added: 1"]),
        ({"variables": {}}, ["variable 'x' removed"]),
        (
            {"variables": {"x": Variable("string"), "y": Variable("integer")}},
            ["variable 'y' added (integer, required)"],
        ),
        (
            {"variables": {"x": Variable("integer", default=1)}},
            [
                "variable 'x' is now optional",
                'type of the variable \'x\': "string" → "integer"',
                "default of the variable 'x' added: 1",
            ],
        ),
        (
            {"deleted": True, "deleted_reason": "Old.", "replaced_by": "b"},
            ["deleted: Old. (replaced by b)"],
        ),
        (
            {"messages": (SYSTEM, Message("assistant", "{{ x }}"))},
            ["message 2 (user) became message 2 (assistant)"],
        ),
    ],
)
def test_a_change_in_words(change: dict[str, Any], said: list[str]) -> None:
    found = diff_prompts(CHAT, replace(CHAT, **change))
    assert list(found.changes) == said
    assert found.texts == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(
            {"v": Variable(default=None)},
            {"v": Variable(required=False)},
            "default of the variable 'v' removed (was null)",
            id="null is a default",
        ),
        pytest.param(
            {"v": Variable(default=1)},
            {"v": Variable(default=True)},
            "default of the variable 'v': 1 → true",
            id="one is not true",
        ),
        pytest.param(None, {}, "variables are declared now: there are none", id="closed"),
        pytest.param({}, None, "variables are not declared any more", id="opened"),
    ],
)
def test_variables_word_for_word(
    before: dict[str, Variable] | None, after: dict[str, Variable] | None, said: str
) -> None:
    found = diff_prompts(Prompt(prompt="x", variables=before), Prompt(prompt="x", variables=after))
    assert found.changes == (said,)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        pytest.param((2, 0, 1), "message 3 (assistant) moved to place 1", id="to the front"),
        pytest.param((1, 2, 0), "message 1 (system) moved to place 3", id="to the end"),
    ],
)
def test_a_message_that_moved(order: tuple[int, ...], said: str) -> None:
    messages = (SYSTEM, USER, Message("assistant", "Yes."))
    before, after = replace(CHAT, messages=messages), [messages[index] for index in order]
    found = diff_prompts(before, replace(CHAT, messages=tuple(after)))
    assert found.changes == (said,)
    assert found.texts == ()


def test_an_include_that_changed() -> None:
    def including(text: str) -> Prompt:
        return Prompt(prompt='{% include "tone" %}', includes={"tone": Prompt(prompt=text)})

    found = diff_prompts(including("Kind."), including("Brief."))
    assert found.changes == ("the included prompt 'tone' changed",)
    assert diff_prompts(including("Kind."), including("Kind.")).is_empty


def test_restoring() -> None:
    assert diff_prompts(replace(CHAT, deleted=True), CHAT).changes == ("restored",)


def test_the_same_prompt() -> None:
    assert diff_prompts(CHAT, replace(CHAT)).is_empty


def test_a_changed_text() -> None:
    after = replace(CHAT, messages=(Message("system", "You help.\nBe brief.\n"), USER))
    (text,) = diff_prompts(CHAT, after).texts
    assert text.title == "message 1 (system)"
    assert text.diff == "@@ -1,2 +1,2 @@\n You help.\n-Be kind.\n+Be brief."


def test_a_last_line_end_is_reported() -> None:
    (text,) = diff_prompts(Prompt(prompt="a\n"), Prompt(prompt="a")).texts
    assert text.title == "the text"
    assert text.diff == "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end"


def test_messages_that_come_and_go() -> None:
    declared = {**(CHAT.variables or {}), "history": Variable(type="messages")}
    chat = replace(CHAT, variables=declared)
    after = replace(chat, messages=(SYSTEM, Insert("history"), USER, Message("user", "More.")))
    found = diff_prompts(chat, after)
    assert found.changes == ("message 2 (insert history) added", "message 4 (user) added")
    assert [text.title for text in found.texts] == ["message 4 (user)"]
    back = diff_prompts(after, chat)
    assert back.changes == ("message 2 (insert history) removed", "message 4 (user) removed")


def test_what_a_message_says_beside_its_content() -> None:
    call = {"id": "1", "function": {"name": "look", "arguments": "{}"}}
    before = replace(CHAT, messages=(SYSTEM, Message("assistant", tool_calls=(call,))))
    call = {"id": "1", "function": {"name": "look", "arguments": "[]"}}
    after = replace(CHAT, messages=(SYSTEM, Message("assistant", tool_calls=(call,), name="a")))
    found = diff_prompts(before, after)
    assert found.changes == ()
    (text,) = found.texts
    assert text.title == "message 2 (assistant)"
    assert '+        "arguments": "[]"' in text.diff
    assert '+  "name": "a",' in text.diff
    named = replace(CHAT, messages=(SYSTEM, Message("user", "Hi", name="ada")))
    (text,) = diff_prompts(replace(CHAT, messages=(SYSTEM, Message("user", "Hi"))), named).texts
    assert '+  "name": "ada"' in text.diff


def test_a_text_prompt_that_became_a_chat() -> None:
    after = Prompt(messages=(Message("user", "Hi"),))
    found = diff_prompts(Prompt(prompt="Hi"), after)
    assert found.changes == ("became a chat prompt", "the text became message 1 (user)")
    assert found.texts == ()
