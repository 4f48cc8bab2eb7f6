"""Taking the middle out of a long content."""

from __future__ import annotations

from binascii import b2a_base64
from typing import TypeAlias


class Marker:
    """The line of a marker, which carries a text as base64.

    It is written only when the line is wanted, since a text that is too long loses lines.

    Args:
        start: What stands before the base64, without a line feed.
        text: What is hidden in it.
        end: What stands behind it, without a line feed.
    """

    __slots__ = ("_end", "_start", "_text")

    def __init__(self, start: str, text: str, end: str) -> None:
        self._start = start
        self._text = text
        self._end = end

    def __len__(self) -> int:
        size = len(self._text) if self._text.isascii() else len(_encoded(self._text))
        return len(self._start) + (size + 2) // 3 * 4 + len(self._end)

    def __str__(self) -> str:
        return f"{self._start}{hidden(self._text)}{self._end}"


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
        marker = Marker("<<<TRUNCATED|", content[half:-half], f"|{removed}>>>")
        return [start, "", marker, "", end]
    return [f"{start}\n\n... ({removed} chars truncated) ...\n\n{end}"]


def cut(content: str, buffer: int) -> tuple[str, str, str]:
    """Cut a content that is too long in three.

    Args:
        content: The content.
        buffer: A content of more characters than this is too long; half of it stays at each end.

    Returns:
        Its start, what is taken out, and its end; the content itself as the start if it is short.
    """
    if len(content) <= max(buffer, 0):
        return content, "", ""
    half = max(buffer, 0) // 2
    end = len(content) - half
    return content[:half], content[half:end], content[end:]


def note(middle: str, *, markers: bool) -> Piece:
    """Write what stands in the place of the middle of a content, with its exact length."""
    if markers:
        return Marker("<<<TRUNCATED|", middle, f"|{len(middle)}>>>")
    return f"... ({len(middle)} chars truncated) ..."


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
