"""Every provider's shapes → messages.

Each module holds one function that takes what it knows out of a JSON object. Every function is
offered every object, since one event mixes shapes: a proxy rewrites some of them and not others.
What none of them takes is shown as it is. To add a provider, write its function and put it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

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
    "choices": "response",
    "candidates": "response",
    "output": "response",
}
_MARKS: Final = frozenset(
    {"role", "content", "parts", "type", "text", "message", "delta", "kwargs", "tool_calls"}
)
_DEEPEST: Final = 20


def read_messages(value: Any) -> list[Message]:
    """Read the messages of an input or an output.

    Args:
        value: A text, a message, a list of them, or a whole request or response.

    Returns:
        The messages.
    """
    if isinstance(value, list):
        return [read_message(item) for item in _joined(value)]
    if not isinstance(value, Mapping):
        return [Message("", _read(value, 0), {})]
    for key in _ENVELOPES:
        inner = value.get(key)
        if key == "output" and isinstance(inner, Mapping):  # Bedrock
            inner = [inner]
        if isinstance(inner, list) and inner:
            rest = Fields({name: item for name, item in value.items() if name != key}).left
            return read_messages(inner) + ([Message(_ENVELOPES[key], [], rest)] if rest else [])
    return [read_message(value)]


def holds_messages(value: Any) -> bool:
    """Tell whether a value is a message or holds messages, and is not just some JSON.

    Args:
        value: The input, the output or the state of an event.

    Returns:
        False for an object without any key that messages have, and for numbers and the like.
    """
    if isinstance(value, Mapping):
        return not _MARKS.isdisjoint(value) or any(value.get(key) for key in _ENVELOPES)
    return isinstance(value, list)


def read_message(value: Any) -> Message:
    """Read one message, choice, candidate or item.

    Args:
        value: Any JSON.

    Returns:
        The message.
    """
    if not isinstance(value, Mapping):
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
    return Message(role, parts, {**left, **around})


def _unwrapped(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Take a message out of a choice, a candidate or a serialised object."""
    for key in ("message", "delta", "content", "kwargs"):
        inner = value.get(key)
        if not isinstance(inner, Mapping) or (key == "content" and "parts" not in inner):
            continue
        if key == "kwargs" and "lc" not in value:
            continue
        around = Fields({name: item for name, item in value.items() if name != key}).left
        if key == "content" and "role" in around:
            continue
        return inner, around
    return value, {}


def _is_item(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("type"), str) and value["type"] not in ("text", "output_text")


def _read(value: Any, depth: int) -> list[Part]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [Text(value)]
    if depth > _DEEPEST or not isinstance(value, Mapping | list):
        return [Data(value)]
    if isinstance(value, list):
        return [part for item in value for part in _read(item, depth + 1)]
    fields = Fields(value)
    return [*_taken(fields, depth), *fields.rest()]


def _taken(fields: Fields, depth: int) -> list[Part]:
    def inner(value: Any) -> list[Part]:
        return _read(value, depth + 1)

    return [part for read in PROVIDERS for part in read(fields, inner)]


def _joined(values: Sequence[Any]) -> Sequence[Any]:
    """Join the pieces of streamed choices into one choice each."""
    joined: list[Any] = []
    places: dict[Any, int] = {}
    for value in values:
        index = value.get("index", 0) if isinstance(value, Mapping) else None
        if not _is_piece(value) or not isinstance(index, int):
            places.clear()
            joined.append(value)
        elif index in places:
            place = places[index]
            joined[place] = _with_piece(joined[place], value)
        else:
            places[index] = len(joined)
            joined.append(value)
    return joined


def _is_piece(value: Any) -> bool:
    """Tell whether it is a delta that holds text and no more."""
    if not isinstance(value, Mapping) or not isinstance(value.get("delta"), Mapping):
        return False
    delta = value["delta"]
    return set(delta) <= {"role", "content"} and isinstance(delta.get("content", ""), str)


def _with_piece(choice: Mapping[str, Any], piece: Mapping[str, Any]) -> dict[str, Any]:
    before, after = choice["delta"], piece["delta"]
    text = before.get("content", "") + after.get("content", "")
    return {**choice, **piece, "delta": {**before, **after, "content": text}}
