"""The difference of two texts by lines, as git itself finds it."""

from __future__ import annotations

from typing import NamedTuple

import pygit2


class Span(NamedTuple):
    """Lines of one text that became lines of another; counted from 0, ends not included.

    Attributes:
        old_start: The first line in the older text.
        old_end: The line behind the last one there.
        new_start: The first line in the newer text.
        new_end: The line behind the last one there.
    """

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def changed_spans(old: bytes, new: bytes) -> list[Span]:
    """Return the lines that differ, in a time that stays bounded for any two texts.

    Args:
        old: The older text.
        new: The newer text.

    Returns:
        The spans in order; between them the texts are the same.
    """
    options = pygit2.enums.DiffOption.FORCE_TEXT
    patch = pygit2.Patch.create_from(old, new, context_lines=0, flag=options)
    return [
        Span(
            *_bounds(hunk.old_start, hunk.old_lines),
            *_bounds(hunk.new_start, hunk.new_lines),
        )
        for hunk in patch.hunks
    ]


def _bounds(start: int, count: int) -> tuple[int, int]:
    # Git counts lines from 1, and an empty span by the line before it.
    first = start - 1 if count else start
    return first, first + count
