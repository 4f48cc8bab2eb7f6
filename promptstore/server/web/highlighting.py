"""The text of a template in pieces that a page can mark: variables, logic, includes, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from promptstore.lint.unseen import escaped, find_unseen
from promptstore.model.prompt import Prompt
from promptstore.template import TemplateKind, split_simple

Kind: TypeAlias = Literal["text", "variable", "logic", "comment", "include", "unseen", "cut"]

MAX_SHOWN: Final = 100_000
"""How many characters of a text a page shows, unless all are wanted."""

_MAX_EXPANDED: Final = 1_000
"""How many includes of a text are expanded."""

_OPENERS: Final = re.compile(r"\{\{|\{%|\{#")
_CLOSERS: Final = {"{{": "}}", "{%": "%}", "{#": "#}"}
_KINDS: Final[dict[str, Kind]] = {"{{": "variable", "{%": "logic", "{#": "comment"}
_WORD: Final = re.compile(r"[^\W\d]\w*")
_INCLUDE: Final = re.compile(r"""\{%[-+]?\s*include\s*(["'])([^"'\\]*)\1""")


class Piece(NamedTuple):
    """A piece of a text.

    Attributes:
        kind: What it is.
        text: Its characters as they are shown.
        target: The variable or the prompt that it names, or an empty string.
        inside: The text of an include that is expanded, in pieces.
    """

    kind: Kind
    text: str
    target: str = ""
    inside: tuple[Piece, ...] = ()


def highlight(text: str, language: TemplateKind, most: int | None = MAX_SHOWN) -> list[Piece]:
    """Return a text in pieces.

    Args:
        text: The template.
        language: Its language.
        most: How many characters are shown, or None for all.
    """
    shown = text if most is None else text[:most]
    pieces = [seen for piece in _split(shown, language) for seen in _seen(piece)]
    if len(shown) < len(text):
        pieces.append(Piece("cut", f"{len(text) - len(shown):,}"))
    return pieces


def expand(pieces: list[Piece], includes: Mapping[str, Prompt]) -> list[Piece]:
    """Return pieces in which every include holds the text that it stands for.

    Args:
        pieces: The pieces of a text.
        includes: Every prompt that the text includes, directly or not, by name.
    """
    return [*_expand(pieces, includes, [_MAX_EXPANDED], ())]


def _expand(
    pieces: list[Piece], includes: Mapping[str, Prompt], left: list[int], way: tuple[str, ...]
) -> Iterator[Piece]:
    for piece in pieces:
        found = includes.get(piece.target) if piece.kind == "include" else None
        if found is None or found.prompt is None or piece.target in way or left[0] <= 0:
            yield piece
            continue
        left[0] -= 1
        inside = highlight(found.prompt, found.template)
        further = _expand(inside, includes, left, (*way, piece.target))
        yield piece._replace(inside=tuple(further))


def _split(text: str, language: TemplateKind) -> Iterator[Piece]:
    if language == "jinja2":
        return _split_jinja(text)
    return _split_simple(text) if language == "simple" else iter([Piece("text", text)])


def _split_simple(text: str) -> Iterator[Piece]:
    at = 0
    for number, part in enumerate(split_simple(text)):
        end = text.index("}}", at) + 2 if number % 2 else at + len(part)
        if end > at:
            yield Piece("variable" if number % 2 else "text", text[at:end], part * (number % 2))
        at = end


def _split_jinja(text: str) -> Iterator[Piece]:
    at = 0
    unclosed: set[str] = set()
    for match in _OPENERS.finditer(text):
        opener = match[0]
        if match.start() < at or opener in unclosed:
            continue
        end = text.find(_CLOSERS[opener], match.end()) + 2
        if end < 2:
            # Nothing behind it is closed either, so that nobody looks again and again.
            unclosed.add(opener)
            continue
        if match.start() > at:
            yield Piece("text", text[at : match.start()])
        yield _tag(text[match.start() : end], _KINDS[opener])
        at = end
    if at < len(text):
        yield Piece("text", text[at:])


def _tag(text: str, kind: Kind) -> Piece:
    include = _INCLUDE.match(text) if kind == "logic" else None
    if include is not None:
        return Piece("include", text, include[2])
    word = _WORD.search(text) if kind == "variable" else None
    return Piece(kind, text, word[0] if word else "")


def _seen(piece: Piece) -> Iterator[Piece]:
    """Split a piece where a character is not seen as it is."""
    at = 0
    for found in find_unseen(piece.text):
        if found.place > at:
            yield piece._replace(text=piece.text[at : found.place])
        yield Piece("unseen", escaped(found.character))
        at = found.place + 1
    if at < len(piece.text):
        yield piece._replace(text=piece.text[at:])
