"""Line numbers and the longest length, against the plainest way to do the same."""

from __future__ import annotations

import base64
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptstore.formatters.finishing import finish, hidden, shorten

LONG = "\n".join(f"line {number} " + "x" * (number % 40) for number in range(9_000))
"""A text of more than one block of lines."""


def numbered(text: str) -> str:
    lines = text.split("\n")
    width = len(str(len(lines)))
    return "\n".join(f"L{number:0{width}}: {line}" for number, line in enumerate(lines, 1))


def limited(text: str, longest: int) -> str:
    """Section 15 of PostHog's rules, step by step."""
    lines = text.split("\n")
    head, body = lines[:5], lines[5:]

    def note(percent: float) -> str:
        return (
            f"[SAMPLED VIEW: Showing ~{percent:.0f}% of {len(lines):,} lines. "
            "Gaps in line numbers indicate omitted content.]"
        )

    def sample(count: int) -> str:
        taken = [body[math.floor(index * (len(body) / count))] for index in range(count)]
        percent = (len(taken) / len(body)) * 100
        return "\n".join([*head[:2], note(percent), *head[2:], *taken])

    if longest == 0 or len(text) <= longest:
        return text
    if len(lines) <= 5:
        return text[:longest]
    room = longest - (len("\n".join(head)) + 1 + len(note(100)) + 1)
    count = math.floor(room / (sum(len(line) + 1 for line in body) / len(body)))
    if room <= 0 or count >= len(body):
        return text[:longest]
    count = max(count, 1)
    for _ in range(10):
        if len(sample(count)) <= longest:
            break
        count = max(math.floor(count * ((longest / len(sample(count))) * 0.9)), 1)
    return sample(count)[:longest]


texts = st.lists(
    st.text(st.sampled_from("aé😀 "), max_size=8) | st.just("b" * 300), min_size=1, max_size=60
).map("\n".join)


@given(texts, st.integers(-3, 3000), st.booleans())
@example(LONG, 100_000, True)
@example(LONG, 100_000, False)
@example(LONG, 0, True)
@example("a\n" * 6 + "b" * 900 + "\n" * 300, 400, False)  # even one line more is too long
def test_a_text_is_finished_as_posthog_does(text: str, longest: int, is_numbered: bool) -> None:
    expected = numbered(text) if is_numbered else text
    is_long = longest != 0 and len(expected) > longest
    expected = limited(expected, longest)
    for pieces in ([text], text.split("\n")):
        shown = finish(pieces, numbered=is_numbered, max_length=longest)
        assert shown == (expected, is_long)


def test_no_pieces_are_an_empty_text() -> None:
    assert finish([], numbered=False, max_length=0) == ("", False)
    assert finish([], numbered=True, max_length=0) == ("L1: ", False)


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "abcd", "é", "😀é\ud800"])
def test_what_is_hidden_can_be_read_again(text: str) -> None:
    shown = base64.b64decode(hidden(text), validate=True)
    assert shown == text.encode(errors="backslashreplace")


@given(st.text(max_size=30), st.integers(-40, 40))
def test_the_middle_is_the_one_that_a_slice_gives(content: str, buffer: int) -> None:
    shown = shorten(content, buffer, markers=True)
    if len(content) <= buffer:
        assert shown == [content]
        return
    half = buffer // 2
    middle = base64.b64encode(content[half:-half].encode()).decode()
    marker = f"<<<TRUNCATED|{middle}|{len(content) - buffer}>>>"
    assert shown == [content[:half], "", marker, "", content[-half:]]
