"""Inputs, outputs and states → messages: whole requests and responses, and lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.complete.model import Data, Fields, Message, Part, Text
from promptstore.formatters.complete.parts import TEXTS, PartReader
from promptstore.formatters.complete.pieces import take_piece
from promptstore.formatters.complete.streams import Stream
from promptstore.formatters.jsontext import is_numbers

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
_WRAPPERS: Final = ("message", "delta", "content", "kwargs")
_NO_EVENT: Final = frozenset({"role", "content", "parts"})
_HELD: Final = ("response", "item", "part", "result")
_PLAIN: Final = {"role", "content"}


def holds_messages(value: Any) -> bool:
    """Return whether a value is a message or holds messages, and is not just some JSON.

    Args:
        value: The input, the output or the state of an event.

    Returns:
        False for an object without any key that messages have, and for numbers, also in a list.
    """
    if isinstance(value, dict):
        is_piece = take_piece(Stream(), value)
        return is_piece or not _MARKS.isdisjoint(value) or _envelope(value) is not None
    return isinstance(value, list) and not is_numbers(value)


class MessageReader:
    """Reads the messages of one event."""

    def __init__(self) -> None:
        self._parts = PartReader()

    def read(self, value: Any) -> list[Message]:
        """Read the messages of an input or an output.

        Args:
            value: A string, a message, a list of them, or a whole request or response.

        Returns:
            The messages.
        """
        if isinstance(value, list):
            return self._read_list(value)
        if not isinstance(value, dict) or (key := _envelope(value)) is None:
            return self._read_list([value])
        inner = value[key]
        left = Fields({name: item for name, item in value.items() if name != key})
        messages = [self._read_system(left.any(name)) for name in _SYSTEM if left.has(name)]
        messages += self._read_list(inner if isinstance(inner, list) else [inner])
        return messages + ([Message(_ENVELOPES[key], [], left.left)] if left.left else [])

    def _read_list(self, values: Sequence[Any]) -> list[Message]:
        messages: list[Message] = []
        stream = Stream()
        for index, value in enumerate(values):
            if not self._parts.has_room:
                rest = Message("", [Data(values[index:])], {})
                return [*messages, *self._read_stream(stream), rest]
            if isinstance(value, dict) and value.keys() != _PLAIN:
                if take_piece(stream, value):
                    self._parts.spend()
                    continue
                if stream.answers and _is_event(value):
                    stream.others.append(value)
                    continue
            if stream.answers or stream.others:
                messages += self._read_stream(stream)
                stream = Stream()
            messages.append(self._read_one(value))
        return messages + self._read_stream(stream)

    def _read_stream(self, stream: Stream) -> list[Message]:
        messages = [
            Message(answer.role, self._parts.read(content), answer.facts.result({}))
            for answer in stream.answers
            if (content := answer.content()) or answer.role or answer.facts.result({})
        ]
        if facts := stream.facts.result({}):
            messages.append(Message("response", [], facts))
        for other in stream.others:
            messages += self._read_event(other)
        return messages

    def _read_event(self, event: Any) -> list[Message]:
        around = Fields(event if isinstance(event, dict) else {})
        kind = around.take_kind() or around.text("event_kind")
        if not kind or (inner := around.object(*_HELD)) is None:
            return [self._read_one(event)]
        return [Message(kind, [], around.left), *self.read(inner)]

    def _read_system(self, value: Any) -> Message:
        is_object = isinstance(value, dict)
        return self._read_one({"role": "system", **(value if is_object else {"content": value})})

    def _read_one(self, value: Any) -> Message:
        """Read one message, choice, candidate or item."""
        if not isinstance(value, dict):
            return Message("", self._parts.read(value), {})
        if value.keys() == _PLAIN and all(isinstance(item, str) for item in value.values()):
            self._parts.spend(1)
            parts: list[Part] = [Text(value["content"])] if value["content"] else []
            return Message(value["role"], parts, {})  # most are, so it is fast
        inner, around = _unwrapped(value)
        fields = Fields(inner)
        role, kind = fields.text("role"), fields.kind
        is_item = not role and kind not in ("", *TEXTS)
        parts = self._parts.taken(fields)
        if fields.kind == "message" or (is_item and fields.kind == kind):
            fields.take_kind()
        role = kind if is_item else role
        left = fields.left
        return Message(role, parts, left | _apart(around, left))


def _envelope(value: Mapping[str, Any]) -> str | None:
    """Find the key under which the messages of a whole request or response stand."""
    for key in _ENVELOPES:
        inner = value.get(key)
        is_bedrock = key == "output" and isinstance(inner, dict) and "message" in inner
        if is_bedrock or (isinstance(inner, list) and inner):
            return key
    return None


def _unwrapped(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Take a message out of a choice, a candidate or a serialised object."""
    for key in _WRAPPERS:
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


def _is_event(value: Mapping[str, Any]) -> bool:
    is_named = any(isinstance(value.get(key), str) for key in ("type", "event_kind", "event"))
    return is_named and _NO_EVENT.isdisjoint(value)
