"""``# promptstore: ignore PS203`` in a file."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from promptstore.errors import Problem

_COMMENT: Final = re.compile(
    r"(?:^|[ \t])#[ \t]*promptstore:[ \t]*ignore(?P<file>-file)?(?![\w-])(?P<codes>[^#\n]*)"
)
_CODES: Final = re.compile(r"[\s:]*(?P<codes>(?:PS\d+[\s,]*)+)(?:\s|$)")
_BLOCK: Final = re.compile(r"[:-][ \t]+[|>][-+0-9]*[ \t]*(?:#.*)?$")


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
        block: _Block | None = None
        for number, line in enumerate(source.split("\n"), 1):
            if block is not None and block.holds(line):
                self._lines.setdefault(number, set()).update(self._lines.get(block.line, ()))
                continue
            match = _COMMENT.search(line)
            if match:
                self._add(match, line, number)
            block = _begun(line, number)

    def hides(self, problem: Problem) -> bool:
        """Return whether a problem is left out."""
        wanted = self._file | self._lines.get(problem.line, set())
        return problem.code.startswith(tuple(wanted))

    def _add(self, match: re.Match[str], line: str, number: int) -> None:
        beginnings = _beginnings(match["codes"])
        if match["file"] or line.startswith("#"):
            self._file |= beginnings
            return
        is_alone = not line[: match.start()].strip()
        self._lines.setdefault(number + is_alone, set()).update(beginnings)


class _Block(NamedTuple):
    """A text in block style, such as ``prompt: |``; what looks like a comment there is text.

    Attributes:
        line: The number of the line that begins it.
        indent: How far the key on that line is indented.
    """

    line: int
    indent: int

    def holds(self, line: str) -> bool:
        """Return whether a line behind the first belongs to the text."""
        return not line.strip() or len(line) - len(line.lstrip(" ")) > self.indent


def _begun(line: str, number: int) -> _Block | None:
    header = _BLOCK.search(line)
    if header is None or "#" in line[: header.start()]:
        return None
    return _Block(number, len(line) - len(line.lstrip(" -")))


def _beginnings(text: str) -> set[str]:
    """Read the codes of a comment; a word that is no code is no wish to leave everything out."""
    if not text.strip():
        return {""}
    match = _CODES.match(text)
    return set(re.findall(r"PS\d+", match["codes"])) if match else set()
