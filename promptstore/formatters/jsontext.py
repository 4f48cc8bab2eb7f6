"""JSON values as text, whatever their depth: on one line, indented, or as Python writes them.

The standard encoder is used as far as it goes. It fails on values that are nested deeper than the
interpreter's stack, so those are written here without recursion, in the same form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

DEEPEST: Final = 400
"""How many levels are given an indentation of their own; what is deeper stands on one line."""

_ROOM: Final = 10_000_000  # what may be indented, in characters; what comes then stands on one line
_PIECE: Final = 20  # characters that a piece counts for besides its indentation
_ESCAPED: Final = json.JSONEncoder(default=str)
_READABLE: Final = json.JSONEncoder(default=str, ensure_ascii=False)
_DECODER: Final = json.JSONDecoder()
_SURE: Final = 16  # characters of a decimal that a float always holds
_CONTAINERS: Final = (dict, list, tuple)
_WORDS: Final = {None: "null", True: "true", False: "false"}
_NUMBERS: Final = (int, float)
_NOTHING: Final = object()


def one_line(value: Any, *, escaped: bool = True) -> str:
    r"""Write a value as JSON on one line, with a space behind each comma and colon.

    Args:
        value: A JSON value. Anything else is written as its ``str()``.
        escaped: Whether characters outside of ASCII become ``\uXXXX``.

    Returns:
        The JSON.
    """
    encoder = _ESCAPED if escaped else _READABLE
    try:
        return repr(value) if type(value) is int else encoder.encode(value)
    except (RecursionError, ValueError):  # too deep, or an integer of too many digits
        return _nested_json(value, _json_scalar(encoder))


def python_text(value: Any) -> str:
    """Write a value as ``str()`` does, however deep it is."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except (RecursionError, ValueError):
        return _nested(value, _python_scalar, _python_scalar)


def python_repr(value: Any) -> str:
    """Write a value as ``repr()`` does, however deep it is."""
    return repr(value) if isinstance(value, str) else python_text(value)


def indented(value: Any) -> str:
    r"""Write a value as JSON with two spaces for each level.

    Args:
        value: A JSON value. Below `DEEPEST` levels it goes on on one line.

    Returns:
        The JSON, characters outside of ASCII as ``\uXXXX``.
    """
    return _nested_json(value, _json_scalar(_ESCAPED), deepest=DEEPEST)


def load_json(text: str) -> Any:
    """Decode a string if it is JSON that can be decoded, else return the string itself."""
    try:
        if text.startswith(("{", "[")):
            value, end = _DECODER.raw_decode(text)  # twice as fast as `json.loads` on short strings
            if end == len(text):
                return value
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def load_exact(text: str) -> Any:
    """Decode a string if it is JSON of which decoding loses nothing, else return the string itself.

    What would be lost are keys that are repeated, and numbers that a float does not hold.
    """
    try:
        return _EXACT.decode(text)
    except (ValueError, RecursionError):
        return text


def is_numbers(value: Any) -> bool:
    """Return whether it is a list of numbers and nothing else, such as tokens."""
    return isinstance(value, list) and bool(value) and all(type(item) in _NUMBERS for item in value)


def _exact_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value


def _exact_float(text: str) -> float:
    value = float(text)
    if (len(text) > _SURE or "e" in text or "E" in text) and Decimal(text) != Decimal(repr(value)):
        raise ValueError
    return value


def _exact_int(text: str) -> int:
    if text == "-0":
        raise ValueError
    return int(text)


_EXACT: Final = json.JSONDecoder(
    object_pairs_hook=_exact_object, parse_float=_exact_float, parse_int=_exact_int
)


def _nested_json(value: Any, scalar: Callable[[Any], str], *, deepest: int = 0) -> str:
    def key(name: Any) -> str:
        return scalar(name) if isinstance(name, str) else f'"{scalar(name)}"'

    return _nested(value, scalar, key, deepest=deepest)


def _nested(
    value: Any, scalar: Callable[[Any], str], key: Callable[[Any], str], *, deepest: int = 0
) -> str:
    """Write a value of any depth; containers have lines of their own down to a level.

    Each piece is written once, where the standard encoder hands it up through all levels.
    """
    pieces: list[str] = []
    rows: list[tuple[Iterator[Any], bool, str, str]] = []  # of the containers that are open
    room = _ROOM if deepest else 0
    item = value
    while True:
        is_opened = item and isinstance(item, _CONTAINERS)
        if is_opened:
            is_object, level = isinstance(item, dict), len(rows)
            line_end = "\n" + "  " * level if level < deepest else ""
            inside = line_end and line_end + "  "
            end = line_end + ("}" if is_object else "]")
            rows.append(
                (iter(item.items() if is_object else item), is_object, "," + (inside or " "), end)
            )
            pieces.append(("{" if is_object else "[") + inside)
        else:
            pieces.append(scalar(item))
        while rows:
            items, is_object, between, end = rows[-1]
            room -= _PIECE + len(between)
            if deepest and room < 0 and (rest := dict(items) if is_object else [*items]):
                pieces.append(("" if is_opened else between) + one_line(rest)[1:-1])
            elif (item := next(items, _NOTHING)) is not _NOTHING:
                break
            pieces.append(end)
            rows.pop()
            is_opened = False
        if not rows:
            return "".join(pieces)
        if not is_opened:
            pieces.append(between)
        if is_object:
            name, item = item
            pieces.append(f"{key(name)}: ")


def _json_scalar(encoder: json.JSONEncoder) -> Callable[[Any], str]:
    """Make a function that writes what is no container."""
    encode = encoder.encode

    def write(value: Any) -> str:
        if value is None or isinstance(value, bool):
            return _WORDS[value]
        try:
            return repr(value) if type(value) is int else encode(value)
        except ValueError:
            return hex(value)

    return write


def _python_scalar(value: Any) -> str:
    try:
        return repr(value)
    except ValueError:
        return hex(value)
