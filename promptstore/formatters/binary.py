"""Bytes that stand inside of JSON: base64, data URLs, and lists of numbers as JavaScript writes."""

from __future__ import annotations

import re
from typing import Any, Final

DATA_URL: Final = re.compile(r"data:([^;,]*)[^,]*;base64,")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/_=%\r\n-]")  # % stands in URLs
_NO_DIGITS: Final = ("\n", "\r", "=")


def is_base64(text: str, start: int = 0) -> bool:
    """Tell whether a text, from a place on, can be base64 of either alphabet."""
    if _NOT_BASE64.search(text, start):
        return False
    return _digits(text, start) % 4 != 1  # no number of bytes gives such a length


def base64_size(text: str, start: int = 0) -> int:
    """Count the bytes that base64 stands for."""
    return _digits(text, start) * 3 // 4


def holds_bytes(value: Any) -> bool:
    """Tell whether it is a text, or a list of numbers or an object that stands for bytes."""
    return isinstance(value, str) or _numbers(value) is not None


def byte_count(value: Any) -> int | None:
    """Count the bytes that a list of numbers or an object stands for; None where it is neither."""
    numbers = _numbers(value)
    return None if numbers is None else len(numbers)


def without_bytes(text: str) -> str:
    """Replace a data URL by its description; any other text stays."""
    start = DATA_URL.match(text)
    if start is None or not is_base64(text, start.end()):
        return text
    return f"[{start[1] or 'data'}, {base64_size(text, start.end()):,} bytes]"


def _digits(text: str, start: int) -> int:
    return len(text) - start - sum(text.count(letter, start) for letter in _NO_DIGITS)


def _numbers(value: Any) -> list[int] | None:
    """Get the numbers out of a list, of Node's ``Buffer``, or of a ``Uint8Array``."""
    if isinstance(value, dict):
        if value.keys() == {"type", "data"} and value["type"] == "Buffer":
            value = value["data"]
        elif value and all(isinstance(key, str) and key.isdecimal() for key in value):
            value = list(value.values())
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        return None
    return value
