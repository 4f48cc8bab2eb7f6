"""Taking the middle out of a long content."""

from __future__ import annotations

from binascii import b2a_base64
from typing import TypeAlias


class Marker:
    """The line of a marker, which carries a part of a text as base64.

    It is written only when the line is wanted, since a text that is too long loses lines.

    Args:
        before: What stands before the base64, without a line feed.
        text: The text.
        behind: What stands behind the base64, without a line feed.
        start: Where the part of the text starts that is carried.
        stop: Where it ends; None is the end of the text.
    """

    __slots__ = ("_before", "_behind", "_start", "_stop", "_text")

    def __init__(
        self, before: str, text: str, behind: str, start: int = 0, stop: int | None = None
    ) -> None:
        self._before = before
        self._text = text
        self._behind = behind
        self._start = start
        self._stop = len(text) if stop is None else max(start, stop)

    def __len__(self) -> int:
        size = self._stop - self._start
        if not self._text.isascii():
            size = len(_encoded(self._text[self._start : self._stop]))
        return len(self._before) + (size + 2) // 3 * 4 + len(self._behind)

    def __str__(self) -> str:
        return f"{self._before}{hidden(self._text[self._start : self._stop])}{self._behind}"


Piece: TypeAlias = str | Marker
"""A part of a text: some lines, or the line of a marker."""


def hidden(text: str) -> str:
    """Write a text as base64, as markers carry it."""
    return b2a_base64(_encoded(text), newline=False).decode("ascii")


def shorten(content: str, buffer: int, *, markers: bool) -> list[Piece]:
    """Take the middle out as PostHog does, with its odd answers to odd buffers.

    Args:
        content: The content.
        buffer: A content of more characters than this is shortened.
        markers: Whether the middle stays in the text, as base64.

    Returns:
        The content, or its two ends around a marker or a note. The number told is the length
        beyond the buffer, which for an odd buffer is one less than what is gone.
    """
    removed = len(content) - buffer
    if removed <= 0:
        return [content]
    half = buffer // 2
    start, end = content[:half], content[-half:]
    if markers:
        where, stop = half, len(content) - half
        if half <= 0:
            where, stop, _ = slice(half, -half).indices(len(content))
        marker = Marker("<<<TRUNCATED|", content, f"|{removed}>>>", where, stop)
        return [start, "", marker, "", end]
    return [f"{start}\n\n... ({removed} chars truncated) ...\n\n{end}"]


def shorten_exactly(content: str, buffer: int, *, markers: bool) -> tuple[str, Piece, str] | None:
    """Cut a content that is too long in three, and tell exactly how much is taken out.

    Args:
        content: The content.
        buffer: A content of more characters than this is too long; half of it stays at each end.
        markers: Whether the middle stays in the text, as base64.

    Returns:
        Its start, what stands in the place of its middle, and its end; None if it is short.
    """
    if len(content) <= max(buffer, 0):
        return None
    half = max(buffer, 0) // 2
    stop = len(content) - half
    note: Piece = f"... ({stop - half} chars truncated) ..."
    if markers:
        note = Marker("<<<TRUNCATED|", content, f"|{stop - half}>>>", half, stop)
    return content[:half], note, content[stop:]


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
