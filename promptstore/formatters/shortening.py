"""Taking the middle out of a long content."""

from __future__ import annotations

from binascii import b2a_base64


def hidden(text: str) -> str:
    """Write a text as base64, as markers carry it."""
    data = text.encode(errors="backslashreplace")
    return b2a_base64(data, newline=False).decode("ascii")


def shorten(content: str, buffer: int, *, markers: bool) -> str:
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
        return content
    half = buffer // 2
    start, end = content[:half], content[-half:]
    if markers:
        return f"{start}\n\n<<<TRUNCATED|{hidden(content[half:-half])}|{removed}>>>\n\n{end}"
    return f"{start}\n\n... ({removed} chars truncated) ...\n\n{end}"


def shorten_exactly(content: str, buffer: int, *, markers: bool) -> str:
    """Take out the middle and tell exactly how much it is.

    Args:
        content: The content.
        buffer: A content of more characters than this is shortened; half of it stays at each end.
        markers: Whether the middle stays in the text, as base64.

    Returns:
        The content, or its two ends around a marker or a note.
    """
    if len(content) <= max(buffer, 0):
        return content
    half = max(buffer, 0) // 2
    middle = content[half : len(content) - half]
    start, end = content[:half], content[len(content) - half :]
    note = f"<<<TRUNCATED|{hidden(middle)}|{len(middle)}>>>"
    if not markers:
        note = f"... ({len(middle)} chars truncated) ..."
    return f"{start}\n\n{note}\n\n{end}"
