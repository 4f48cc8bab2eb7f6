"""Rules about characters that a reviewer does not see as the model reads them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from promptstore.errors import Problem
from promptstore.lint.library import Library, Text
from promptstore.lint.rule import Rule

INVISIBLE: Final = Rule(
    "PS501",
    "An invisible character.",
    "Zero-width characters, tag characters and the like carry text that no reviewer sees and every "
    "model reads. Remove them. A joiner between two emoji, or between letters of a script that "
    "needs it, is not reported.",
    bad='prompt: "Answer\\u200b briefly."',
    good='prompt: "Answer briefly."',
)
BIDIRECTIONAL: Final = Rule(
    "PS502",
    "A character that turns the direction of text around.",
    'A reviewer reads the text in another order than the model does ("Trojan Source"). Remove '
    "the character; right-to-left scripts need none of them in plain text.",
    bad='prompt: "Pay \\u202eeno\\u202c"',
    good='prompt: "Pay one"',
)
LOOK_ALIKE: Final = Rule(
    "PS503",
    "A word mixes letters that look alike but come from different scripts.",
    "A Cyrillic or Greek letter inside a Latin word looks right to a reviewer and is another word "
    "to a model, a search or a comparison. Write the word in one script.",
    bad='prompt: "Write to p\\u0430ypal"',
    good='prompt: "Write to paypal"',
    severity="warning",
)

_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164"
    "\ufe00-\ufe0e\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BIDIRECTIONAL: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_JOINERS: Final = "\u200c\u200d"
_WORD: Final = re.compile(r"[^\W\d_]+")
_LATIN_LOOKING: Final = frozenset("АВЕЅІЈКМНОРСТХҮаеѕіјорсухԁԛԝһΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυχ")


def invisible_characters(library: Library, name: str) -> Iterator[Problem]:
    """Find characters that nobody sees."""
    for text in library.texts(name):
        for match in _INVISIBLE.finditer(text.text):
            if not _joins(text.text, match.start()):
                message = f"The text holds {_named(match[0])}, which nobody sees; remove it."
                yield _at(library, name, text, match.start(), INVISIBLE, message)


def bidirectional_characters(library: Library, name: str) -> Iterator[Problem]:
    """Find characters that turn text around."""
    for text in library.texts(name):
        for match in _BIDIRECTIONAL.finditer(text.text):
            message = (
                f"The text holds {_named(match[0])}, which shows it in another order than a "
                "model reads it; remove it."
            )
            yield _at(library, name, text, match.start(), BIDIRECTIONAL, message)


def look_alikes(library: Library, name: str) -> Iterator[Problem]:
    """Find Latin words with letters of another script that look Latin."""
    for text in library.texts(name):
        if text.text.isascii():
            continue
        for match in _WORD.finditer(text.text):
            word = match[0]
            foreign = next((letter for letter in word if letter in _LATIN_LOOKING), None)
            if foreign and any("a" <= letter.lower() <= "z" for letter in word):
                message = f"The word {word!r} holds {_named(foreign)} among Latin letters."
                yield _at(library, name, text, match.start(), LOOK_ALIKE, message)


def _joins(text: str, index: int) -> bool:
    """Tell whether a joiner stands where a script or an emoji needs it."""
    if text[index] not in _JOINERS or not 0 < index < len(text) - 1:
        return False
    before, after = text[index - 1], text[index + 1]
    return _may_join(before) and _may_join(after)


def _may_join(letter: str) -> bool:
    if letter.isascii() or letter in _JOINERS:
        return False
    category = unicodedata.category(letter)
    is_latin = unicodedata.name(letter, "").startswith("LATIN")
    return category in {"So", "Sk", "Mn", "Mc"} or (category[0] == "L" and not is_latin)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'unnamed').lower()})"


def _at(library: Library, name: str, text: Text, index: int, rule: Rule, message: str) -> Problem:
    line = text.text.count("\n", 0, index) + 1
    return Problem(*library.place(name, text, line), rule.code, message)
