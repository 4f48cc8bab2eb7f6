"""JSON values as text, whatever their depth: on one line, indented, or as Python writes them.

The standard encoder is used as far as it goes. It fails on values that are nested deeper than the
interpreter's stack, so those are written here without recursion, in the same form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

DEEPEST: Final = 400
"""How many levels are given an indentation of their own; what is deeper stands on one line."""

_ESCAPED: Final = json.JSONEncoder(default=str)
_READABLE: Final = json.JSONEncoder(default=str, ensure_ascii=False)
_DECODER: Final = json.JSONDecoder()
_CONTAINERS: Final = (dict, list, tuple)


class _Token(str):
    """A piece of the text that is ready, to be told apart from a value that is a text."""

    __slots__ = ()


def one_line(value: Any, *, escaped: bool = True) -> str:
    r"""Write a value as JSON on one line, with a space behind each comma and colon.

    Args:
        value: A JSON value. Anything else is written as its ``str()``.
        escaped: Whether letters outside of ASCII become ``\uXXXX``.

    Returns:
        The JSON.
    """
    encoder = _ESCAPED if escaped else _READABLE
    try:
        return repr(value) if type(value) is int else encoder.encode(value)
    except (RecursionError, ValueError):  # too deep, or an integer of too many digits
        return _on_one_line(value, lambda item: _json_scalar(encoder, item))


def python_text(value: Any) -> str:
    """Write a value as ``str()`` does, however deep it is."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except (RecursionError, ValueError):
        return _on_one_line(value, _python_scalar)


def python_repr(value: Any) -> str:
    """Write a value as ``repr()`` does, however deep it is."""
    return repr(value) if isinstance(value, str) else python_text(value)


def indented(value: Any) -> str:
    r"""Write a value as JSON with two spaces for each level.

    Args:
        value: A JSON value. Below `DEEPEST` levels it goes on on one line.

    Returns:
        The JSON, letters outside of ASCII as ``\uXXXX``.
    """
    pieces: list[str] = []
    todo: list[tuple[Any, int]] = [(value, 0)]
    while todo:
        item, depth = todo.pop()
        if isinstance(item, _Token):
            pieces.append(item)
        elif not item or not isinstance(item, _CONTAINERS) or depth == DEEPEST:
            pieces.append(one_line(item))
        else:
            todo += [(token, depth + 1) for token in reversed(list(_indented_parts(item, depth)))]
    return "".join(pieces)


def load_json(text: str) -> Any:
    """Decode a text if it is JSON that can be decoded, else give the text itself."""
    try:
        if text.startswith(("{", "[")):
            value, end = _DECODER.raw_decode(text)  # twice as fast as `json.loads` on short texts
            if end == len(text):
                return value
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _indented_parts(value: Any, depth: int) -> Iterator[Any]:
    line_end = "\n" + "  " * (depth + 1)
    is_object = isinstance(value, dict)
    separator = ("{" if is_object else "[") + line_end
    for item in value:
        yield _Token(f"{separator}{_json_key(item)}: " if is_object else separator)
        yield value[item] if is_object else item
        separator = "," + line_end
    yield _Token("\n" + "  " * depth + ("}" if is_object else "]"))


def _on_one_line(value: Any, scalar: Callable[[Any], str]) -> str:
    pieces: list[str] = []
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, _Token):
            pieces.append(item)
        elif isinstance(item, dict):
            todo += reversed(list(_parts_of_object(item, scalar)))
        elif isinstance(item, list):
            todo += reversed(list(_parts_of_list(item)))
        else:
            pieces.append(scalar(item))
    return "".join(pieces)


def _parts_of_object(value: dict[Any, Any], scalar: Callable[[Any], str]) -> Iterator[Any]:
    separator = "{"
    for key, item in value.items():
        yield _Token(f"{separator}{scalar(key)}: ")
        yield item
        separator = ", "
    yield _Token("}" if value else "{}")


def _parts_of_list(value: list[Any]) -> Iterator[Any]:
    separator = "["
    for item in value:
        yield _Token(separator)
        yield item
        separator = ", "
    yield _Token("]" if value else "[]")


def _json_key(key: Any) -> str:
    return one_line(key) if isinstance(key, str) else f'"{one_line(key)}"'


def _json_scalar(encoder: json.JSONEncoder, value: Any) -> str:
    try:
        return encoder.encode(value)
    except ValueError:
        return hex(value)


def _python_scalar(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:
        return hex(value)
