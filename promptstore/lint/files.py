"""The rules that reading a file goes by, the one of its canonical form, and how to fix a file.

Only what cannot change what a prompt means is fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from promptstore.errors import Problem, PromptFileError
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Rule, Violation
from promptstore.model.parts import MESSAGE_KEYS, VARIABLE_KEYS
from promptstore.model.prompt import KEYS
from promptstore.promptfile import codes
from promptstore.promptfile.formatter import format_file
from promptstore.promptfile.reader import parse

_KEY: Final = re.compile(r"[\w-]+")
_LINE_END: Final = re.compile(r"(\r\n|\r|\n)")
_CUTOFF: Final = 0.75

NOT_CANONICAL: Final = Rule("PS112", severity="note", is_on=False, is_fixable=True)

READING: Final = tuple(Rule(code, is_fixable=code == codes.UNKNOWN_KEY) for code in codes.ALL)


def not_canonical(context: LintContext, name: str) -> Iterator[Violation]:
    """Compare the file with its canonical form."""
    data = context.data(name)
    if format_file(data, context.file(name).path) != data:
        message = "The file is not in canonical form; `promptstore format` writes it so."
        yield Violation(NOT_CANONICAL, message, place=(1, 1))


def fix_keys(data: bytes, path: str) -> bytes:
    """Return a file with near-miss keys written as they were meant.

    Args:
        data: The content of a file.
        path: The file's path.

    Returns:
        The content in which every fixed key is one fault less and no fault more.
    """
    while True:
        problems = _problems(data, path)
        fixed = next(
            (
                candidate
                for problem in problems
                if problem.code == codes.UNKNOWN_KEY
                and (candidate := _renamed(data, problem)) is not None
                and len(_problems(candidate, path)) < len(problems)
            ),
            None,
        )
        if fixed is None:
            return data
        data = fixed


def canonical(data: bytes, path: str) -> bytes:
    """Return a file in canonical form; a broken one stays as it is."""
    try:
        return format_file(data, path)
    except PromptFileError:
        return data


def _problems(data: bytes, path: str) -> list[Problem]:
    try:
        parse(data, path)
    except PromptFileError as error:
        return list(error.problems)
    return []


def _renamed(data: bytes, problem: Problem) -> bytes | None:
    # Lines and what ends them, by turns.
    pieces = _LINE_END.split(data.decode())
    place = 2 * (problem.line - 1)
    line = pieces[place]
    match = _KEY.match(line, problem.column - 1)
    if match is None:
        return None
    known = KEYS if problem.column == 1 else (*VARIABLE_KEYS, *MESSAGE_KEYS, "insert")
    near = get_close_matches(match[0], known, n=1, cutoff=_CUTOFF)
    if not near:
        return None
    pieces[place] = line[: match.start()] + near[0] + line[match.end() :]
    return "".join(pieces).encode()
