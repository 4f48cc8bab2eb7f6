from __future__ import annotations

import enum
import math
import time
from collections import UserDict
from typing import Any, NamedTuple

import pytest
from hypothesis import given

from promptstore.errors import VariableError
from promptstore.model.prompt import Prompt
from promptstore.model.values import MAX_DIGITS, UnfitValueError
from promptstore.model.variables import MISSING, Variable, VariableType, bind, fit
from tests.test_values import json_values


class Tier(enum.StrEnum):
    PRO = "pro"


class Loud(str):
    def __str__(self) -> str:
        return "{{ 7 * 7 }}"


USER = {"role": "user", "content": "hi"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
PARTS = {"role": "user", "content": [{"type": "text", "text": "hi"}]}


@pytest.mark.parametrize(
    ("kind", "value", "seen"),
    [
        ("string", "é", "é"),
        ("string", Tier.PRO, "pro"),
        ("string", Loud("plain"), "plain"),
        ("integer", -3, -3),
        ("number", 3, 3),
        ("number", 0.5, 0.5),
        ("boolean", False, False),
        ("array", (1, [2]), [1, [2]]),
        ("object", UserDict({"a": (1,)}), {"a": [1]}),
        ("messages", [], []),
        ("messages", (USER, CALL, PARTS), [USER, CALL, PARTS]),
        ("any", None, None),
        ("any", {"a": [True, None]}, {"a": [True, None]}),
    ],
)
def test_a_value_is_taken_for_what_it_holds(kind: VariableType, value: Any, seen: Any) -> None:
    fitted = fit(value, kind)
    assert fitted == seen
    assert type(fitted) is type(seen)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("string", 3, "is an integer, but must be a string"),
        ("string", None, "is null, but must be a string"),
        ("string", b"bytes", "holds a bytes"),
        ("string", "\ud800", "holds half of a surrogate pair at character 1"),
        ("integer", True, "is a boolean, but must be an integer"),
        ("integer", 3.0, "is a number, but must be an integer"),
        ("integer", "3", "is a string, but must be an integer"),
        ("number", False, "is a boolean, but must be a number"),
        ("number", math.inf, "holds inf, which JSON does not have"),
        ("number", math.nan, "holds nan, which JSON does not have"),
        ("boolean", 1, "is an integer, but must be a boolean"),
        ("array", "abc", "is a string, but must be a list"),
        ("array", {1, 2}, "holds a set"),
        ("object", [], "is a list, but must be a mapping"),
        ("object", {1: 2}, "has the key 1, which is not a string"),
        ("messages", "user: hi", "is a string, but must be a list of messages"),
        ("messages", USER, "is a mapping, but must be a list of messages"),
        ("messages", [USER, "hi"], "message 2 is a string"),
        ("messages", [{"role": "root", "content": "x"}], "message 1 has the role 'root'"),
        ("messages", [{"content": "x"}], "message 1 has the role None"),
        ("messages", [{"role": "user"}], "message 1 must have a content"),
        ("messages", [{"role": "user", "content": [1]}], "message 1 must have a content"),
        ("any", object(), "holds a object"),
        ("any", {"a": [lambda: 1]}, "holds a function"),
    ],
)
def test_a_value_that_does_not_fit(kind: VariableType, value: Any, reason: str) -> None:
    with pytest.raises(UnfitValueError) as caught:
        fit(value, kind)
    assert reason in str(caught.value)


def test_an_enum_tells_its_choices_and_true_is_not_one() -> None:
    variable = Variable(enum=("free", 1))
    assert fit("free", variable.type, variable.enum) == "free"
    for wrong in ("Free", True):
        with pytest.raises(UnfitValueError, match="none of 'free', 1"):
            fit(wrong, variable.type, variable.enum)


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UnfitValueError, match="deeper than 100"):
        fit(endless, "any")


def fits(value: Any) -> bool:
    try:
        fit(value, "any")
    except UnfitValueError:
        return False
    return True


@given(json_values.filter(fits))
def test_what_was_bound_is_a_copy(value: Any) -> None:
    bound = bind({"x": value}, {"x": Variable()})["x"]
    assert bound == value
    assert bound is not value or not isinstance(value, (list, dict))


def test_all_faults_are_told_at_once() -> None:
    declared = {
        "ticket": Variable(type="string"),
        "tier": Variable(type="string", enum=("free", "pro")),
        "count": Variable(type="integer", default=1),
    }
    with pytest.raises(VariableError) as caught:
        bind({"tickt": "x", "tier": "gold", "count": "2"}, declared)
    assert caught.value.missing == ("ticket",)
    assert caught.value.unknown == {"tickt": ("ticket",)}
    assert list(caught.value.invalid) == ["tier", "count"]


def test_defaults_fill_in_and_optional_ones_stay_out() -> None:
    declared = {
        "a": Variable(default=None),
        "b": Variable(type="array", default=[1]),
        "c": Variable(required=False),
    }
    bound = bind({}, declared)
    assert bound == {"a": None, "b": [1]}
    bound["b"].append(2)
    assert bind({}, declared)["b"] == [1]


def test_what_need_not_be_given() -> None:
    variables = {"x": Variable(), "y": Variable(required=False)}
    assert bind({"x": 1}, variables) == {"x": 1}
    with pytest.raises(VariableError) as caught:
        bind({"z": 1}, variables)
    assert caught.value.missing == ("x",)
    assert caught.value.unknown == {"z": ()}
    assert bind({"x": 1, "z": 1}, variables, ignore_unknown=True) == {"x": 1}


def test_a_name_that_the_declaration_lacks_is_told_as_such() -> None:
    with pytest.raises(VariableError, match="not declared in `variables:`") as caught:
        bind({"x": 1}, {"y": Variable(default=1)}, undeclared=["x"])
    assert caught.value.unknown == {}


def test_very_many_unknown_names_are_told_soon() -> None:
    started = time.process_time()
    with pytest.raises(VariableError) as caught:
        bind({f"nam{number}": 1 for number in range(50_000)}, {"name": Variable()})
    assert len(caught.value.unknown) == 50_000
    assert caught.value.unknown["nam0"] == ("name",)
    assert time.process_time() - started < 2


class Named(NamedTuple):
    """A message of a documented shape.

    Attributes:
        name: What it shows.
        message: The message.
    """

    name: str
    message: dict[str, Any]


CALLS = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
OPENAI = [
    Named("a system text", {"role": "system", "content": "Be kind.", "name": "house"}),
    Named("a developer text", {"role": "developer", "content": "Be kind."}),
    Named("developer parts", {"role": "developer", "content": [{"type": "text", "text": "Hi"}]}),
    Named("a user with a name", {"role": "user", "content": "Hi", "name": "Ada"}),
    Named("an image", {"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
    ]}),
    Named("audio in", {"role": "user", "content": [
        {"type": "input_audio", "input_audio": {"data": "AAA=", "format": "wav"}},
    ]}),
    Named("a file", {"role": "user", "content": [{"type": "file", "file": {"file_id": "f-1"}}]}),
    Named("an answer", {"role": "assistant", "content": "Hi"}),
    Named("an empty answer", {"role": "assistant", "content": ""}),
    Named("tool calls", {"role": "assistant", "content": None, "tool_calls": CALLS}),
    Named("tool calls without content", {"role": "assistant", "tool_calls": CALLS}),
    Named("tool calls beside a text", {"role": "assistant", "content": "Ok", "tool_calls": CALLS}),
    Named("a custom tool call", {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
    ]}),
    Named("a function call", {"role": "assistant", "content": None, "function_call": {
        "name": "f", "arguments": "{}",
    }}),
    Named("a refusal", {"role": "assistant", "content": None, "refusal": "I cannot."}),
    Named("a refusal part", {"role": "assistant", "content": [
        {"type": "refusal", "refusal": "I cannot."},
    ]}),
    Named("audio out", {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}),
    Named("an answer of the API as it came", {
        "role": "assistant", "content": "Hi", "refusal": None, "annotations": [], "audio": None,
        "function_call": None, "tool_calls": None,
    }),
    Named("a tool result", {"role": "tool", "content": "42", "tool_call_id": "call_1"}),
    Named("tool result parts", {"role": "tool", "tool_call_id": "call_1", "content": [
        {"type": "text", "text": "42"},
    ]}),
    Named("a function result", {"role": "function", "name": "f", "content": "42"}),
    Named("an empty function result", {"role": "function", "name": "f", "content": None}),
]  # fmt: skip
ANTHROPIC = [
    Named("a text", {"role": "user", "content": "Hi"}),
    Named("a cached text", {"role": "user", "content": [
        {"type": "text", "text": "Long", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]}),
    Named("citations", {"role": "assistant", "content": [
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "H"}]},
    ]}),
    Named("an image", {"role": "user", "content": [{"type": "image", "source": {
        "type": "base64", "media_type": "image/png", "data": "AAA=",
    }}]}),
    Named("a document", {"role": "user", "content": [{"type": "document", "title": "T", "source": {
        "type": "url", "url": "https://a/b.pdf",
    }}]}),
    Named("a search result", {"role": "user", "content": [
        {"type": "search_result", "source": "s", "title": "t", "content": []},
    ]}),
    Named("a tool use", {"role": "assistant", "content": [
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"city": "Oslo"}},
    ]}),
    Named("a tool result", {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"},
    ]}),
    Named("a failed tool", {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True},
    ]}),
    Named("tool result parts", {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
            {"type": "text", "text": "42"},
        ]},
    ]}),
    Named("thinking", {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2ln"},
        {"type": "text", "text": "42"},
    ]}),
    Named("a server's tool", {"role": "assistant", "content": [
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
    ]}),
    Named("no parts", {"role": "assistant", "content": []}),
]  # fmt: skip


@pytest.mark.parametrize("named", [*OPENAI, *ANTHROPIC], ids=lambda named: named.name)
def test_a_history_holds_what_the_chat_apis_take(named: Named) -> None:
    history = [USER, named.message]
    assert fit(history, "messages") == history


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "user", "content": None}, "message 1 must have a content"),
        ({"role": "tool", "content": None, "tool_call_id": "1"}, "message 1 must have a content"),
        ({"role": "assistant", "content": None}, "or one of tool_calls, function_call, refusal"),
        ({"role": "assistant", "tool_calls": []}, "message 1 must have a content, or one of"),
        ({"role": "user", "content": {"type": "text"}}, "not a mapping"),
        ({"role": "user", "content": [{"type": "text"}, {"text": "x"}]}, "part 2 is none"),
        ({"role": "user", "content": [{"type": 1}]}, "part 1 is none"),
        ({"role": "human", "content": "x"}, "the roles are system, developer, user"),
    ],
)
def test_what_is_no_message_is_told(message: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnfitValueError) as caught:
        fit([message], "messages")
    assert reason in str(caught.value)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_that_python_cannot_write_is_refused(sign: int) -> None:
    number = sign * 10**MAX_DIGITS
    assert fit(number - sign, "any") == number - sign
    assert Prompt(prompt="{{ x }}").render(x=number - sign).text == str(number - sign)
    with pytest.raises(UnfitValueError, match="an integer of more than"):
        fit({"a": [number]}, "any")
    with pytest.raises(VariableError, match="'x' holds an integer of more than"):
        Prompt(prompt="{{ x }}").render(x=number)


def test_missing_is_not_null() -> None:
    assert not Variable().has_default
    assert Variable(default=None).has_default
    assert repr(MISSING) == "MISSING"
    assert [v.needs_value for v in (Variable(), Variable(required=False), Variable(default=1))] == [
        True,
        False,
        False,
    ]
