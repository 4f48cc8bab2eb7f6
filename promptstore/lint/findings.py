"""What a rule is, and what a check found by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from promptstore.errors import Problem

Severity: TypeAlias = Literal["error", "warning", "note"]
"""How bad a finding is: it breaks a call, it misleads, or it is a matter of taste."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)

Keys: TypeAlias = tuple[str | int, ...]
"""A place in a file: the way to it by keys and by numbers of items."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        code: Its stable code, such as ``PS203``.
        title: What is wrong, as a sentence.
        page: Why it matters and what to do, as plain paragraphs.
        bad: An example that breaks it.
        good: The same, fixed.
        severity: How bad it is unless the settings say otherwise.
        is_on: Whether it is looked for unless the settings say otherwise.
        is_fixable: Whether ``check --fix`` can fix it, at least sometimes.
    """

    code: str
    title: str
    page: str
    bad: str = ""
    good: str = ""
    severity: Severity = "error"
    is_on: bool = True
    is_fixable: bool = False


class Breach(NamedTuple):
    """A breach of a rule in one prompt; where it stands is looked up only if it is shown.

    Attributes:
        rule: The rule.
        message: What is wrong and what to do, as a sentence.
        keys: Its place in the file.
        line: The line within the string at that place, from 1.
        is_key: Whether it is about the key rather than the value at that place.
        place: Line and column in the file, where they are known already.
    """

    rule: Rule
    message: str
    keys: Keys = ()
    line: int = 1
    is_key: bool = False
    place: tuple[int, int] | None = None


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
