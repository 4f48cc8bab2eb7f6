"""One table of characters that nobody sees, for the linter, the terminal and the comment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.lint.unseen import find_unseen, show_unseen

SEEN = {
    "tabs and line ends": "a\tb\nc",
    "an emoji made of several": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "an emoji with a style in it": "\u2764\ufe0f\u200d\U0001f525",
    "a symbol as a text": "\u2714\ufe0e \u2122\ufe0e",
    "a symbol as an emoji": "\u00a9\ufe0f \u203c\ufe0f \u2139\ufe0f",
    "a keycap": "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "the flag of Scotland": "\U0001f3f4"
    + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct")
    + "\U000e007f",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
}
UNSEEN = {
    "an escape": ("\x1b[2J", "control"),
    "a C1 control": ("\x9b2J", "control"),
    "a carriage return": ("a\rb", "control"),
    "an override": ("\u202ex", "bidi"),
    "a zero-width space": ("a\u200bb", "invisible"),
    "a joiner between letters": ("a\u200db", "invisible"),
    "a filler": ("\u3164", "invisible"),
    "a leading filler": ("\u115f", "invisible"),
    "a style behind a letter": ("a\ufe0f", "invisible"),
    "a style at the start": ("\ufe0f\u20e3", "invisible"),
    "a second style": ("\u2714\ufe0e\ufe0f", "invisible"),
    "a tag without a flag": ("a\U000e0041", "invisible"),
    "a flag with a long message": (
        "\U0001f3f4" + "".join(map(chr, range(0xE0061, 0xE0071))) + "\U000e007f",
        "invisible",
    ),
    "a byte order mark": ("a\ufeff", "invisible"),
}


@pytest.mark.parametrize("text", SEEN.values(), ids=list(SEEN))
def test_what_belongs_to_its_neighbours_is_left_alone(text: str) -> None:
    assert list(find_unseen(text)) == []
    assert show_unseen(text) == text


@pytest.mark.parametrize(("text", "kind"), UNSEEN.values(), ids=list(UNSEEN))
def test_what_is_not_seen_is_shown(text: str, kind: str) -> None:
    found = list(find_unseen(text))
    assert {one.kind for one in found} == {kind}
    shown = show_unseen(text)
    assert not {one.character for one in found} & set(shown)


@given(st.text())
def test_an_escape_can_be_read_back(text: str) -> None:
    shown = show_unseen(text, lambda character: f"<{ord(character):x}>")
    at = 0
    for found in find_unseen(text):
        assert text[found.place] == found.character
        written = f"<{ord(found.character):x}>"
        at = shown.index(written, at) + len(written)
    assert list(find_unseen(show_unseen(text))) == []
