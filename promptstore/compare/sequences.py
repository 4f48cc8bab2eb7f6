"""Two sequences → what stayed and what changed, in a time that stays bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal, TypeAlias

Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]

_MOST_PAIRS: Final = 2_000_000


def opcodes(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Opcode]:
    """Find how one sequence becomes another.

    The time that difflib takes grows with the pairs of equal items, so what both begin and end
    with is set aside first. Where too many pairs are left, such as of one line a hundred thousand
    times, all between is one change.

    Args:
        old: The older sequence.
        new: The newer one.

    Returns:
        The steps in order, as `difflib.SequenceMatcher.get_opcodes` gives them.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old_end, new_end = len(old) - tail, len(new) - tail
    found: list[Opcode] = [("equal", 0, head, 0, head)] if head else []
    for tag, i1, i2, j1, j2 in _between(old[head:old_end], new[head:new_end]):
        found.append((tag, head + i1, head + i2, head + j1, head + j2))
    if tail:
        found.append(("equal", old_end, len(old), new_end, len(new)))
    return found


def _common(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    pairs = zip(one, other, strict=False)
    ends = (place for place, (left, right) in enumerate(pairs) if left != right)
    return next(ends, min(len(one), len(other)))


def _between(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Opcode]:
    if not old and not new:
        return []
    if not old or not new:
        return [("delete" if old else "insert", 0, len(old), 0, len(new))]
    counts = Counter(new)
    if sum(counts[item] for item in old) > _MOST_PAIRS:
        return [("replace", 0, len(old), 0, len(new))]
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
