"""States that were written as Python literals, which PostHog reads as such."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any, Final

from promptstore.formatters.jsontext import indented
from promptstore.formatters.posthog.content import UnreadableError

_DEEPEST: Final = 200  # brackets inside of brackets that Python's own parser takes
_ROOM: Final = 500_000  # characters of literals, which Python parses slowly


class LiteralReader:
    """Read the states of one string, as many of them as do not take long."""

    def __init__(self) -> None:
        self._room = _ROOM

    def read(self, text: str) -> str:
        """Indent a state that was written as a Python literal.

        Args:
            text: The state.

        Returns:
            The state as JSON, or the same string where it is no literal of a list or an object, or
            where there were too many literals before it.

        Raises:
            UnreadableError: The literal holds what JSON has not.
        """
        value = _json_as_literal(text)
        if value is None:
            value = self._literal(text)
        if not isinstance(value, list | dict):
            return text
        try:
            json.dumps(value)
        except (TypeError, ValueError):  # for example a set, or an integer of very many digits
            raise UnreadableError from None
        return indented(value)

    def _literal(self, text: str) -> Any:
        """Parse a Python literal, or return the string itself where it is none."""
        may_be = text.lstrip(" \t").startswith(("[", "{", "(", "#", "\n"))
        if not may_be or len(text) > self._room:
            return text
        self._room -= len(text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # a backslash before an ordinary character is reported
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
    """Return whether there is neither true, false nor null, and it is not too deep."""
    todo = [(value, 1)]
    while todo:
        item, depth = todo.pop()
        if isinstance(item, dict | list):
            if depth > _DEEPEST:
                return False
            inner = item.values() if isinstance(item, dict) else item
            todo += [(child, depth + 1) for child in inner]
        elif item is None or isinstance(item, bool):
            return False
    return True
