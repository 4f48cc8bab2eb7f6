"""A three-way merge of lines, as git makes one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from promptstore.compare.sequences import opcodes

MARKER_SIZE: Final = 7
"""How long conflict markers are, where nobody wants something else."""


class MergedLines(NamedTuple):
    """What a merge made.

    Attributes:
        data: The result; with conflict markers where both sides changed the same lines.
        is_clean: Whether there are none.
    """

    data: bytes
    is_clean: bool


class _Change(NamedTuple):
    """Lines of the base and what one side has in their place, as the numbers of lines."""

    start: int
    end: int
    new_start: int
    new_end: int


def merge_lines(
    base: bytes, ours: bytes, theirs: bytes, *, marker_size: int = MARKER_SIZE
) -> MergedLines:
    """Merge two edits of one file by lines.

    Args:
        base: What both started from.
        ours: The one edit.
        theirs: The other edit.
        marker_size: How many characters a conflict marker has.

    Returns:
        The result.
    """
    old, one, other = (_split(data) for data in (base, ours, theirs))
    merged: list[bytes] = []
    is_clean = True
    place = 0
    for left, right in _regions(_changes(old, one), _changes(old, other)):
        start = min(change.start for change in (*left, *right))
        end = max(change.end for change in (*left, *right))
        ours_here, theirs_here = _side(one, left, start, end), _side(other, right, start, end)
        merged += old[place:start]
        place = end
        if left and right and ours_here != theirs_here:
            is_clean = False
            merged += _conflict(ours_here, theirs_here, marker_size)
        else:
            merged += ours_here if left else theirs_here
    return MergedLines(b"".join([*merged, *old[place:]]), is_clean)


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


def _split(data: bytes) -> list[bytes]:
    *lines, last = data.split(b"\n")
    return [*(line + b"\n" for line in lines), *([last] if last else [])]


def _changes(old: list[bytes], new: list[bytes]) -> list[_Change]:
    return [_Change(*places) for tag, *places in opcodes(old, new) if tag != "equal"]


def _regions(
    left: list[_Change], right: list[_Change]
) -> Iterator[tuple[list[_Change], list[_Change]]]:
    """Put changes together that overlap or touch, by side."""
    waiting = sorted(
        [*((change, 0) for change in left), *((change, 1) for change in right)],
        key=lambda pair: pair[0],
    )
    while waiting:
        region: tuple[list[_Change], list[_Change]] = [], []
        end = waiting[0][0].start
        while waiting and waiting[0][0].start <= end:
            change, side = waiting.pop(0)
            region[side].append(change)
            end = max(end, change.end)
        yield region


def _side(lines: list[bytes], changes: list[_Change], start: int, end: int) -> list[bytes]:
    """Cut out what one side has in the place of the base's lines from start to end."""
    if not changes:
        return []
    first, last = changes[0], changes[-1]
    return lines[first.new_start - (first.start - start) : last.new_end + (end - last.end)]


def _conflict(ours: list[bytes], theirs: list[bytes], marker_size: int) -> list[bytes]:
    """Mark what differs between two sides; what both begin and end with stands outside."""
    steps = opcodes(ours, theirs)
    head = steps[0][2] if steps[0][0] == "equal" else 0
    tail = len(ours) - steps[-1][1] if steps[-1][0] == "equal" else 0
    marks = [mark * marker_size for mark in (b"<", b"=", b">")]
    return [
        *ours[:head],
        marks[0] + b" ours\n",
        *_ended(ours[head : len(ours) - tail]),
        marks[1] + b"\n",
        *_ended(theirs[head : len(theirs) - tail]),
        marks[2] + b" theirs\n",
        *ours[len(ours) - tail :],
    ]


def _ended(lines: list[bytes]) -> list[bytes]:
    return [line if line.endswith(b"\n") else line + b"\n" for line in lines]
