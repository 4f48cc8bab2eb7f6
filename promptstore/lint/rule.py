"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from promptstore.errors import Problem
from promptstore.lint.library import Library
from promptstore.lint.settings import Severity

Check: TypeAlias = Callable[[Library, str], Iterator[Problem]]
"""Gives the problems of one prompt; it is called with the name of a file that could be read."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        code: Its stable code, such as ``PS203``.
        title: What is wrong, as a sentence.
        page: Why it matters and what to do, as plain paragraphs.
        bad: An example that breaks it.
        good: The same, mended.
        severity: How bad it is unless the settings say otherwise.
        is_on: Whether it is looked for unless the settings say otherwise.
        is_fixable: Whether ``check --fix`` can mend it, at least sometimes.
    """

    code: str
    title: str
    page: str
    bad: str = ""
    good: str = ""
    severity: Severity = "error"
    is_on: bool = True
    is_fixable: bool = False
