"""Rules about characters that a reviewer does not see as the model reads them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from promptstore.errors import Problem
from promptstore.lint.library import Library
from promptstore.lint.rule import Rule

INVISIBLE: Final = Rule(
    "PS501",
    "An invisible character.",
    "Zero-width characters, tag characters and the like carry text that no reviewer sees and every "
    "model reads, in a text as in the description of a tool. Remove them. A joiner between two "
    "emoji, or between letters of a script that needs it, is not reported.",
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
_LATIN_WORD: Final = 2
"""How many Latin letters make a word; one beside a Greek letter is a formula."""
_LATIN_LOOKING: Final = frozenset("АВЕЅІЈКМНОРСТХҮаеѕіјорсухԁԛԝһΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυχ")


def invisible_characters(library: Library, name: str) -> Iterator[Problem]:
    """Find characters that nobody sees, in the texts and in everything else that the file says."""
    return _hidden(library, name, INVISIBLE, _INVISIBLE, "which nobody sees; remove it.")


def bidirectional_characters(library: Library, name: str) -> Iterator[Problem]:
    """Find characters that turn text around, in comments too."""
    advice = "which shows it in another order than a model reads it; remove it."
    return _hidden(library, name, BIDIRECTIONAL, _BIDIRECTIONAL, advice)


def _hidden(
    library: Library, name: str, rule: Rule, pattern: re.Pattern[str], advice: str
) -> Iterator[Problem]:
    in_strings: set[str] = set()
    for keys, text in library.strings(name):
        for match in () if text.isascii() else pattern.finditer(text):
            in_strings.add(match[0])
            if not _joins(text, match.start()):
                line = text.count("\n", 0, match.start()) + 1
                message = f"The text holds {_named(match[0])}, {advice}"
                yield Problem(*library.position(name, keys, line), rule.code, message)
    source = library.source(name)
    for match in () if source.isascii() else pattern.finditer(source):
        if match[0] not in in_strings and not _joins(source, match.start()):
            before = source[: match.start()]
            place = before.count("\n") + 1, len(before) - before.rfind("\n")
            message = f"The file holds {_named(match[0])}, {advice}"
            yield Problem(*place, rule.code, message)


def look_alikes(library: Library, name: str) -> Iterator[Problem]:
    """Find Latin words with letters of another script that look Latin."""
    for text in library.texts(name):
        if text.text.isascii():
            continue
        for match in _WORD.finditer(text.text):
            word = match[0]
            foreign = next((letter for letter in word if letter in _LATIN_LOOKING), None)
            latin = sum("a" <= letter.lower() <= "z" for letter in word)
            if foreign and latin >= _LATIN_WORD:
                message = f"The word {word!r} holds {_named(foreign)} among Latin letters."
                line = text.text.count("\n", 0, match.start()) + 1
                yield Problem(*library.place(name, text, line), LOOK_ALIKE.code, message)


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
