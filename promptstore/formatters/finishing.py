"""Join lines to one string: long contents cut, lines numbered, the whole limited in length.

A text that is too long keeps its first lines and evenly spread ones of the others. Nothing is
random, so the same event always gives the same text.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from math import floor
from typing import Final

_HEAD: Final = 5  # lines that are always kept
_ATTEMPTS: Final = 10


def finish(lines: Sequence[str], *, numbered: bool, max_length: int) -> tuple[str, bool]:
    """Join the lines, and shorten what is too long.

    Args:
        lines: The lines; one may hold several.
        numbered: Whether each line starts with its number, as wide as the last one's.
        max_length: The longest length in characters; 0 is no limit.

    Returns:
        The text and whether it was too long. Of such a text there are its first lines, a note and
        evenly spread lines, or, where not even those fit, its first characters.
    """
    length = sum(map(len, lines)) + max(len(lines) - 1, 0)
    if not numbered and (max_length == 0 or length <= max_length):
        return "\n".join(lines), False
    rows = [row for line in lines or [""] for row in line.split("\n")]
    digits = len(str(len(rows))) if numbered else 0
    length += len(rows) * (digits + len("L: ")) if numbered else 0
    is_long = max_length != 0 and length > max_length
    if is_long and len(rows) > _HEAD and (sample := _sampled(rows, length, digits, max_length)):
        return sample, True
    text = "\n".join(_numbered(rows, range(len(rows)), digits))
    return (text[:max_length], True) if is_long else (text, False)


def make_encodable(text: str) -> str:
    """Write lone surrogates, which UTF-8 cannot hold, as their escapes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def hidden(text: str) -> str:
    """Return a string as base64, as markers carry it."""
    return b2a_base64(text.encode(errors="backslashreplace"), newline=False).decode("ascii")


def shorten(content: str, buffer: int, *, markers: bool) -> list[str]:
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
        return [start, "", f"<<<TRUNCATED|{hidden(content[half:-half])}|{removed}>>>", "", end]
    return [f"{start}\n\n... ({removed} chars truncated) ...\n\n{end}"]


def shorten_exactly(content: str, buffer: int, *, markers: bool) -> tuple[str, str, str] | None:
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
    note = f"... ({stop - half} chars truncated) ..."
    if markers:
        note = f"<<<TRUNCATED|{hidden(content[half:stop])}|{stop - half}>>>"
    return content[:half], note, content[stop:]


def _sampled(rows: Sequence[str], length: int, digits: int, max_length: int) -> str:
    """Write the first lines, a note and evenly spread lines; nothing where there is no room."""
    others, extra = len(rows) - _HEAD, 1 + (digits + len("L: ") if digits else 0)
    head = sum(map(len, rows[:_HEAD])) + _HEAD * extra
    room = max_length - (head + len(_note(1, len(rows))) + 1)
    count = floor(room / ((length + 1 - head) / others))
    if room <= 0 or count >= others:
        return ""
    places = _spread(others, max(count, 1))
    for _ in range(_ATTEMPTS):
        taken = sum(len(rows[place]) for place in places) + len(places) * extra
        size = head + len(_note(len(places) / others, len(rows))) + taken
        if size <= max_length:
            break
        count = floor(len(places) * ((max_length / size) * 0.9))
        places = _spread(others, max(count, 1))
    lines = _numbered(rows, [*range(_HEAD), *places], digits)
    lines.insert(2, _note(len(places) / others, len(rows)))
    return "\n".join(lines)[:max_length]


def _numbered(rows: Sequence[str], places: Sequence[int], digits: int) -> list[str]:
    if not digits:
        return [rows[place] for place in places]
    start = 10**digits + 1  # a slice is twice as fast as a format with zeros
    return [f"L{str(start + place)[1:]}: {rows[place]}" for place in places]


def _spread(total: int, count: int) -> list[int]:
    """Choose the places of so many of the lines behind the first ones, evenly spread."""
    step = total / count
    return [_HEAD + int(index * step) for index in range(count)]


def _note(part: float, lines: int) -> str:
    return (
        f"[SAMPLED VIEW: Showing ~{part * 100:.0f}% of {lines:,} lines. "
        "Gaps in line numbers indicate omitted content.]"
    )
