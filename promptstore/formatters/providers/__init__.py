"""Every provider's shapes → messages.

Each module holds one function that takes what it knows out of a JSON object. Every function is
offered every object, since one event mixes shapes: a proxy rewrites some of them and not others.
What none of them takes is shown as it is. To add a provider, write its function and put it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.jsontext import is_numbers
from promptstore.formatters.messages import Data, Fields, Message, Part, Provider, Text
from promptstore.formatters.providers import (
    anthropic,
    bedrock,
    gemini,
    langchain,
    litellm,
    openai_chat,
    openai_responses,
    otel,
    vercel,
)
from promptstore.formatters.providers.streaming import joined, joined_facts

PROVIDERS: Final[Sequence[Provider]] = (
    litellm.read,
    langchain.read,
    anthropic.read,
    bedrock.read,
    vercel.read,
    gemini.read,
    otel.read,
    openai_responses.read,
    openai_chat.read,  # last, since it takes `content` and `text` wherever they stand
)
_ENVELOPES: Final = {
    "messages": "request",
    "contents": "request",
    "input": "request",
    "choices": "response",
    "candidates": "response",
    "output": "response",
}
_SYSTEM: Final = ("system", "systemInstruction", "system_instruction", "instructions")
_MARKS: Final = frozenset(
    {"role", "content", "parts", "type", "text", "message", "delta", "kwargs", "tool_calls"}
)
_TEXT_BLOCK: Final = {"type", "text"}
_DEEPEST: Final = 20


def read_messages(value: Any) -> list[Message]:
    """Read the messages of an input or an output.

    Args:
        value: A text, a message, a list of them, or a whole request or response.

    Returns:
        The messages.
    """
    if isinstance(value, list):
        return _read_list(value)
    if not isinstance(value, dict):
        return [Message("", _read(value, 0), {})]
    key = _envelope(value)
    if key is None:
        return [read_message(value)]
    inner, left = value[key], Fields({name: item for name, item in value.items() if name != key})
    system = [_read_system(left.any(name)) for name in _SYSTEM if left.has(name)]
    messages = _read_list(inner if isinstance(inner, list) else [inner])
    rest = [Message(_ENVELOPES[key], [], left.left)] if left.left else []
    return [*system, *messages, *rest]


def _envelope(value: Mapping[str, Any]) -> str | None:
    """Find the key under which the messages of a whole request or response stand."""
    for key in _ENVELOPES:
        inner = value.get(key)
        is_bedrock = key == "output" and isinstance(inner, dict) and "message" in inner
        if is_bedrock or (isinstance(inner, list) and inner):
            return key
    return None


def _read_system(value: Any) -> Message:
    is_object = isinstance(value, dict)
    return read_message({"role": "system", **(value if is_object else {"content": value})})


def _read_list(values: Sequence[Any]) -> list[Message]:
    chunks = [item for item in values if isinstance(item, dict) and _is_chunk(item)]
    if not chunks or len(chunks) != len(values):
        return [read_message(item) for item in joined(values)]
    choices = joined([choice for chunk in chunks for choice in chunk["choices"]])
    rests = [{key: item for key, item in chunk.items() if key != "choices"} for chunk in chunks]
    around = [Fields(rest).left for rest in joined_facts(rests)]
    return [
        *map(read_message, choices),
        *(Message("response", [], rest) for rest in around if rest),
    ]


def _is_chunk(value: Mapping[str, Any]) -> bool:
    """Tell whether it is one chunk of a streamed response."""
    return value.get("object") == "chat.completion.chunk" and isinstance(value.get("choices"), list)


def holds_messages(value: Any) -> bool:
    """Tell whether a value is a message or holds messages, and is not just some JSON.

    Args:
        value: The input, the output or the state of an event.

    Returns:
        False for an object without any key that messages have, and for numbers, also in a list.
    """
    if isinstance(value, dict):
        return not _MARKS.isdisjoint(value) or _envelope(value) is not None
    return isinstance(value, list) and not is_numbers(value)


def read_message(value: Any) -> Message:
    """Read one message, choice, candidate or item.

    Args:
        value: Any JSON.

    Returns:
        The message.
    """
    if not isinstance(value, dict):
        return Message("", _read(value, 0), {})
    if value.keys() == {"role", "content"} and all(isinstance(v, str) for v in value.values()):
        return Message(value["role"], _read(value["content"], 0), {})  # most are, so it is fast
    inner, around = _unwrapped(value)
    fields = Fields(inner)
    role = fields.text("role")
    if not role and _is_item(inner):
        role = fields.kind
    parts = _taken(fields, 0)
    left = fields.left
    if left.get("type") in (role, "message"):
        del left["type"]
    return Message(role, parts, left | _apart(around, left))


def _unwrapped(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Take a message out of a choice, a candidate or a serialised object."""
    for key in ("message", "delta", "content", "kwargs"):
        inner = value.get(key)
        if not isinstance(inner, dict) or (key == "content" and "parts" not in inner):
            continue
        if key == "kwargs" and "lc" not in value:
            continue
        around = Fields({name: item for name, item in value.items() if name != key}).left
        if key == "content" and "role" in around:
            continue
        return inner, around
    return value, {}


def _apart(around: Mapping[str, Any], inside: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the keys around a message that stand inside of it too."""
    return {f"outer {key}" if key in inside else key: value for key, value in around.items()}


def _is_item(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("type"), str) and value["type"] not in ("text", "output_text")


def _read(value: Any, depth: int) -> list[Part]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [Text(value)]
    if depth > _DEEPEST or not isinstance(value, dict | list) or is_numbers(value):
        return [Data(value)]
    if isinstance(value, list):
        return [part for item in value for part in _read(item, depth + 1)]
    if value.keys() == _TEXT_BLOCK and value["type"] == "text" and isinstance(value["text"], str):
        return [Text(value["text"])]  # most are, so it is fast
    fields = Fields(value)
    return [*_taken(fields, depth), *fields.rest()]


def _taken(fields: Fields, depth: int) -> list[Part]:
    def inner(value: Any) -> list[Part]:
        return _read(value, depth + 1)

    return [part for read in PROVIDERS for part in read(fields, inner)]
