"""Rules about characters that a reviewer does not see as the model reads them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from promptstore.lint.context import LintContext
from promptstore.lint.findings import Breach, Rule
from promptstore.lint.unseen import Unseen, find_unseen

INVISIBLE: Final = Rule(
    "PS501",
    "An invisible character.",
    "Zero-width characters, tag characters and the like carry text that no reviewer sees and every "
    "model reads, in a text as in the description of a tool. Remove them. What belongs to its "
    "neighbours is not reported: a joiner between two emoji or between letters of a script that "
    "needs it, the style of a symbol (U+FE0E, U+FE0F), the tags of a flag.",
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

_UNSEEN_RULES: Final = {
    "invisible": (INVISIBLE, "which nobody sees; remove it."),
    "bidi": (
        BIDIRECTIONAL,
        "which shows it in another order than a model reads it; remove it.",
    ),
}
_WORD: Final = re.compile(r"[^\W\d_]+")
_LATIN_WORD: Final = 2
"""How many Latin letters make a word; one beside a Greek letter is a formula."""
_LATIN_LOOKING: Final = frozenset("АВЕЅІЈКМНОРСТХҮаеѕіјорсухԁԛԝһΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυχ")


def unseen_characters(context: LintContext, name: str) -> Iterator[Breach]:
    """Find characters that nobody sees or that turn text around, anywhere in the file."""
    in_strings: set[str] = set()
    for keys, text in context.strings(name):
        for number, line in enumerate(text.split("\n"), 1):
            for found in _unseen(line):
                in_strings.add(found.character)
                rule, advice = _UNSEEN_RULES[found.kind]
                message = f"The text holds {_named(found.character)}, {advice}"
                yield Breach(rule, message, keys, number)
    for number, line in enumerate(context.lines(name), 1):
        for found in _unseen(line):
            if found.character not in in_strings:
                rule, advice = _UNSEEN_RULES[found.kind]
                message = f"The file holds {_named(found.character)}, {advice}"
                yield Breach(rule, message, place=(number, found.place + 1))


def _unseen(line: str) -> Iterator[Unseen]:
    if not line.isascii():
        yield from (found for found in find_unseen(line) if found.kind in _UNSEEN_RULES)


def look_alikes(context: LintContext, name: str) -> Iterator[Breach]:
    """Find Latin words with letters of another script that look Latin."""
    for text in context.texts(name):
        for number, line in enumerate(text.lines, 1):
            for match in () if line.isascii() else _WORD.finditer(line):
                word = match[0]
                foreign = next((letter for letter in word if letter in _LATIN_LOOKING), None)
                if foreign and _count_latin(word) >= _LATIN_WORD:
                    shown = f"{word[:40]}…" if len(word) > 40 else word
                    message = f"The word {shown!r} holds {_named(foreign)} among Latin letters."
                    yield Breach(LOOK_ALIKE, message, text.keys, number)


def _count_latin(word: str) -> int:
    return sum("a" <= letter.lower() <= "z" for letter in word)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'unnamed').lower()})"
