"""The faults of a text, each with its place."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from promptstore.errors import Problem

MAX_PROBLEMS: Final = 100

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""


class YamlError(Exception):
    """The text is not the YAML that is wanted; carries the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


class Problems(list[Problem]):
    """The faults of one text, so far."""

    def report(self, mark: Any, code: str, message: str) -> None:
        """Add a fault.

        Args:
            mark: Its place, as a mark of the parser.
            code: One of `promptstore.promptfile.codes`.
            message: What is wrong and what to do, as a sentence.

        Raises:
            YamlError: These are `MAX_PROBLEMS`; nobody reads on.
        """
        self.append(Problem(*place_of(mark), code, message))
        if len(self) >= MAX_PROBLEMS:
            raise YamlError(self)


def place_of(mark: Any) -> tuple[int, int]:
    """Turn a mark of the parser into line and column, from 1."""
    return mark.line + 1, mark.column + 1
