"""Counting what an operation reads or makes, before it does so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from jinja2.runtime import Context

from promptstore.template.base import Budget

BUDGET: Final = " budget"
"""Where a context keeps its `Budget`: under a name that no template can spell."""

MAX_INTEGER_BITS: Final = 1024
CONTAINERS: Final = (list, tuple, dict)

_PUNCTUATION: Final = 4  # quotes, comma and space around an item


def budget_of(context: Context) -> Budget:
    """Find the budget of the render that a context belongs to."""
    budget: Budget = context.parent[BUDGET]
    return budget


def spend(budget: Budget, value: Any) -> Any:
    """Count a value by its own length, and give it on."""
    if isinstance(value, str):
        budget.spend_characters(len(value))
    elif isinstance(value, CONTAINERS):
        budget.spend_rounds(len(value))
    return value


def spend_deep(budget: Budget, value: Any, indent: int = 0) -> None:
    """Count a value by the length that it has as text, about, without making that text.

    A few steps can build a list that holds the same list over and over: small in memory, yet
    without end for everything that walks it (printing, comparing, hashing).

    Args:
        budget: What is left of the limits.
        value: What is about to be walked.
        indent: Spaces before each item, for every level it lies deep.
    """
    if isinstance(value, str):
        budget.spend_characters(len(value))
        return
    if not isinstance(value, CONTAINERS):
        return
    opened = [_members(value)]
    while opened:
        characters = 0
        for item in opened[-1]:
            characters += _PUNCTUATION + indent * len(opened)
            if isinstance(item, str):
                characters += len(item)
            elif isinstance(item, int):
                characters += item.bit_length() // 3
            elif isinstance(item, CONTAINERS):
                opened.append(_members(item))
                break
        else:
            opened.pop()
        budget.spend_characters(characters)


def write(budget: Budget, value: Any) -> str:
    """Write a value as text, counted before it is made."""
    if isinstance(value, str):
        return value
    spend_deep(budget, value)
    return str(value)


def _members(value: Any) -> Iterator[Any]:
    return chain(value, value.values()) if isinstance(value, dict) else iter(value)
