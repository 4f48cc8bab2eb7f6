"""JSON values as text, whatever their depth: on one line, indented, or as Python writes them.

The standard encoder is used as far as it goes. It fails on values that are nested deeper than the
interpreter's stack, so those are written here without recursion, in the same form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

DEEPEST: Final = 400
"""How many levels are given an indentation of their own where the standard encoder fails."""

_ESCAPED: Final = json.JSONEncoder(default=str)
_READABLE: Final = json.JSONEncoder(default=str, ensure_ascii=False)
_INDENTED: Final = json.JSONEncoder(default=str, indent=2)
_DECODER: Final = json.JSONDecoder()
_CONTAINERS: Final = (dict, list, tuple)
_NOTHING: Final = object()


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
        return _nested(value, lambda item: _json_scalar(encoder, item))


def python_text(value: Any) -> str:
    """Write a value as ``str()`` does, however deep it is."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except (RecursionError, ValueError):
        return _nested(value, _python_scalar)


def python_repr(value: Any) -> str:
    """Write a value as ``repr()`` does, however deep it is."""
    return repr(value) if isinstance(value, str) else python_text(value)


def indented(value: Any) -> str:
    r"""Write a value as JSON with two spaces for each level.

    Args:
        value: A JSON value. If it is too deep, it goes on on one line below `DEEPEST` levels.

    Returns:
        The JSON, letters outside of ASCII as ``\uXXXX``.
    """
    try:
        return _INDENTED.encode(value)
    except (RecursionError, ValueError):
        return _nested(value, lambda item: _json_scalar(_ESCAPED, item), deepest=DEEPEST)


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


def _nested(value: Any, scalar: Callable[[Any], str], *, deepest: int = 0) -> str:
    """Write a value of any depth; lists and objects have lines of their own down to a level."""
    pieces: list[str] = []
    rows: list[tuple[Iterator[Any], str]] = []  # what is left of each container, and its end
    item = value
    while True:
        is_opened = bool(item) and isinstance(item, _CONTAINERS)
        if is_opened:
            is_object = isinstance(item, dict)
            rows.append((iter(item.items() if is_object else item), "}" if is_object else "]"))
            pieces.append("{" if is_object else "[")
        else:
            pieces.append(scalar(item))
        while rows and (item := next(rows[-1][0], _NOTHING)) is _NOTHING:
            is_opened = False
            end = rows.pop()[1]
            pieces.append(_line_end(len(rows), deepest - 1) + end)
        if not rows:
            return "".join(pieces)
        line_end = _line_end(len(rows), deepest)
        pieces.append(line_end if is_opened else "," + (line_end or " "))
        if rows[-1][1] == "}":
            key, item = item
            pieces.append(f"{scalar(key)}: ")


def _line_end(level: int, deepest: int) -> str:
    return "\n" + "  " * level if level <= deepest else ""


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
