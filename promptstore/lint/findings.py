"""What a rule is, what a check found by it, and ``# promptstore: ignore PS203`` in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from promptstore.errors import Problem
from promptstore.model.faults import KeyPath

Severity: TypeAlias = Literal["error", "warning", "note"]
"""How bad a finding is: it breaks a call, it misleads, or it is a matter of taste."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)

_COMMENT: Final = re.compile(
    r"(?:^|[ \t])#[ \t]*promptstore:[ \t]*ignore(?P<file>-file)?(?![\w-])(?P<codes>[^#\n]*)"
)
_CODES: Final = re.compile(r"[\s:]*(?P<codes>(?:PS\d+[\s,]*)+)(?:\s|$)")
_BLOCK: Final = re.compile(r"[^#]*[:-][ \t]+[|>][-+0-9]*[ \t]*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.

    What it means and what to do, with an example, stands in ``rules.md``.

    Attributes:
        code: Its stable code, such as ``PS203``.
        severity: How bad it is unless the settings say otherwise.
        is_on: Whether it is looked for unless the settings say otherwise.
        is_fixable: Whether ``check --fix`` can fix it, at least sometimes.
    """

    code: str
    severity: Severity = "error"
    is_on: bool = True
    is_fixable: bool = False

    @property
    def page(self) -> str:
        """The page of the rule as Markdown, with one line end at its end."""
        return _pages()[self.code]

    @property
    def title(self) -> str:
        """What is wrong, as a sentence."""
        return self.page.partition(": ")[2].partition("\n")[0]

    @property
    def reason(self) -> str:
        """Why it matters and what to do, as a plain paragraph."""
        return self.page.split("\n\n")[2].rstrip()


@cache
def all_pages() -> str:
    """Return the pages of all rules as one Markdown document."""
    return Path(__file__).with_name("rules.md").read_text(encoding="utf-8")


@cache
def _pages() -> dict[str, str]:
    pages = all_pages().split("\n## ")[1:]
    return {page.partition(":")[0]: f"## {page.rstrip()}\n" for page in pages}


class Violation(NamedTuple):
    """A violation of a rule in one prompt; where it stands is looked up only if it is shown.

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
    keys: KeyPath = ()
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


class Ignores:
    """What the comments of one file ask to leave out.

    A comment at the end of a line, or alone on the line above, counts for that line, and for the
    block of text that the line begins; a comment at the left edge of the file, and
    ``ignore-file``, counts for the whole file. Codes may be beginnings, such as ``PS5``; without a
    code everything is left out.

    Args:
        source: The text of the file.
    """

    def __init__(self, source: str) -> None:
        self._file: set[str] = set()
        self._lines: dict[int, set[str]] = {}
        if "promptstore:" not in source:
            return
        block, indent = 0, 0
        for number, line in enumerate(source.split("\n"), 1):
            if block and (not line.strip() or len(line) - len(line.lstrip(" ")) > indent):
                # What looks like a comment in a text in block style is text.
                self._lines[number] = self._lines.get(block, set())
                continue
            if match := _COMMENT.search(line):
                is_alone = not line[: match.start()].strip()
                of_file = match["file"] or line.startswith("#")
                place = self._lines.setdefault(number + is_alone, set())
                (self._file if of_file else place).update(_read_codes(match["codes"]))
            block = number if _BLOCK.match(line) else 0
            indent = len(line) - len(line.lstrip(" -"))

    def hides(self, problem: Problem) -> bool:
        """Return whether a problem is left out."""
        hidden = self._file | self._lines.get(problem.line, set())
        return problem.code.startswith(tuple(hidden))


def _read_codes(text: str) -> set[str]:
    """Read the codes of a comment; a word that is no code is no wish to leave everything out."""
    if not text.strip():
        return {""}
    match = _CODES.match(text)
    return set(re.findall(r"PS\d+", match["codes"])) if match else set()
