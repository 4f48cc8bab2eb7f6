"""What is done to a finished text: line numbers, the longest length, letters that can be encoded.

A text that is too long keeps its first lines and evenly spread ones of the others. Nothing is
random, so the same event always gives the same text.
"""

from __future__ import annotations

from math import floor
from typing import Final

_HEAD: Final = 5  # lines that are always kept
_ATTEMPTS: Final = 10


def number_lines(text: str) -> str:
    """Start each line with its number, as wide as the last one's.

    Args:
        text: The text; only a line feed ends a line.

    Returns:
        The text with ``L1: `` before its first line, and so on.
    """
    lines = text.split("\n")
    width = len(str(len(lines)))
    return "\n".join([f"L{number:0{width}}: {line}" for number, line in enumerate(lines, 1)])


def limit_length(text: str, max_length: int) -> str:
    """Shorten a text that is too long to a sample of its lines.

    Args:
        text: The text.
        max_length: The longest length in characters; 0 is no limit.

    Returns:
        The text itself, or its first lines with a note and evenly spread lines, or, where not
        even those fit, its first characters.
    """
    if max_length == 0 or len(text) <= max_length:
        return text
    lines = text.split("\n")
    if len(lines) <= _HEAD:
        return text[:max_length]
    sample = _Sample(lines)
    room = max_length - (len("\n".join(sample.head)) + 1 + len(sample.note(100)) + 1)
    if room <= 0:
        return text[:max_length]
    average = sum(map(len, sample.body), len(sample.body)) / len(sample.body)
    count = floor(room / average)
    if count >= len(sample.body):
        return text[:max_length]
    count = max(count, 1)
    shortened = sample.take(count)
    for _ in range(_ATTEMPTS):
        if len(shortened) <= max_length:
            return shortened
        count = max(floor(count * ((max_length / len(shortened)) * 0.9)), 1)
        shortened = sample.take(count)
    return shortened if len(shortened) <= max_length else text[:max_length]


def make_encodable(text: str) -> str:
    """Write lone surrogates, which UTF-8 cannot hold, as their escapes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


class _Sample:
    """The lines of a long text, of which some are taken."""

    def __init__(self, lines: list[str]) -> None:
        self.head = lines[:_HEAD]
        self.body = lines[_HEAD:]
        self._total = len(lines)

    def note(self, percent: float) -> str:
        return (
            f"[SAMPLED VIEW: Showing ~{percent:.0f}% of {self._total:,} lines. "
            "Gaps in line numbers indicate omitted content.]"
        )

    def take(self, count: int) -> str:
        step = len(self.body) / count
        taken = [self.body[floor(index * step)] for index in range(count)]
        note = self.note((len(taken) / len(self.body)) * 100)
        return "\n".join([*self.head[:2], note, *self.head[2:], *taken])
