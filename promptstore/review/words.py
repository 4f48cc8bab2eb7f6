"""What changed in a text, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from promptstore.compare.sequences import opcodes

Sort: TypeAlias = Literal["same", "removed", "added"]

_WORD: Final = re.compile(r"[^\S\n]*(?:\w+|[^\w\s])|\n|[^\S\n]+")
_MANY: Final = 20_000
_AROUND: Final = 2


class Piece(NamedTuple):
    """A piece of text that stayed, went or came.

    Attributes:
        sort: Which of the three.
        text: The text.
    """

    sort: Sort
    text: str


def compare_words(before: str, after: str) -> list[Piece]:
    """Compare two texts word by word.

    Args:
        before: The older one.
        after: The newer one.

    Returns:
        The pieces in order: without those added they make the older text, without those removed
        the newer one.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) > _MANY:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    for tag, i1, i2, j1, j2 in opcodes(old, new):
        if tag == "equal":
            pieces.append(Piece("same", "".join(old[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(Piece("removed", "".join(old[i1:i2])))
        if j2 > j1:
            pieces.append(Piece("added", "".join(new[j1:j2])))
    return pieces


def shortened(pieces: list[Piece]) -> Iterator[Piece]:
    """Leave out what stayed, but for the two lines around each change."""
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        lines = piece.text.split("\n")
        keep = (_AROUND + 1) * ((number > 0) + (number < last))
        if piece.sort != "same" or len(lines) <= keep + 1:
            yield piece
            continue
        head = lines[: _AROUND + 1] if number > 0 else []
        tail = lines[-_AROUND - 1 :] if number < last else []
        yield Piece("same", "\n".join([*head, "⋮", *tail]))
