"""Two sequences → what stayed and what changed; three → what they are together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from promptstore.git.linediff import Span, changed_spans

Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]
Item = TypeVar("Item")


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


def unified_lines(old: Sequence[str], new: Sequence[str], context: int = 3) -> Iterator[str]:
    """Yield the lines of a unified diff, without the two lines of file names.

    Args:
        old: The older lines.
        new: The newer lines.
        context: How many lines that stayed are shown around a change.
    """
    for hunk in _hunks(_spans(old, new), 2 * context):
        i1, i2 = max(0, hunk[0].old_start - context), min(len(old), hunk[-1].old_end + context)
        j1, j2 = max(0, hunk[0].new_start - context), min(len(new), hunk[-1].new_end + context)
        yield f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@"
        for span in hunk:
            yield from (f" {line}" for line in old[i1 : span.old_start])
            yield from (f"-{line}" for line in old[span.old_start : span.old_end])
            yield from (f"+{line}" for line in new[span.new_start : span.new_end])
            i1 = span.old_end
        yield from (f" {line}" for line in old[i1:i2])


def _hunks(spans: Sequence[Span], gap: int) -> list[list[Span]]:
    hunks: list[list[Span]] = []
    for span in spans:
        if hunks and span.old_start - hunks[-1][-1].old_end <= gap:
            hunks[-1].append(span)
        else:
            hunks.append([span])
    return hunks


def _range(start: int, end: int) -> str:
    count = end - start
    first = start + 1 if count else start
    return f"{first}" if count == 1 else f"{first},{count}"


@dataclass(frozen=True, slots=True)
class Region(Generic[Item]):
    """A part of a three-way merge that at least one side changed.

    Attributes:
        base: What both started from.
        ours: What the one side made of it.
        theirs: What the other side made of it.
    """

    base: Sequence[Item]
    ours: Sequence[Item]
    theirs: Sequence[Item]


@dataclass(slots=True)
class _Side(Generic[Item]):
    """One side of a merge, walked through along the base."""

    items: Sequence[Item]
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


def merge_sequences(
    base: Sequence[Item],
    ours: Sequence[Item],
    theirs: Sequence[Item],
    key: Callable[[Item], Hashable],
) -> Iterator[Sequence[Item] | Region[Item]]:
    """Yield the parts of a three-way merge in order.

    Changes that touch each other belong together, as git sees it.

    Args:
        base: What both started from.
        ours: The one side.
        theirs: The other side.
        key: What two items are compared by.

    Yields:
        Items that are settled: those that nobody changed, one side changed, or both alike; and as
        a `Region` what both changed, each in its own way.
    """
    keys = [[*map(key, items)] for items in (base, ours, theirs)]
    left, right = _Side(ours, _spans(keys[0], keys[1])), _Side(theirs, _spans(keys[0], keys[2]))
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
        if taken[1] == right.next or [*map(key, one)] == [*map(key, other)]:
            yield one
        elif taken[0] == left.next:
            yield other
        else:
            yield Region(base[start:end], one, other)
        at = end
    yield base[at:]
