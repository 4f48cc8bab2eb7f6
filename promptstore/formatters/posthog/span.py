"""Spans, with their states before and after."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.jsontext import indented, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.content import UnreadableError, call_text, payload_text
from promptstore.formatters.posthog.items import NO_OUTPUT
from promptstore.formatters.posthog.messages import DASH, content_lines, strict_message_lines
from promptstore.formatters.shortening import Piece

RULE: Final = "=" * 80
_DEEPEST_LITERAL: Final = 200  # brackets inside of brackets that Python's own parser takes
_LONGEST_LITERAL: Final = 500_000  # characters; parsing takes a hundred times their memory


def span_lines(properties: Mapping[str, Any], options: TextReprOptions) -> list[Piece]:
    """Write a span.

    Args:
        properties: The event's properties.
        options: The options.

    Returns:
        The lines.
    """
    lines: list[Piece] = [title(properties.get("$ai_span_name", "Span"), "Span"), RULE]
    if error := properties.get("$ai_error"):
        lines += [DASH, "", "ERROR:", "", _error_text(error)]
    for label, key in (("INPUT STATE", "$ai_input_state"), ("OUTPUT STATE", "$ai_output_state")):
        if state := properties.get(key):
            lines += [DASH, "", f"{label}:", "", *_state_lines(state, options)]
    return lines


def title(name: Any, default: str) -> str:
    """Write a name in capitals; null has the default's name."""
    return (default if name is None else python_text(name)).upper()


def _error_text(error: Any) -> str:
    return indented(error) if isinstance(error, dict) else python_text(error)


def starts_with_message(state: Sequence[Any]) -> bool:
    """Tell whether a list's first item looks like a message."""
    first = state[0]
    return isinstance(first, dict) and ("role" in first or "content" in first)


def _state_lines(state: Any, options: TextReprOptions) -> list[Piece]:
    try:
        if isinstance(state, str):
            return content_lines(_literal_text(state), options)
        if isinstance(state, list):
            return _list_lines(state, options)
        if isinstance(state, dict):
            return _object_lines(state, options)
    except UnreadableError:
        pass
    return [python_text(state)]


def _list_lines(state: list[Any], options: TextReprOptions) -> list[Piece]:
    if starts_with_message(state):
        return strict_message_lines(state, options)
    return content_lines(indented(state), options)


def _object_lines(state: dict[str, Any], options: TextReprOptions) -> list[Piece]:
    if state.get("__type") == "tool_call_with_context":
        return _context_lines(state, options)
    messages = state.get("messages")
    if isinstance(messages, list) and messages:
        return strict_message_lines(messages, options)
    if state.get("type") == "tool":
        text = payload_text(state.get("content"))
        shown = content_lines(text, options) if text else [NO_OUTPUT]
        return [*_tool_result_heading(state), *shown]
    return content_lines(indented(state), options)


def _context_lines(state: dict[str, Any], options: TextReprOptions) -> list[Piece]:
    lines: list[Piece] = []
    inner = state.get("state")
    if isinstance(inner, dict):
        messages = inner.get("messages")
        if isinstance(messages, list) and messages:
            lines += strict_message_lines(messages, options)
        if inner.get("remaining_steps") is not None:
            lines += ["", f"Remaining steps: {python_text(inner['remaining_steps'])}"]
    call = state.get("tool_call")
    if isinstance(call, dict) and call:
        text = call_text(call.get("name", "unknown"), call.get("args", {}))
        lines += ["", "Tool Call:", f"  {text}"]
    return lines


def _tool_result_heading(state: dict[str, Any]) -> list[str]:
    name, status = state.get("name"), state.get("status")
    if name and not isinstance(name, str):
        raise UnreadableError
    parts = ["[TOOL RESULT]", name or "", f"({python_text(status)})" if status else ""]
    return [" ".join(part for part in parts if part), ""]


def _literal_text(text: str) -> str:
    """Indent a state that was written as a Python literal.

    Raises:
        UnreadableError: The literal holds what JSON has not.
    """
    value = _json_as_literal(text)
    if value is None:
        value = _literal(text)
    if not isinstance(value, list | dict):
        return text
    try:
        json.dumps(value)
    except TypeError:  # for example a set
        raise UnreadableError from None
    return indented(value)


def _literal(text: str) -> Any:
    """Parse a Python literal, or give the text itself where it is none."""
    if len(text) > _LONGEST_LITERAL or not text.lstrip(" \t").startswith(
        ("[", "{", "(", "#", "\n")
    ):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a backslash before an ordinary letter is told
            return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    except (TypeError, MemoryError, RecursionError):
        raise UnreadableError from None


def _json_as_literal(text: str) -> Any:
    """Read JSON that means the same in Python; None for all else.

    Most states are JSON, and Python's parser takes far more time and memory than JSON's.
    """
    if not text.startswith(("[", "{")) or "\\/" in text or not text.isascii():
        return None
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if _means_the_same(value) else text


def _refuse(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no numbers to Python's parser


def _means_the_same(value: Any) -> bool:
    """Tell whether there is neither true, false nor null, and it is not too deep."""
    todo = [(value, 1)]
    while todo:
        item, depth = todo.pop()
        if isinstance(item, dict | list):
            if depth > _DEEPEST_LITERAL:
                return False
            inner = item.values() if isinstance(item, dict) else item
            todo += [(child, depth + 1) for child in inner]
        elif item is None or isinstance(item, bool):
            return False
    return True
