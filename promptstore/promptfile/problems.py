"""The faults of a text, each with its place."""

from __future__ import annotations

import re
from typing import Any, Final

from promptstore.errors import Problem
from promptstore.promptfile import codes

MAX_PROBLEMS: Final = 100

_CONFLICT: Final = re.compile(r"^<{7,}(?: .*)?$", re.MULTILINE)
_CONFLICT_END: Final = re.compile(r"^>{7,}(?: .*)?$", re.MULTILINE)
_TAG: Final = re.compile(
    r"""^[ \t]*(?:- +)*(?:[\w-]+|'[^']*'|"[^"]*"):[ \t]+(?P<text>\{[{%].*?)(?:[ \t]+#.*)?$"""
)
_SHOWN: Final = 60


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


def name_mistakes(text: str, problems: list[Problem]) -> list[Problem]:
    """Return the problems of a broken file, with those of a known mistake put into one.

    Args:
        text: The text of the file.
        problems: What the parser found.

    Returns:
        For conflict markers of git, these alone; a template that lacks its quotes is one problem.
    """
    conflicts = [*_CONFLICT.finditer(text)] if _CONFLICT_END.search(text) else []
    if conflicts:
        return [_conflict(text, match) for match in conflicts]
    lines = text.split("\n")
    unquoted: dict[int, Problem] = {}
    for problem in problems:
        line = lines[problem.line - 1] if problem.line <= len(lines) else ""
        match = _TAG.match(line.rstrip())
        if match and problem.column > match.start("text"):
            unquoted.setdefault(problem.line, _unquoted(match, problem))
    kept = (problem for problem in problems if problem.line not in unquoted)
    return sorted([*kept, *unquoted.values()])


def _conflict(text: str, match: re.Match[str]) -> Problem:
    message = (
        f"A conflict that git could not merge begins here ({match[0][:_SHOWN]}): keep what is "
        "right, and remove the lines <<<<<<<, ======= and >>>>>>>."
    )
    return Problem(text.count("\n", 0, match.start()) + 1, 1, codes.SYNTAX, message)


def _unquoted(match: re.Match[str], problem: Problem) -> Problem:
    shown = match["text"]
    is_plain = '"' not in shown and "\\" not in shown
    quoted = f'"{shown}"' if is_plain else "'" + shown.replace("'", "''") + "'"
    example = quoted if len(shown) <= _SHOWN else f"{quoted[:_SHOWN]}…"
    message = f"Write {example}: a string that starts with {shown[:2]} needs quotes."
    return Problem(problem.line, match.start("text") + 1, problem.code, message)
