"""What is done to a finished text: line numbers, the longest length, letters that can be encoded.

A text that is too long keeps its first lines and evenly spread ones of the others. Nothing is
random, so the same event always gives the same text. There may be a line for every few characters,
so the lines are never all held at the same time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import floor
from typing import Final

from promptstore.formatters.shortening import Marker, Piece

_HEAD: Final = 5  # lines that are always kept
_ATTEMPTS: Final = 10
_BLOCK: Final = 1 << 16  # characters, and lines, that are looked at at a time


def finish(pieces: Sequence[Piece], *, numbered: bool, max_length: int) -> tuple[str, bool]:
    """Put the pieces of a text together.

    Args:
        pieces: The pieces; only a line feed, or the end of a piece, ends a line.
        numbered: Whether each line starts with its number, as wide as the last one's.
        max_length: The longest length in characters; 0 is no limit.

    Returns:
        The text and whether it was too long. Of such a text there are its first lines, a note and
        evenly spread lines, or, where not even those fit, its first characters.
    """
    pieces = _joined(pieces)
    if not numbered and (max_length == 0 or sum(map(len, pieces)) + len(pieces) - 1 <= max_length):
        return "\n".join(map(str, pieces)), False
    page = _Page(pieces, numbered=numbered)
    if max_length == 0 or page.length <= max_length:
        return page.text(), False
    sample = _sampled(page, max_length) if page.count > _HEAD else None
    return sample or page.text()[:max_length], True


def make_encodable(text: str) -> str:
    """Write lone surrogates, which UTF-8 cannot hold, as their escapes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


class _Page:
    """The lines of a text that is not put together yet."""

    def __init__(self, pieces: Sequence[Piece], *, numbered: bool) -> None:
        self._pieces = pieces
        self._block: list[Piece] = []  # all lines, where they are one block
        self.lengths = array("Q")  # of each line, without its number
        for first, lines in _blocks(pieces):
            self.lengths.extend(map(len, lines))
            self._block = [] if first else lines
        self.count = len(self.lengths)
        digits = len(str(self.count))
        self._ten = 10**digits if numbered else 0  # added to a number to pad it with zeros
        self.margin = len("L: ") + digits if numbered else 0
        self.length = sum(self.lengths) + self.count * (self.margin + 1) - 1

    def text(self) -> str:
        """Put all lines together."""
        if not self._ten:
            return "\n".join(map(str, self._pieces))
        blocks = [
            self._written(range(first, first + len(lines)), first, lines) for first, lines in self
        ]
        return "\n".join(["\n".join(block) for block in blocks])

    def pick(self, places: Sequence[int]) -> list[str]:
        """Write the lines at some places, of which each is behind the one before."""
        found: list[str] = []
        start = 0
        for first, lines in self:
            end = bisect_left(places, first + len(lines), start)
            found += self._written(places[start:end], first, lines)
            start = end
        return found

    def __iter__(self) -> Iterator[tuple[int, list[Piece]]]:
        return iter([(0, self._block)]) if self._block else _blocks(self._pieces)

    def _written(self, places: Sequence[int], first: int, lines: Sequence[Piece]) -> list[str]:
        if not self._ten:
            return [str(lines[place - first]) for place in places]
        start = self._ten + 1
        return [  # a slice is twice as fast as a format with zeros
            f"L{str(start + place)[1:]}: {lines[place - first]!s}" for place in places
        ]


def _blocks(pieces: Sequence[Piece]) -> Iterator[tuple[int, list[Piece]]]:
    """Split pieces into lines, some at a time, each time with the place of the first line."""
    first = 0
    block: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Marker) or "\n" not in piece:
            block.append(piece)
        elif len(piece) <= _BLOCK:
            block += piece.split("\n")
        else:
            for part in _parts(piece):
                if block:
                    yield first, block
                first += len(block)
                block = [*part.split("\n")]
        if len(block) > _BLOCK:
            yield first, block
            first += len(block)
            block = []
    if block:
        yield first, block


def _parts(text: str) -> Iterator[str]:
    """Cut a long text in parts of whole lines."""
    start = 0
    while (end := text.find("\n", start + _BLOCK)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _joined(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Make one piece of them where none is a marker: that is split again much faster."""
    try:
        return ["\n".join(pieces)]  # type: ignore[arg-type]
    except TypeError:
        return pieces


def _sampled(page: _Page, max_length: int) -> str:
    """Write the first lines, a note and evenly spread lines; nothing where there is no room."""
    others, extra = page.count - _HEAD, page.margin + 1  # each has its number and a line feed
    head = sum(page.lengths[:_HEAD]) + _HEAD * extra
    room = max_length - (head + len(_note(1, page.count)) + 1)
    count = floor(room / ((page.length + 1 - head) / others))
    if room <= 0 or count >= others:
        return ""
    places = _spread(others, max(count, 1))
    for _ in range(_ATTEMPTS):
        taken = sum(map(page.lengths.__getitem__, places)) + len(places) * extra
        length = head + len(_note(len(places) / others, page.count)) + taken
        if length <= max_length:
            break
        count = floor(len(places) * ((max_length / length) * 0.9))
        places = _spread(others, max(count, 1))
    lines = page.pick([*range(_HEAD), *places])
    lines.insert(2, _note(len(places) / others, page.count))
    return "\n".join(lines)[:max_length]


def _spread(total: int, count: int) -> list[int]:
    """Choose the places of so many of the lines behind the first ones, evenly spread."""
    step = total / count
    return [_HEAD + int(index * step) for index in range(count)]


def _note(part: float, lines: int) -> str:
    return (
        f"[SAMPLED VIEW: Showing ~{part * 100:.0f}% of {lines:,} lines. "
        "Gaps in line numbers indicate omitted content.]"
    )
