"""Entries of a list of messages that are told by their type: the items of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from promptstore.formatters.jsontext import indented, python_text
from promptstore.formatters.posthog.content import (
    PLAIN_TYPES,
    block_text,
    call_text,
    payload_text,
    type_of,
)

NO_OUTPUT: Final = "[tool output not recorded]"
NOT_RECORDED: Final[Mapping[str, str]] = {
    "function_call_output": NO_OUTPUT,
    "custom_tool_call_output": NO_OUTPUT,
    "reasoning": "[reasoning summary not recorded]",
}
"""What stands in the place of a text that is not there, however short a text may be."""

_LONG: Final = 2000  # characters of a field that is not shown any more
_HANDLED: Final = frozenset(
    {"type", "id", "call_id", "name", "arguments", "input", "status", "encrypted_content"}
)
_Entry = Mapping[str, Any]


def is_item(entry: _Entry) -> bool:
    """Tell whether an entry is told by its type and is no message.

    Raises:
        UnreadableError: PostHog fails on its type.
    """
    if not entry.get("type") or type_of(entry) in PLAIN_TYPES:
        return False
    return not ("role" in entry or "content" in entry or "tool_calls" in entry)


def item_text(entry: _Entry) -> str | None:
    """Get the text of an entry that is told by its type.

    Args:
        entry: An entry of a list of messages.

    Returns:
        The text, or None for an entry that is an ordinary message. It is empty where what the
        entry is for was not recorded; then `NOT_RECORDED` has a note for its type.

    Raises:
        UnreadableError: PostHog fails on it.
    """
    kind = type_of(entry)
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is not None:
        text = reader(entry)
        if text or kind in NOT_RECORDED:
            return text
    return _unknown(entry) if is_item(entry) else None


def _signature(entry: _Entry) -> str:
    name = entry.get("name") or entry.get("type") or "unknown"
    if entry.get("arguments") is not None:
        return call_text(name, entry["arguments"])
    given = entry.get("input")
    return f"{python_text(name)}({python_text(given) if given else ''})"


def _output(entry: _Entry) -> str:
    output = entry.get("output")
    return payload_text(entry.get("content") if output is None else output)


def _reasoning(entry: _Entry) -> str:
    return payload_text(entry.get("summary") or entry.get("content"))


def _unknown(entry: _Entry) -> str:
    status = entry.get("status")
    text = _signature(entry) + (f" ({python_text(status)})" if status else "")
    rest = {key: _without_long(value) for key, value in entry.items() if key not in _HANDLED}
    return f"{text}\n{indented(rest)}" if rest else text


def _without_long(value: Any) -> Any:
    """Replace long texts at any depth by their length, in a copy."""
    if isinstance(value, str):
        return f"[{len(value):,} chars not shown]" if len(value) > _LONG else value
    top = _empty_like(value)
    todo = [(value, top)] if isinstance(value, dict | list) else []
    while todo:
        source, copy = todo.pop()
        for key, item in source.items() if isinstance(source, dict) else enumerate(source):
            new = _without_long(item) if isinstance(item, str) else _empty_like(item)
            if isinstance(copy, dict):
                copy[key] = new
            else:
                copy.append(new)
            if isinstance(item, dict | list):
                todo.append((item, new))
    return top


def _empty_like(value: Any) -> Any:
    return type(value)() if isinstance(value, dict | list) else value


_READERS: Final[Mapping[str, Callable[[_Entry], str]]] = {
    "function_call": _signature,
    "custom_tool_call": _signature,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "reasoning": _reasoning,
    "tool-call": block_text,
    "tool_use": block_text,
    "function": block_text,
}
