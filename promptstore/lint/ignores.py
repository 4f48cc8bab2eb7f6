"""``# promptstore: ignore PS203`` in a file."""

from __future__ import annotations

import re
from typing import Final

from promptstore.errors import Problem

_COMMENT: Final = re.compile(
    r"(?P<before>^|[ \t])#[ \t]*promptstore:[ \t]*ignore(?P<file>-file)?\b(?P<codes>[^#\n]*)"
)
_CODE: Final = re.compile(r"PS\d{3}")


class Ignores:
    """What the comments of one file ask to leave out.

    A comment at the end of a line, or alone on the line above, counts for that line; a comment at
    the left edge of the file, and ``ignore-file``, counts for the whole file. Without a code
    everything is left out.

    Args:
        source: The text of the file.
    """

    def __init__(self, source: str) -> None:
        self._file: set[str] = set()
        self._lines: dict[int, set[str]] = {}
        if "promptstore:" not in source:
            return
        for number, line in enumerate(source.split("\n"), 1):
            match = _COMMENT.search(line)
            if match:
                self._add(match, line, number)

    def hides(self, problem: Problem) -> bool:
        """Tell whether a problem is left out."""
        wanted = self._file | self._lines.get(problem.line, set())
        return problem.code in wanted or "*" in wanted

    def _add(self, match: re.Match[str], line: str, number: int) -> None:
        codes = set(_CODE.findall(match["codes"])) or {"*"}
        if match["file"] or line.startswith("#"):
            self._file |= codes
            return
        is_alone = not line[: match.start()].strip()
        self._lines.setdefault(number + is_alone, set()).update(codes)
