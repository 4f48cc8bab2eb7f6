"""What a check found, and where."""

from __future__ import annotations

from dataclasses import dataclass

from promptstore.errors import Problem
from promptstore.lint.settings import Severity


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A problem and the file it is in.

    Attributes:
        path: The file's path.
        problem: What is wrong there, with line, column and code.
        name: The prompt's name, or None for a file that has none.
        severity: How bad it is.
    """

    path: str
    problem: Problem
    name: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        found = self.problem
        weight = "" if self.severity == "error" else f"{self.severity}: "
        return f"{self.path}:{found.line}:{found.column}: {found.code} {weight}{found.message}"
