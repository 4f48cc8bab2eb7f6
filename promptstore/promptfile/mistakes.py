"""Mistakes that a parser can only describe by their symptoms, named as what they are."""

from __future__ import annotations

import re
from typing import Final

from promptstore.errors import Problem
from promptstore.promptfile import codes

_CONFLICT: Final = re.compile(r"^<{7,}(?: .*)?$", re.MULTILINE)
_CONFLICT_END: Final = re.compile(r"^>{7,}(?: .*)?$", re.MULTILINE)
_TAG: Final = re.compile(r"""^[ \t]*(?:- +)*(?:[\w-]+|'[^']*'|"[^"]*"):[ \t]+(?P<text>\{[{%].*)$""")
_SHOWN: Final = 60


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
    quote = "'" if '"' in shown else '"'
    example = f"{quote}{shown}{quote}" if len(shown) <= _SHOWN else f"{quote}{shown[:_SHOWN]}…"
    message = f"Write {example}: a text that starts with {shown[:2]} needs quotes."
    return Problem(problem.line, match.start("text") + 1, problem.code, message)
