"""Two edits of one prompt, merged by what they mean: by field, by variable, by message.

Only where both changed the same thing does it fall back to lines: of that one text, then of the
whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from promptstore.compare.sequences import opcodes
from promptstore.errors import PromptFileError, PromptStoreError
from promptstore.git import MARKER_SIZE, MergedLines, merge_lines, merge_texts
from promptstore.model.prompt import parse_content
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


class _ConflictError(Exception):
    """Both sides changed one thing, each in its own way."""


_ABSENT: Final = object()
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
    except (_ConflictError, PromptStoreError):
        merged = None
    if merged is not None:
        return MergedLines(merged, is_clean=True)
    broke = (
        _reads(sides.ours, path) and _reads(sides.theirs, path) and not _reads(by_lines.data, path)
    )
    return MergedLines(by_lines.data, is_clean=by_lines.is_clean and not broke)


def _merged(sides: Sides, path: str, by_lines: bytes | None) -> bytes | None:
    base, ours, theirs = (loads(data, path).content for data in sides)
    content = _mapping(base, ours, theirs)
    if by_lines is not None and _says(by_lines, content, path):
        return by_lines  # Lines keep the comments of both.
    if comments_of(sides.theirs, path) != comments_of(sides.base, path):
        return None  # An edit of ours would lose the comments of theirs.
    found = parse_content(content)
    return None if isinstance(found, list) else edit(sides.ours, found, path)


def _reads(data: bytes, path: str) -> bool:
    try:
        loads(data, path)
    except PromptFileError:
        return False
    return True


def _says(data: bytes, content: dict[str, Any], path: str) -> bool:
    try:
        return loads(data, path).content == content
    except PromptFileError:
        return False


def _mapping(base: Any, ours: Any, theirs: Any, *, deep: bool = False) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in dict.fromkeys([*ours, *theirs]):
        three = (side.get(key, _ABSENT) for side in (base, ours, theirs))
        value = _key(key, *three, deep=deep)
        if value is not _ABSENT:
            merged[key] = value
    return merged


def _key(key: str, base: Any, ours: Any, theirs: Any, *, deep: bool) -> Any:
    chosen = _chosen(base, ours, theirs)
    if chosen is not _BOTH:
        return chosen
    if isinstance(ours, dict) and isinstance(theirs, dict) and (deep or key in _BY_KEY):
        return _mapping(base if isinstance(base, dict) else {}, ours, theirs, deep=True)
    if deep:
        return _text(base, ours, theirs)
    if key == "messages":
        return _messages(base if isinstance(base, list) else [], ours, theirs)
    if key == "tags":
        return _tags(base if isinstance(base, list) else [], ours, theirs)
    return _text(base, ours, theirs)


def _chosen(base: Any, ours: Any, theirs: Any) -> Any:
    """Choose the side that changed, or `_BOTH` where both did and each is still there."""
    if _same(ours, theirs) or _same(base, theirs):
        return ours
    if _same(base, ours):
        return theirs
    if _ABSENT in (ours, theirs):
        raise _ConflictError
    return _BOTH


def _text(base: Any, ours: Any, theirs: Any) -> str:
    """Merge one text by its lines, as git merges a file."""
    if not all(isinstance(side, str) for side in (base, ours, theirs)):
        raise _ConflictError
    merged = merge_texts(base, ours, theirs)
    if merged is None:
        raise _ConflictError
    return merged


def _tags(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    gone = {tag for tag in base if tag not in theirs}
    return [
        tag
        for tag in dict.fromkeys([*ours, *theirs])
        if tag not in gone and _stays(tag, base, ours)
    ]


def _stays(tag: str, base: list[str], ours: list[str]) -> bool:
    return tag in ours or tag not in base


def _messages(base: list[Any], ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Merge two lists of messages: each message of the base is a place, and between are gaps."""
    our_places, their_places = _placed(base, ours), _placed(base, theirs)
    merged: list[Any] = []
    for index in range(len(base) + 1):
        merged += _gap(our_places.gaps[index], their_places.gaps[index])
        if index < len(base):
            kept = _message(base[index], our_places.kept[index], their_places.kept[index])
            merged += [] if kept is _ABSENT else [kept]
    return merged


class _Placed(NamedTuple):
    """A list of messages seen from the base.

    Attributes:
        kept: What each message of the base became; `_ABSENT` for one that was removed.
        gaps: The new messages before each message of the base, and at the end.
    """

    kept: list[Any]
    gaps: list[list[Any]]


def _placed(base: list[Any], side: list[Any]) -> _Placed:
    kept: list[Any] = [_ABSENT] * len(base)
    gaps: list[list[Any]] = [[] for _ in range(len(base) + 1)]
    old, new = list(map(repr, base)), list(map(repr, side))
    for tag, i1, i2, j1, j2 in opcodes(old, new):
        if tag == "equal" or i2 - i1 == j2 - j1:
            kept[i1:i2] = side[j1:j2]
        elif tag == "insert":
            gaps[i1] += side[j1:j2]
        else:
            _pair(base, side, (i1, i2, j1, j2), kept, gaps)
    return _Placed(kept, gaps)


def _pair(
    base: list[Any],
    side: list[Any],
    span: tuple[int, int, int, int],
    kept: list[Any],
    gaps: list[list[Any]],
) -> None:
    """Pair messages of one role in order; the rest was removed or is new."""
    i, last, j, end = span
    for message in side[j:end]:
        at = next((n for n in range(i, last) if _kind(base[n]) == _kind(message)), None)
        if at is None:
            gaps[i].append(message)
        else:
            kept[at] = message
            i = at + 1


def _kind(message: Mapping[str, Any]) -> Any:
    return message.get("role") or ("insert", message.get("insert"))


def _gap(ours: list[Any], theirs: list[Any]) -> list[Any]:
    if not ours or not theirs or repr(ours) == repr(theirs):
        return ours or theirs
    raise _ConflictError


def _message(base: Any, ours: Any, theirs: Any) -> Any:
    chosen = _chosen(base, ours, theirs)
    return _mapping(base, ours, theirs, deep=True) if chosen is _BOTH else chosen


def _same(one: Any, other: Any) -> bool:
    """Compare with types: in Python 1 and True are equal."""
    return one is other or repr(one) == repr(other)
