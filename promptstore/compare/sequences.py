"""Two sequences or strings → what stayed and what changed; three → what they are together."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Literal, NamedTuple, TypeAlias

from promptstore.git.linediff import Span, changed_spans

Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]

_AROUND: Final = 3
"""How many lines that stayed are shown around a change."""

MARKER_SIZE: Final = 7
"""How long conflict markers are, where nobody wants something else."""

_WORD: Final = re.compile(r"[^\S\n]*(?:\w+|[^\w\s])|\n|[^\S\n]+")


def opcodes(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Opcode]:
    """Return how one sequence becomes another.

    Git compares them, each item as a line; its time stays bounded where that of difflib grows with
    the square of what repeats.

    Args:
        old: The older sequence.
        new: The newer one.

    Returns:
        The steps in order, in the form of `difflib.SequenceMatcher.get_opcodes`.
    """
    steps: list[Opcode] = []
    at_old = at_new = 0
    for i1, i2, j1, j2 in [*_spans(old, new), Span(len(old), len(old), len(new), len(new))]:
        if at_old < i1:
            steps.append(("equal", at_old, i1, at_new, j1))
        if i1 < i2 or j1 < j2:
            tag: Literal["replace", "delete", "insert"]
            tag = "insert" if i1 == i2 else "delete" if j1 == j2 else "replace"
            steps.append((tag, i1, i2, j1, j2))
        at_old, at_new = i2, j2
    return steps


def _spans(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Span]:
    numbers: dict[Hashable, int] = {}

    def as_lines(items: Sequence[Hashable]) -> bytes:
        lines = (f"{numbers.setdefault(item, len(numbers))}\n" for item in items)
        return "".join(lines).encode()

    return changed_spans(as_lines(old), as_lines(new))


def unified_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a unified diff, without the two lines of file names."""
    hunks: list[list[Span]] = []
    for span in _spans(old, new):
        if hunks and span.old_start - hunks[-1][-1].old_end <= 2 * _AROUND:
            hunks[-1].append(span)
        else:
            hunks.append([span])
    for hunk in hunks:
        i1, i2 = max(0, hunk[0].old_start - _AROUND), min(len(old), hunk[-1].old_end + _AROUND)
        j1, j2 = max(0, hunk[0].new_start - _AROUND), min(len(new), hunk[-1].new_end + _AROUND)
        yield f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@"
        for span in hunk:
            yield from (f" {line}" for line in old[i1 : span.old_start])
            yield from (f"-{line}" for line in old[span.old_start : span.old_end])
            yield from (f"+{line}" for line in new[span.new_start : span.new_end])
            i1 = span.old_end
        yield from (f" {line}" for line in old[i1:i2])


def _range(start: int, end: int) -> str:
    count = end - start
    first = start + 1 if count else start
    return f"{first}" if count == 1 else f"{first},{count}"


class _Conflict(NamedTuple):
    """Lines that both sides of a merge changed, each in its own way."""

    ours: list[bytes]
    theirs: list[bytes]


@dataclass(slots=True)
class _Side:
    """The changes of one side of a merge, walked through along the base."""

    spans: list[Span]
    offset: int = 0
    next: int = 0

    def take(self, end: int) -> int:
        """Take the changes that begin up to a place of the base; return where they end there."""
        while self.next < len(self.spans) and self.spans[self.next].old_start <= end:
            span = self.spans[self.next]
            end = max(end, span.old_end)
            self.offset = span.new_end - span.old_end
            self.next += 1
        return end

    @property
    def start(self) -> float:
        return self.spans[self.next].old_start if self.next < len(self.spans) else float("inf")


def _merged(
    base: list[bytes], ours: list[bytes], theirs: list[bytes]
) -> Iterator[list[bytes] | _Conflict]:
    """Yield the parts of a three-way merge; changes that touch each other are one, as in git."""
    left, right = _Side(_spans(base, ours)), _Side(_spans(base, theirs))
    at = 0
    while (found := min(left.start, right.start)) < float("inf"):
        start = end = int(found)
        yield base[at:start]
        offsets = left.offset, right.offset
        taken = left.next, right.next
        while True:
            reached = right.take(left.take(end))
            if reached == end and min(left.start, right.start) > end:
                break
            end = reached
        one = ours[start + offsets[0] : end + left.offset]
        other = theirs[start + offsets[1] : end + right.offset]
        if taken[1] == right.next or one == other:
            yield one
        elif taken[0] == left.next:
            yield other
        else:
            yield _Conflict(one, other)
        at = end
    yield base[at:]


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
    """Return the unified diff of two strings; a last line end is shown only where it changed."""
    old, new = _lines(before), _lines(after)
    if before and after and before.endswith("\n") != after.endswith("\n"):
        marked = old if after.endswith("\n") else new
        marked[-1] += "\n\\ No newline at end"
    return "\n".join(unified_lines(old, new))


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def compare_words(before: str, after: str) -> list[Piece]:
    """Compare two strings word by word.

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
    parts = [*_merged(_split(base), _split(ours), _split(theirs))]
    end = b"\r\n" if ours.partition(b"\n")[0].endswith(b"\r") else b"\n"
    written: list[bytes] = []
    for part in parts:
        written += _with_markers(part, marker_size, end) if isinstance(part, _Conflict) else part
    return MergedLines(b"".join(written), not any(isinstance(part, _Conflict) for part in parts))


def _split(data: bytes) -> list[bytes]:
    *lines, last = data.split(b"\n")
    return [*(line + b"\n" for line in lines), *([last] if last else [])]


def _with_markers(conflict: _Conflict, size: int, end: bytes) -> Iterator[bytes]:
    """Yield the lines of a conflict; what both sides begin or end with is outside of it."""
    ours, theirs = conflict
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
