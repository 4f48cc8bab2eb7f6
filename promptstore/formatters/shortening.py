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


def note(middle: str, *, markers: bool) -> str:
    """Write what stands in the place of the middle of a content, with its exact length."""
    if markers:
        return f"<<<TRUNCATED|{hidden(middle)}|{len(middle)}>>>"
    return f"... ({len(middle)} chars truncated) ..."
