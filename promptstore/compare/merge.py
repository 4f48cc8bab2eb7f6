"""Two edits of one prompt, merged by what they mean: by field, by variable, by message.

Only where both changed the same thing does it fall back to lines: of that one text, then of the
whole file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from promptstore.compare.sequences import (
    MARKER_SIZE,
    MergedLines,
    merge_lines,
    opcodes,
)
from promptstore.errors import PromptFileError, PromptStoreError
from promptstore.model.prompt import parse_content
from promptstore.model.values import as_key, equal_as_json
from promptstore.promptfile.editor import edit
from promptstore.promptfile.formatter import comments_of
from promptstore.promptfile.reader import loads


class Sides(NamedTuple):
    """The three files of a merge.

    Attributes:
        base: What both started from.
        ours: The one edit.
        theirs: The other edit.
    """

    base: bytes
    ours: bytes
    theirs: bytes


class MergeConflictError(Exception):
    """Both sides changed one thing, each in its own way; it never leaves the package."""


ABSENT: Final = object()
"""Stands for a value that a side does not have."""

_BOTH: Final = object()
_BY_KEY: Final = ("variables", "config", "metadata")


def merge_files(sides: Sides, path: str, *, marker_size: int = MARKER_SIZE) -> MergedLines:
    """Merge two edits of one prompt file.

    Args:
        sides: The three files.
        path: The file's path.
        marker_size: How many characters a conflict marker has.

    Returns:
        The merged file, with the comments of ours where it was merged by meaning. It is not called
        clean where lines fit together into a file that can no longer be read.
    """
    by_lines = merge_lines(*sides, marker_size=marker_size)
    try:
        merged = _merged(sides, path, by_lines.data if by_lines.is_clean else None)
    except (MergeConflictError, PromptStoreError):
        merged = None
    if merged is not None:
        return MergedLines(merged, is_clean=True)
    can_be_read = _content(by_lines.data, path) is not None or None in (
        _content(sides.ours, path),
        _content(sides.theirs, path),
    )
    return MergedLines(by_lines.data, is_clean=by_lines.is_clean and can_be_read)


def _merged(sides: Sides, path: str, by_lines: bytes | None) -> bytes | None:
    base, ours, theirs = (loads(data, path).content for data in sides)
    content = merge_mappings(base, ours, theirs, deep=False)
    if by_lines is not None and equal_as_json(_content(by_lines, path), content):
        return by_lines  # Lines keep the comments of both.
    if comments_of(sides.theirs, path) != comments_of(sides.base, path):
        return None  # An edit of ours would lose the comments of theirs.
    found = parse_content(content)
    return None if isinstance(found, list) else edit(sides.ours, found, path)


def _content(data: bytes, path: str) -> dict[str, Any] | None:
    try:
        return loads(data, path).content
    except PromptFileError:
        return None


def merge_mappings(base: Any, ours: Any, theirs: Any, *, deep: bool = True) -> dict[str, Any]:
    """Merge two edits of one JSON object, key by key; strings by their lines.

    Args:
        base: What both started from.
        ours: The one edit.
        theirs: The other edit.
        deep: Whether the objects in it are merged key by key too, and `messages` and `tags` are
            keys like any other. Otherwise it is the content of a prompt file.

    Returns:
        The merged object.

    Raises:
        MergeConflictError: Both changed one thing, each in its own way.
    """
    merged: dict[str, Any] = {}
    for key in dict.fromkeys([*ours, *theirs]):
        three = (side.get(key, ABSENT) for side in (base, ours, theirs))
        value = _key(key, *three, deep=deep)
        if value is not ABSENT:
            merged[key] = value
    return merged


def _key(key: str, base: Any, ours: Any, theirs: Any, *, deep: bool) -> Any:
    chosen = _chosen(base, ours, theirs)
    if chosen is not _BOTH:
        return chosen
    if isinstance(ours, dict) and isinstance(theirs, dict) and (deep or key in _BY_KEY):
        return merge_mappings(base if isinstance(base, dict) else {}, ours, theirs)
    if not deep and key in ("messages", "tags"):
        merge = merge_messages if key == "messages" else _tags
        return merge(base if isinstance(base, list) else [], ours, theirs)
    return merge_text_values(base, ours, theirs)


def _chosen(base: Any, ours: Any, theirs: Any) -> Any:
    """Return the side that changed, or `_BOTH` where both did and each is still there."""
    if _same(ours, theirs) or _same(base, theirs):
        return ours
    if _same(base, ours):
        return theirs
    if ABSENT in (ours, theirs):
        raise MergeConflictError
    return _BOTH


def merge_text_values(base: Any, ours: Any, theirs: Any) -> str:
    """Merge two edits of one string by its lines.

    Raises:
        MergeConflictError: Both changed the same lines, or one of the three is no string.
    """
    if not all(isinstance(side, str) for side in (base, ours, theirs)):
        raise MergeConflictError
    merged = merge_lines(base.encode(), ours.encode(), theirs.encode())
    if not merged.is_clean:
        raise MergeConflictError
    return merged.data.decode()


def _tags(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    gone = (set(base) - set(ours)) | (set(base) - set(theirs))
    return [tag for tag in dict.fromkeys([*ours, *theirs]) if tag not in gone]


def merge_messages(base: list[Any], ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Merge two lists of messages: each message of the base is a place, and between are gaps.

    Args:
        base: The messages that both started from, as plain JSON.
        ours: The one edit.
        theirs: The other edit.

    Returns:
        The merged messages.

    Raises:
        MergeConflictError: Both changed one message, or the same gap, each in its own way.
    """
    our_kept, our_gaps = _placed(base, ours)
    their_kept, their_gaps = _placed(base, theirs)
    merged = _gap(our_gaps[0], their_gaps[0])
    for index, message in enumerate(base):
        kept = _chosen(message, our_kept[index], their_kept[index])
        if kept is _BOTH:
            kept = merge_mappings(message, our_kept[index], their_kept[index])
        merged = [*merged, *([] if kept is ABSENT else [kept])]
        merged += _gap(our_gaps[index + 1], their_gaps[index + 1])
    return merged


def _placed(base: list[Any], side: list[Any]) -> tuple[list[Any], list[list[Any]]]:
    """Return what each message of the base became, and the new ones before each and at the end."""
    kept: list[Any] = [ABSENT] * len(base)
    gaps: list[list[Any]] = [[] for _ in range(len(base) + 1)]
    old, new = list(map(as_key, base)), list(map(as_key, side))
    for tag, i1, i2, j1, j2 in opcodes(old, new):
        if tag == "equal" or i2 - i1 == j2 - j1:
            kept[i1:i2] = side[j1:j2]
        elif tag == "insert":
            gaps[i1] += side[j1:j2]
        else:
            _pair(base, side, (i1, i2, j1, j2), kept, gaps)
    return kept, gaps


def _pair(
    base: list[Any],
    side: list[Any],
    span: tuple[int, int, int, int],
    kept: list[Any],
    gaps: list[list[Any]],
) -> None:
    """Pair messages of one role in order; the rest was removed or is new."""
    at, last, first, end = span
    places: dict[Any, list[int]] = defaultdict(list)
    for place in range(at, last):
        places[_kind(base[place])].append(place)
    for message in side[first:end]:
        alike = places[_kind(message)]
        index = bisect_left(alike, at)
        if index == len(alike):
            gaps[at].append(message)
        else:
            kept[alike[index]] = message
            at = alike[index] + 1


def _kind(message: Mapping[str, Any]) -> Any:
    return message.get("role") or ("insert", message.get("insert"))


def _gap(ours: list[Any], theirs: list[Any]) -> list[Any]:
    if not ours or not theirs or equal_as_json(ours, theirs):
        return ours or theirs
    raise MergeConflictError


def _same(one: Any, other: Any) -> bool:
    if ABSENT in (one, other):
        return one is other
    return equal_as_json(one, other)
