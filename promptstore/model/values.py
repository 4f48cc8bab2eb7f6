"""Plain copies of JSON values, and what a JSON value may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 100
"""How deep a JSON value may be nested: in a file, in a prompt, and in a value for a variable."""


MAX_DIGITS: Final = 4300
"""How many digits an integer may have: Python reads and writes no more by default."""

INTEGER_BOUND: Final = 10**MAX_DIGITS


class UnfitValueError(ValueError):
    """A value that is not JSON; the text says why and reads after the value's name."""


def plain_json(value: Any) -> Any:
    """Copy a value into plain dict, list, str, int, float, bool and None.

    Args:
        value: Any value. Subclasses of str, int, float, list, tuple and mappings are taken for
            what they hold; any other object is refused.

    Returns:
        The copy.

    Raises:
        UnfitValueError: It is not JSON, is nested too deeply, or holds a huge integer.
    """
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise UnfitValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if type(value) is dict:
        return {
            # Most of what a value holds is plain ASCII: a call for each takes half of the time.
            (key if type(key) is str and key.isascii() else _plain_key(key)): (
                item if type(item) is str and item.isascii() else _plain(item, depth + 1)
            )
            for key, item in value.items()
        }
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _plain_string(value)
    if isinstance(value, int):
        return _plain_integer(value)
    if isinstance(value, float):
        return _plain_float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item, depth + 1) for key, item in value.items()}
    raise UnfitValueError(
        f"holds a {type(value).__name__}; give text, a number, true, false, null, a list or a dict"
    )


def _plain_string(value: str) -> str:
    text = value if type(value) is str else str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnfitValueError(
            f"holds half of a surrogate pair at character {error.start + 1}, "
            "which no UTF-8 text can carry"
        ) from None
    return text


def _plain_integer(value: int) -> int:
    number = int.__int__(value)
    if -INTEGER_BOUND < number < INTEGER_BOUND:
        return number
    raise UnfitValueError(f"holds an integer of more than {MAX_DIGITS:,} digits")


def _plain_float(value: float) -> float:
    number = float.__float__(value)
    if math.isfinite(number):
        return number
    raise UnfitValueError(f"holds {number}, which JSON does not have")


def _plain_key(key: Any) -> str:
    if not isinstance(key, str):
        raise UnfitValueError(f"has the key {key!r}, which is not text")
    return _plain_string(key)


def unicode_string(text: str) -> str:
    """Return a string unchanged when it can be written as UTF-8.

    Raises:
        UnfitValueError: It holds half of a surrogate pair.
    """
    return text if text.isascii() else _plain_string(text)


def is_unicode(text: str) -> bool:
    """Whether a string can be written as UTF-8: one with half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
