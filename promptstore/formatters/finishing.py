"""What is done to a finished text: line numbers, the longest length, letters that can be encoded.

A text that is too long keeps its first lines and evenly spread ones of the others. Nothing is
random, so the same event always gives the same text. There may be a line for every few characters,
so the lines are never all held at the same time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
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
    if not numbered:
        text = _joined(pieces)
        if max_length == 0 or len(text) <= max_length:
            return text, False
        del text  # not held beside the sample
    page = _Page(pieces or [""], numbered=numbered)
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
        self.count = len(pieces) + sum(
            [piece.count("\n") for piece in pieces if isinstance(piece, str)]
        )
        digits = len(str(self.count))
        self._form = f"L%0{digits}d: %s" if numbered else ""
        self.margin = len("L: ") + digits if numbered else 0
        self.length = _total(pieces) + self.margin * self.count

    def text(self) -> str:
        """Put all lines together."""
        if not self._form:
            return _joined(self._pieces)
        return "\n".join(
            ["\n".join(self._written(enumerate(lines, first))) for first, lines in self._blocks()]
        )

    def lengths(self) -> array[int]:
        """Measure each line, without its number."""
        lengths = array("Q")
        for _, lines in self._blocks():
            lengths.extend(map(len, lines))
        return lengths

    def pick(self, places: Iterable[int]) -> list[str]:
        """Write the lines at some places, of which each is behind the one before."""
        return self._written(self._found(iter(places)))

    def _found(self, places: Iterator[int]) -> Iterator[tuple[int, Piece]]:
        place = next(places, self.count)
        for first, lines in self._blocks():
            while place < first + len(lines):
                yield place, lines[place - first]
                place = next(places, self.count)

    def _written(self, lines: Iterable[tuple[int, Piece]]) -> list[str]:
        if not self._form:
            return [str(line) for _, line in lines]
        form = self._form
        return [form % (place + 1, line) for place, line in lines]

    def _blocks(self) -> Iterator[tuple[int, Sequence[Piece]]]:
        """Split the pieces into lines, some at a time, each time with the place of the first."""
        first = 0
        block: list[Piece] = []
        for piece in self._pieces:
            if isinstance(piece, Marker):
                block.append(piece)
                continue
            for part in (piece,) if len(piece) <= _BLOCK else _parts(piece):
                block += part.split("\n")
                if len(block) > _BLOCK:
                    yield first, block
                    first += len(block)
                    block = []
        yield first, block


def _total(pieces: Sequence[Piece]) -> int:
    return sum(map(len, pieces)) + max(len(pieces) - 1, 0)


def _joined(pieces: Sequence[Piece]) -> str:
    try:
        return "\n".join(pieces)  # type: ignore[arg-type]  # there is seldom a marker
    except TypeError:
        return "\n".join(map(str, pieces))


def _parts(text: str) -> Iterator[str]:
    """Cut a long text in parts of whole lines."""
    start = 0
    while (end := text.find("\n", start + _BLOCK)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _sampled(page: _Page, max_length: int) -> str:
    """Write the first lines, a note and evenly spread lines; nothing where there is no room."""
    lengths = page.lengths()
    body, extra = lengths[_HEAD:], page.margin + 1  # the number and the line feed
    head = sum(lengths[:_HEAD]) + _HEAD * extra
    room = max_length - (head + len(_note(1, page.count)) + 1)
    count = floor(room / ((sum(body) + len(body) * extra) / len(body)))
    if room <= 0 or count >= len(body):
        return ""
    count = max(count, 1)
    for _ in range(_ATTEMPTS):
        taken = sum([body[place] for place in _spread(len(body), count)]) + count * extra
        length = head + len(_note(count / len(body), page.count)) + taken
        if length <= max_length:
            break
        count = max(floor(count * ((max_length / length) * 0.9)), 1)
    places = (_HEAD + place for place in _spread(len(body), count))
    lines = page.pick(chain(range(_HEAD), places))
    lines.insert(2, _note(count / len(body), page.count))
    return "\n".join(lines)[:max_length]


def _spread(total: int, count: int) -> Iterator[int]:
    """Choose so many of the places, evenly spread."""
    step = total / count
    return (int(index * step) for index in range(count))


def _note(part: float, lines: int) -> str:
    return (
        f"[SAMPLED VIEW: Showing ~{part * 100:.0f}% of {lines:,} lines. "
        "Gaps in line numbers indicate omitted content.]"
    )
