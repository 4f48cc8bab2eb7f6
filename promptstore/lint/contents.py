"""Rules about what the texts say: secrets, characters, spaces, duplicates, roles, budgets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final

from promptstore.lint.context import LintContext
from promptstore.lint.findings import Rule, Violation
from promptstore.lint.unseen import Unseen, find_unseen
from promptstore.model.parts import Insert
from promptstore.promptfile.formatter import format_file

NOT_CANONICAL: Final = Rule("PS112", severity="note", is_on=False, is_fixable=True)
INVISIBLE: Final = Rule("PS501")
BIDIRECTIONAL: Final = Rule("PS502")
LOOK_ALIKE: Final = Rule("PS503", severity="warning")
SECRET: Final = Rule("PS504")
TRAILING_SPACE: Final = Rule("PS505", severity="warning")
DOUBLED_SPACE: Final = Rule("PS506", severity="note")
DUPLICATE_TEXT: Final = Rule("PS507", severity="warning")
ROLE_ORDER: Final = Rule("PS508", severity="warning")
EMPTY_MESSAGE: Final = Rule("PS509")
OVER_BUDGET: Final = Rule("PS510")

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

# Every part that may fail late is bounded, so that no text makes the search slow.
_SECRETS: Final = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("an Anthropic key", re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}")),
    ("an OpenAI key", re.compile(r"\bsk-(?!ant-)(?=[A-Za-z_-]{0,60}\d)[A-Za-z0-9_-]{32,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}")),
    ("a PostHog key", re.compile(r"\bph[xs]_[A-Za-z0-9]{30,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,500}\.eyJ[\w-]{10,4000}\.[\w-]{10,}")),
    (
        "a password in an address",
        re.compile(
            r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@{}<>$]{1,200}:"
            r"(?!(?i:pass(?:word)?|pwd|secret|token|x{3,9}|\*{3,9})@)[^\s/:@{}<>$]{3,200}@"
        ),
    ),
)
_SHOWN: Final = 6
_ESCAPE: Final = re.compile(r"\\|''")
_MOST_SECRETS: Final = 1_000
"""How many are looked for in one file."""
_OURS: Final = "x-promptstore"
_DOUBLED: Final = re.compile(r"(?<=[^\s|])  (?=[^\s|])")
_CODE_FENCE: Final = re.compile(r"^\s*(?P<mark>```|~~~)")
_COLUMNS: Final = re.compile(r"\S {2,}(?=\S)")
_OPENING: Final = re.compile(r"\{[%#{]")
_CLOSING: Final = {"{%": "%}", "{#": "#}", "{{": "}}"}
_NO_LINE_END: Final = re.compile(r"[^\n]")
_NAMED: Final = 2
_WORTH_SHARING: Final = 80
_LEADERS: Final = ("system", "developer")


def not_canonical(context: LintContext, name: str) -> Iterator[Violation]:
    """Compare the file with its canonical form."""
    data = context.data(name)
    if format_file(data, context.file(name).path) != data:
        message = "The file is not in canonical form; `promptstore format` writes it so."
        yield Violation(NOT_CANONICAL, message, place=(1, 1))


def secrets(context: LintContext, name: str) -> Iterator[Violation]:
    """Find what has the form of a key: in the values, then in the comments and keys.

    A file that cannot be read has no values, so all of it is searched as it is written.
    """
    found: set[tuple[int, int]] = set()
    for keys, text in context.strings(name):
        for number, line in enumerate(text.split("\n"), 1):
            for what, secret, _ in _secrets(line):
                if len(found) == _MOST_SECRETS:
                    return
                place = _place_of(context, name, Violation(SECRET, "", keys, number), secret)
                found.add(place)
                yield _secret(what, secret, place)
    is_broken = context.document(name) is None
    for number, line in enumerate(context.lines(name), 1):
        for what, secret, index in _secrets(line):
            place = (number, index + 1)
            # What holds an escape is no comment: its value was searched.
            if place not in found and (is_broken or not _ESCAPE.search(secret)):
                yield _secret(what, secret, place)


def _secrets(line: str) -> Iterator[tuple[str, str, int]]:
    for what, pattern in _SECRETS:
        for match in pattern.finditer(line):
            yield what, match[0], match.start()


def _secret(what: str, secret: str, place: tuple[int, int]) -> Violation:
    message = (
        f"This looks like {what} ({secret[:_SHOWN]}…). Revoke it and take it out; git remembers it."
    )
    return Violation(SECRET, message, place=place)


def _place_of(
    context: LintContext, name: str, violation: Violation, secret: str
) -> tuple[int, int]:
    """Return where a secret is written, or where its string begins if that holds escapes."""
    number, column = context.locate(name, violation)
    written = context.lines(name)[number - 1].find(secret, column - 1)
    return (number, written + 1) if written >= 0 else (number, column)


def odd_spaces(context: LintContext, name: str) -> Iterator[Violation]:
    """Find lines that end with blanks, and two spaces between two words; tables and code aside."""
    is_literal = context.prompt(name).template == "none"
    for text in context.texts(name):
        fence = ""
        lines = text.lines if is_literal else _without_tags(text.text).split("\n")
        for number, line in enumerate(lines, 1):
            if line.endswith((" ", "\t")):
                message = "The line ends with spaces, which reach the model; remove them."
                yield Violation(TRAILING_SPACE, message, text.keys, number)
            match = _CODE_FENCE.match(line)
            if match and fence in ("", match["mark"]):
                fence = "" if fence else match["mark"]
            if not fence and _DOUBLED.search(line) and not _is_column(line):
                message = "Two spaces stand between two words; one is meant."
                yield Violation(DOUBLED_SPACE, message, text.keys, number)


def _is_column(line: str) -> bool:
    return line.startswith(("    ", "\t")) or len(_COLUMNS.findall(line)) > 1


def duplicate_texts(context: LintContext, name: str) -> Iterator[Violation]:
    """Find texts that another prompt holds too."""
    if context.prompt(name).deleted:
        return
    for text in context.texts(name):
        is_long = len(text.text.strip()) >= _WORTH_SHARING
        others = context.duplicates(name, text.text) if is_long else []
        if others:
            shown = " and ".join(map(repr, others[:_NAMED]))
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            hold = f"{shown}{more} {'holds' if len(others) == 1 else 'hold'}"
            message = f"{hold} the same text; make it a prompt and include it in each."
            yield Violation(DUPLICATE_TEXT, message, text.keys)


def role_order(context: LintContext, name: str) -> Iterator[Violation]:
    """Find roles that stand where a model does not take them."""
    begun = False
    for index, item in enumerate(context.prompt(name).messages or ()):
        if isinstance(item, Insert):
            begun = True
            continue
        place = ("messages", index, "role")
        if item.role in _LEADERS and begun:
            fault = f"A {item.role} message stands behind others; put it first."
            yield Violation(ROLE_ORDER, fault, place)
        elif item.role in ("tool", "function") and index == 0:
            fault = f"The messages begin with the role {item.role}, which answers a call."
            yield Violation(ROLE_ORDER, fault, place)
        begun = begun or item.role not in _LEADERS


def empty_messages(context: LintContext, name: str) -> Iterator[Violation]:
    """Find texts without a character to read."""
    for text in context.texts(name):
        if not text.text.strip() and text.keys[-1] in ("prompt", "content", "text"):
            yield Violation(EMPTY_MESSAGE, "The text is empty; fill it or remove it.", text.keys)


def over_budget(context: LintContext, name: str) -> Iterator[Violation]:
    """Compare the size of the texts with the budget that the file names."""
    ours = context.prompt(name).extensions.get(_OURS)
    budget = ours.get("max_tokens") if isinstance(ours, Mapping) else None
    if isinstance(budget, bool) or not isinstance(budget, int):
        return
    characters = sum(
        len(text.text) for reached in context.closure(name) for text in context.texts(reached)
    )
    tokens = ceil(characters / context.settings.characters_per_token)
    if tokens > budget:
        message = f"The texts take about {tokens} tokens; the budget is {budget}."
        yield Violation(OVER_BUDGET, message, (_OURS, "max_tokens"))


def _without_tags(text: str) -> str:
    """Write an x over every character of a tag; lines stay where they are."""
    pieces: list[str] = []
    at = 0
    unclosed: set[str] = set()
    for match in _OPENING.finditer(text):
        opening, start = match[0], match.start()
        if start < at or opening in unclosed:
            continue
        end = text.find(_CLOSING[opening], match.end())
        if end < 0:
            unclosed.add(opening)
            continue
        pieces += (text[at:start], _NO_LINE_END.sub("x", text[start : end + 2]))
        at = end + 2
    return "".join([*pieces, text[at:]])


def unseen_characters(context: LintContext, name: str) -> Iterator[Violation]:
    """Find characters that nobody sees or that turn text around, anywhere in the file."""
    in_strings: set[str] = set()
    for keys, text in context.strings(name):
        for number, line in enumerate(text.split("\n"), 1):
            for found in _unseen(line):
                in_strings.add(found.character)
                rule, advice = _UNSEEN_RULES[found.kind]
                message = f"The text holds {_named(found.character)}, {advice}"
                yield Violation(rule, message, keys, number)
    for number, line in enumerate(context.lines(name), 1):
        for found in _unseen(line):
            if found.character not in in_strings:
                rule, advice = _UNSEEN_RULES[found.kind]
                message = f"The file holds {_named(found.character)}, {advice}"
                yield Violation(rule, message, place=(number, found.place + 1))


def _unseen(line: str) -> Iterator[Unseen]:
    if not line.isascii():
        yield from (found for found in find_unseen(line) if found.kind in _UNSEEN_RULES)


def look_alikes(context: LintContext, name: str) -> Iterator[Violation]:
    """Find Latin words with letters of another script that look Latin."""
    for text in context.texts(name):
        for number, line in enumerate(text.lines, 1):
            for match in () if line.isascii() else _WORD.finditer(line):
                word = match[0]
                foreign = next((letter for letter in word if letter in _LATIN_LOOKING), None)
                if foreign and _count_latin(word) >= _LATIN_WORD:
                    shown = f"{word[:40]}…" if len(word) > 40 else word
                    message = f"The word {shown!r} holds {_named(foreign)} among Latin letters."
                    yield Violation(LOOK_ALIKE, message, text.keys, number)


def _count_latin(word: str) -> int:
    return sum("a" <= letter.lower() <= "z" for letter in word)


def _named(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'unnamed').lower()})"
