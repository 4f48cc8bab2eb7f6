"""What PostHog takes for the text of a message or an item, with all of its quirks.

These are PostHog's own rules and kept as they are, since the text has to be the same to the byte.
They do not tell providers apart: a key counts wherever it stands. The style ``complete`` reads the
same messages properly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from promptstore.formatters.jsontext import indented, load_json, one_line, python_repr, python_text

PLAIN_TYPES: Final = frozenset({"text", "input_text", "output_text", "summary_text"})
_CALL_TYPES: Final = frozenset({"tool-call", "tool_use", "function"})
_CONTAINERS: Final = (list, dict)
_MAY_OPEN: Final = frozenset("{ \t\n\r")  # what JSON of an object may start with
_SHOWN: Final = 500  # characters of a content that is not understood
NO_OUTPUT: Final = "[tool output not recorded]"
NOT_RECORDED: Final[Mapping[str, str]] = {
    "function_call_output": NO_OUTPUT,
    "custom_tool_call_output": NO_OUTPUT,
    "reasoning": "[reasoning summary not recorded]",
}
"""What stands in the place of a string that is left out, however short it may be."""

_LONG: Final = 2000  # characters of a field that is not shown any more
_HANDLED: Final = frozenset(
    {"type", "id", "call_id", "name", "arguments", "input", "status", "encrypted_content"}
)
_Entry: TypeAlias = Mapping[str, Any]


class UnreadableError(Exception):
    """A place where PostHog's own formatter fails."""


def type_of(value: Mapping[str, Any]) -> Any:
    """Get the type of a message or a block.

    Raises:
        UnreadableError: It is a list or an object.
    """
    kind = value.get("type")
    if isinstance(kind, _CONTAINERS):
        raise UnreadableError
    return kind


def call_text(name: Any, arguments: Any) -> str:
    """Write a call of a tool as a line of code."""
    if isinstance(arguments, str) and arguments:
        arguments = _decoded(arguments)
    if not arguments:
        return f"{python_text(name)}()"
    if isinstance(arguments, dict):
        pairs = [f"{key}={one_line(value)}" for key, value in arguments.items()]
        return f"{python_text(name)}({', '.join(pairs)})"
    return f"{python_text(name)}({python_text(arguments)})"


def content_text(content: Any) -> str:
    """Get the text of a content.

    Raises:
        UnreadableError: PostHog fails on it.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list) and any(map(_is_special, content)):
        texts = [text for item in content if (text := _element_text(item)) is not None]
        if texts:
            return "\n\n".join(texts)
    return plain_text(content)


def payload_text(payload: Any) -> str:
    """Get the text of what a tool gave back; an empty one where it gave nothing.

    Raises:
        UnreadableError: PostHog fails on it.
    """
    if isinstance(payload, str):
        return payload
    if payload is None or (isinstance(payload, _CONTAINERS) and not payload):
        return ""
    return content_text(payload)


def block_text(block: Mapping[str, Any]) -> str:
    """Get the text of a block that stands in a list with calls of tools.

    Raises:
        UnreadableError: PostHog fails on it.
    """
    kind = block.get("type")
    if kind == "tool-call":
        return call_text(block.get("toolName", "unknown"), block.get("input", {}))
    if kind == "tool_use":
        return call_text(block.get("name", "unknown"), _tool_use_input(block))
    if kind == "function":
        return ""
    content = block.get("content")
    if isinstance(content, dict) and "toolName" in content:
        return call_text(content["toolName"], content.get("args", ""))
    if isinstance(content, dict) and "result" in content:
        return "[Tool result: unknown]"
    return plain_text(block)


def plain_text(content: Any) -> str:
    """Get the text of a content without calls of tools."""
    while isinstance(content, dict):
        if "text" in content:
            return python_text(content["text"])
        if "content" not in content:
            return one_line(content)
        content = content["content"]
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return _list_text(content)
    return _cut(content)


def _decoded(text: str) -> Any:
    if text[0] not in _MAY_OPEN:
        return text
    value = load_json(text)
    return value if isinstance(value, dict) and value else text


def _is_special(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    if type_of(item) in _CALL_TYPES:
        return True
    content = item.get("content")
    return isinstance(content, dict) and "toolName" in content


def _element_text(item: Any) -> str | None:
    if isinstance(item, str):
        return item
    return (block_text(item) or None) if isinstance(item, dict) else None


def _tool_use_input(block: Mapping[str, Any]) -> Any:
    given = block.get("input", {})
    if given or "partial_json" not in block:
        return given
    text = block["partial_json"]
    if not isinstance(text, str):
        raise UnreadableError
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return given


def _list_text(items: Sequence[Any]) -> str:
    lines: list[str] = []
    for item in items:
        if isinstance(item, str):
            lines += ["", item] if lines else [item]
        elif isinstance(item, dict) and (value := item.get("text") or item.get("content")):
            if lines:
                lines.append("")
            kind = item.get("type")
            if kind and not isinstance(kind, str):
                return python_repr(items)[:_SHOWN]
            if kind and kind not in PLAIN_TYPES:
                lines += [f"[{kind.upper()}]", ""]
            lines.append(python_text(value))
    return "\n".join(lines) if lines else _cut(items)


def _cut(value: Any) -> str:
    text = python_repr(value)
    return text[:_SHOWN] + "..." if len(text) > _SHOWN else text


def is_item(entry: _Entry) -> bool:
    """Return whether an entry is told by its type and is no message.

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
    """Replace long strings at any depth by their length, in a copy."""
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
