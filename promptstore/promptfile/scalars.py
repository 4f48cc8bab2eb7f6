"""Plain scalars of YAML 1.2 → values, by its core schema (section 10.3.2)."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from promptstore.model.faults import shown
from promptstore.model.values import INTEGER_BOUND, MAX_DIGITS

_NUMBER: Final = re.compile(
    r"""
      ( [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ )                            # 1: an integer
    | ( [-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?) (?:[eE][-+]?[0-9]+)? )          # 2: a float
    | ( [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN) )                         # 3: nothing in JSON
    """,
    re.VERBOSE,
)
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_START: Final = frozenset("+-.0123456789")


def resolve_plain(text: str) -> Any:
    """Return the value of a plain scalar.

    Raises:
        ValueError: It is a number that JSON cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    if match.lastindex == 1:
        return _integer(text)
    if match.lastindex == 2:
        number = float(text)
        if math.isfinite(number):
            return number
        raise ValueError(f"the number {shown(text)} is too large for JSON")
    raise ValueError(f"{text} is a number that JSON does not have; put it in quotes")


def is_string(text: str) -> bool:
    """Return whether a plain scalar is a string."""
    if text in _WORDS:
        return False
    if text[0] not in _NUMBER_START:
        return True
    try:
        return isinstance(resolve_plain(text), str)
    except ValueError:
        return False


def _integer(text: str) -> int:
    if len(text) <= MAX_DIGITS + 1:
        number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if abs(number) < INTEGER_BOUND:
            return number
    raise ValueError(f"an integer of more than {MAX_DIGITS:,} digits; put it in quotes")
