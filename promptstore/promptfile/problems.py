"""The faults of a text, each with its place."""

from __future__ import annotations

import re
from typing import Any, Final

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

from promptstore.errors import Problem
from promptstore.model.faults import shown
from promptstore.model.values import MAX_DEPTH
from promptstore.promptfile import codes

MAX_PROBLEMS: Final = 100

_CONFLICT: Final = re.compile(r"^<{7,}(?: .*)?$", re.MULTILINE)
_CONFLICT_END: Final = re.compile(r"^>{7,}(?: .*)?$", re.MULTILINE)
_TAG: Final = re.compile(
    r"""^[ \t]*(?:- +)*(?:[\w-]+|'[^']*'|"[^"]*"):[ \t]+(?P<text>\{[{%].*?)(?:[ \t]+#.*)?$"""
)
_SHOWN: Final = 60
DEEP_MESSAGE: Final = f"The file is nested deeper than {MAX_DEPTH} levels."
ANCHOR_MESSAGE: Final = (
    "Anchors and aliases are not allowed; write the value out, or put a string into quotes."
)
_HINTS: Final = {
    "mapping values are not allowed": " A string that holds a colon and a space needs quotes.",
    "cannot start any token": " Indent with spaces; a string that starts like this needs quotes.",
    "did not find expected key": " Look at the indent of this line and of those above it.",
    "invalid Unicode character": " Write the character itself, or an escape such as \\U0001f600.",
}


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


def character_problem(text: str, match: re.Match[str]) -> Problem:
    """Return the problem of a character that no file may hold."""
    start = match.start()
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    code = ord(match[0])
    if start == 0 and code == 0xFEFF:
        message = "The file starts with a byte order mark. Save it as UTF-8 without one."
    else:
        escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
        message = (
            f"The character U+{code:04X} cannot stand in a file; "
            f"write it as {escape} in a string between double quotes."
        )
    return Problem(line, column, codes.ENCODING, message)


def syntax_problem(error: YAMLError) -> Problem:
    """Return the problem of a text that is not YAML."""
    if not isinstance(error, MarkedYAMLError):
        return Problem(1, 1, codes.SYNTAX, f"This is not YAML: {error}.")
    mark = error.problem_mark or error.context_mark
    line, column = place_of(mark) if mark else (1, 1)
    problem = (error.problem or "this is not YAML").strip()
    if "another document" in problem or "single document" in (error.context or ""):
        message = "A second document starts here; a prompt file holds one."
        return Problem(line, column, codes.NOT_ONE_MAPPING, message)
    if "anchor" in problem or "alias" in problem:
        return Problem(line, column, codes.ANCHOR_OR_TAG, ANCHOR_MESSAGE)
    context = f" {error.context.strip()}" if error.context else ""
    hint = next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    return Problem(line, column, codes.SYNTAX, f"This is not YAML: {problem}{context}.{hint}")


def encoding_problem(data: bytes, start: int) -> Problem:
    """Return the problem of a byte that is not UTF-8."""
    before = data[:start].decode()
    message = f"The byte 0x{data[start]:02x} is not UTF-8. Save the file as UTF-8."
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Problem(line, column, codes.ENCODING, message)


def duplicate_message(key: str, first: Node) -> str:
    """Return what is wrong with a key that stands twice, by the node of the first one."""
    line, column = place_of(first.start_mark)
    again = f"The key {shown(key)!r} stands here again"
    return f"{again}; first in line {line}, column {column}."


def without_echoes(problems: list[Problem]) -> list[Problem]:
    """Leave out what only follows from another problem at the same place."""
    first: dict[tuple[int, int], Problem] = {}
    # A key that nothing knows is why another one is missing.
    for problem in sorted(problems, key=lambda problem: problem.code != codes.UNKNOWN_KEY):
        first.setdefault((problem.line, problem.column), problem)
    return list(first.values())
