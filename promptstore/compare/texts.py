"""Two texts by lines and by words, and three of them as one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final, Literal, NamedTuple

from promptstore.compare.sequences import Region, merge_sequences, opcodes, unified_lines

MARKER_SIZE: Final = 7
"""How long conflict markers are, where nobody wants something else."""

_WORD: Final = re.compile(r"[^\S\n]*(?:\w+|[^\w\s])|\n|[^\S\n]+")


class MergedLines(NamedTuple):
    """What a merge made.

    Attributes:
        data: The result; with conflict markers where both sides changed the same lines.
        is_clean: Whether there are none.
    """

    data: bytes
    is_clean: bool


class Piece(NamedTuple):
    """A piece of text that stayed, went or came.

    Attributes:
        sort: Which of the three.
        text: The text.
    """

    sort: Literal["same", "removed", "added"]
    text: str


def unified(before: str, after: str) -> str:
    """Return the unified diff of two texts; a last line end is told only where it changed."""
    old, new = _lines(before), _lines(after)
    if before and after and before.endswith("\n") != after.endswith("\n"):
        marked = old if after.endswith("\n") else new
        marked[-1] += "\n\\ No newline at end"
    return "\n".join(unified_lines(old, new))


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


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


def merge_texts(base: str, ours: str, theirs: str) -> str | None:
    """Merge two texts that grew from one, line by line.

    Args:
        base: What both grew from.
        ours: One of them.
        theirs: The other.

    Returns:
        The merged text, or None where both changed the same lines.
    """
    merged = merge_lines(base.encode(), ours.encode(), theirs.encode())
    return merged.data.decode() if merged.is_clean else None


def merge_lines(
    base: bytes, ours: bytes, theirs: bytes, *, marker_size: int = MARKER_SIZE
) -> MergedLines:
    """Merge two edits of one file by lines, as ``git merge-file`` does.

    Args:
        base: What both started from.
        ours: The one edit.
        theirs: The other edit.
        marker_size: How many characters a conflict marker has.

    Returns:
        The result.
    """
    parts = [*merge_sequences(_split(base), _split(ours), _split(theirs), key=bytes)]
    end = b"\r\n" if ours.partition(b"\n")[0].endswith(b"\r") else b"\n"
    written: list[bytes] = []
    for part in parts:
        written += _with_markers(part, marker_size, end) if isinstance(part, Region) else part
    return MergedLines(b"".join(written), not any(isinstance(part, Region) for part in parts))


def _split(data: bytes) -> list[bytes]:
    *lines, last = data.split(b"\n")
    return [*(line + b"\n" for line in lines), *([last] if last else [])]


def _with_markers(region: Region[bytes], size: int, end: bytes) -> Iterator[bytes]:
    """Yield the lines of a conflict; what both sides begin or end with is outside of it."""
    ours, theirs = region.ours, region.theirs
    head = _common(ours, theirs)
    tail = _common(ours[head:][::-1], theirs[head:][::-1])
    yield from ours[:head]
    yield b"<" * size + b" ours" + end
    yield from _ended(ours[head : len(ours) - tail], end)
    yield b"=" * size + end
    yield from _ended(theirs[head : len(theirs) - tail], end)
    yield b">" * size + b" theirs" + end
    yield from ours[len(ours) - tail :]


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _ended(lines: Sequence[bytes], end: bytes) -> Iterator[bytes]:
    yield from (line if line.endswith(b"\n") else line + end for line in lines)
