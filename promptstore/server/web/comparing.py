"""Two texts beside each other: the lines that belong together, and the words that differ."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Final, Literal, NamedTuple

from promptstore.compare.diff import diff_prompts
from promptstore.compare.sequences import Piece, compare_words, opcodes
from promptstore.model.prompt import Prompt

_AROUND: Final = 3
"""How many lines that stayed are shown around a change."""

_MOST_CHARACTERS: Final = 4_000
"""Up to which length two lines are compared word by word."""

MOST_ROWS: Final = 2_000
"""How many rows one comparison shows."""


_MOST_COMPARED: Final = 400_000
"""Up to how many characters a text is compared."""


class Line(NamedTuple):
    """One line of a side.

    Attributes:
        number: Its number, from 1.
        pieces: Its text in pieces.
    """

    number: int
    pieces: list[Piece]


class Row(NamedTuple):
    """One row of a comparison.

    Attributes:
        old: The line of the older text, or None.
        new: The line of the newer text, or None.
        left_out: How many equal lines are not shown here; such a row has no lines.
    """

    old: Line | None = None
    new: Line | None = None
    left_out: int = 0


def comparison(before: Prompt, after: Prompt) -> dict[str, Any]:
    """Return what a page is given to show what changed between two prompts."""
    diff = diff_prompts(before, after)
    texts = [
        (
            text.title,
            side_by_side(text.before[:_MOST_COMPARED], text.after[:_MOST_COMPARED]),
            compare_words(text.before[:_MOST_COMPARED], text.after[:_MOST_COMPARED]),
        )
        for text in diff.texts
    ]
    return {"changes": diff.changes, "texts": texts}


def side_by_side(before: str, after: str) -> list[Row]:
    """Return two texts as rows; long runs of equal lines are left out, and so is a very long rest.

    Args:
        before: The older text.
        after: The newer one.
    """
    if before.endswith("\n") and after.endswith("\n"):
        before, after = before[:-1], after[:-1]
    old, new = before.split("\n"), after.split("\n")
    rows: list[Row] = []
    steps = opcodes(old, new)
    for tag, i1, i2, j1, j2 in steps:
        if len(rows) > MOST_ROWS:
            rows.append(Row(left_out=len(old) - i1))
            break
        if tag != "equal":
            rows += _changed(old[i1:i2], new[j1:j2], i1 + 1, j1 + 1)
            continue
        equal = [
            Row(_whole(old[i], i + 1, "same"), _whole(old[i], j1 + i - i1 + 1, "same"))
            for i in range(i1, i2)
        ]
        head = _AROUND if i1 else 0
        tail = _AROUND if i2 < len(old) or j2 < len(new) else 0
        if len(equal) > head + tail + 1:
            left_out = Row(left_out=len(equal) - head - tail)
            equal = [*equal[:head], left_out, *equal[len(equal) - tail :]]
        rows += equal
    return rows


def _changed(old: list[str], new: list[str], old_start: int, new_start: int) -> list[Row]:
    rows: list[Row] = []
    for number, (one, other) in enumerate(zip_longest(old, new)):
        if one is None or other is None:
            left = None if one is None else _whole(one, old_start + number, "removed")
            right = None if other is None else _whole(other, new_start + number, "added")
        elif len(one) + len(other) > _MOST_CHARACTERS:
            left = _whole(one, old_start + number, "removed")
            right = _whole(other, new_start + number, "added")
        else:
            pieces = compare_words(one, other)
            left = Line(old_start + number, [piece for piece in pieces if piece.sort != "added"])
            right = Line(new_start + number, [piece for piece in pieces if piece.sort != "removed"])
        rows.append(Row(left, right))
    return rows


def _whole(text: str, number: int, sort: Literal["same", "removed", "added"]) -> Line:
    return Line(number, [Piece(sort, text)])
