"""Another text in the layout of a scalar that is there.

A folded text keeps its lines and a quoted one its escapes where their words stay. Each way that is
offered here is read again by who takes it: the first that says what was wanted is the best one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from ruamel.yaml.nodes import ScalarNode

from promptstore.promptfile.yamlwriter import is_text_everywhere, write_quoted

_HEADER: Final = re.compile(r"[|>]([+-]?)([1-9]?)([+-]?)")
_UNIT: Final = re.compile(
    r"""
      (?P<fold>[\ \t]*\n[\ \t\n]*)
    | (?P<joined>\\\n[\ \t]*)
    | (?P<escape>\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.))
    | (?P<quote>'')
    | (?P<same>(?:[^\\'\ \t\n]|[\ \t]+(?![\ \t\n]))+|.)
    """,
    re.VERBOSE,
)
_WORD: Final = re.compile(r"\s+|[^\W_]+|[\W_]")
_MAX_WORDS: Final = 4_000
_MAX_CHANGE: Final = 0.7


class Unit(NamedTuple):
    """Characters of a value, and those of the source that say them.

    Attributes:
        start: Where it starts in the value.
        source: Where it starts in the source.
        end: Where it ends in the value.
        source_end: Where it ends in the source.
        is_same: Whether both have the same characters.
    """

    start: int
    source: int
    end: int
    source_end: int
    is_same: bool


class Block(NamedTuple):
    """The parts of a literal or folded block.

    Attributes:
        header: Its `|` or `>` with what says how its text ends and how far it stands in.
        comment: The comment behind that, with the space before it.
        indent: What each line starts with; None where no line says it.
        keeps: Whether blank lines at its end are text.
        blank: How many blank lines follow its last line, whether these are text or not.
        last: The end of its last line that is not blank.
        last_blank: The end of the blank lines that follow.
    """

    header: str
    comment: str
    indent: str | None
    keeps: bool
    blank: int
    last: int
    last_blank: int

    @property
    def end(self) -> int:
        """The end of its text."""
        return self.last_blank if self.keeps else self.last


def split_block(text: str, start: int, column: int) -> Block:
    """Split a block into its parts.

    Args:
        text: The whole text, with LF line ends.
        start: Where the block starts in it.
        column: How far its key or dash stands in.

    Returns:
        The parts; places are those in the text.
    """
    lines = _lines(text, start)
    first = next(lines)
    header = _HEADER.match(first)
    assert header is not None
    width = column + int(header[2]) if header[2] else None
    blank = 0
    last = last_blank = at = start + len(first)
    for line in lines:
        at += 1 + len(line)
        own = len(line) - len(line.lstrip(" "))
        if own == len(line) and (width is None or own <= width):
            blank, last_blank = blank + 1, at
            continue
        if own <= column if width is None else own < width:
            break
        width = own if width is None else width
        blank, last, last_blank = 0, at, at
    keeps = "+" in (header[1], header[3])
    indent = None if width is None else " " * width
    return Block(header[0], first[header.end() :].rstrip(), indent, keeps, blank, last, last_blank)


def _lines(text: str, start: int) -> Iterator[str]:
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def in_layout(source: str, node: ScalarNode, wanted: str, column: int) -> Iterator[str]:
    """Offer sources that keep as much as they can of the source of a scalar.

    Args:
        source: The source of the scalar; that of a block ends with its last line that is not blank.
        node: Its node.
        wanted: The text that it shall have.
        column: How far its key or dash stands in.

    Yields:
        The sources, the best first; some may say something else.
    """
    old, new = node.value, wanted
    if node.style in ("|", ">"):
        old, new = old.rstrip("\n"), new.rstrip("\n")
    elif "\n" in new and not (node.style == '"' and "\n" in old):
        return
    if not old or not new or (not node.style and not is_text_everywhere(wanted)):
        return
    if node.style == "|":
        yield _with_lines(source, old, new, column)
        return
    units = _units(source, old, node.style or "", column)
    if units is None:
        return
    encode = _Encoder(source, node.style or "", column)
    whole = _difference(old, new)
    changes = _changes(old, new, whole)
    if "\n" in source and not _are_alike(changes, old, new):
        return
    yield _applied(source, units, new, changes, encode)
    yield _applied(source, units, new, [whole], encode)


def _with_lines(source: str, old: str, new: str, column: int) -> str:
    """Replace the lines of a literal block between those that are equal at both ends."""
    indent = split_block(source, 0, column).indent or ""
    header, *lines = source.split("\n")
    old_lines, new_lines = old.split("\n"), new.split("\n")
    change = _difference(old_lines, new_lines)
    written = [
        indent + line if line else "" for line in new_lines[change.new_start : change.new_end]
    ]
    return "\n".join([header, *lines[: change.start], *written, *lines[change.end :]])


class _Change(NamedTuple):
    """Characters of the old value, which become characters of the new one."""

    start: int
    end: int
    new_start: int
    new_end: int


def _difference(old: Sequence[str], new: Sequence[str]) -> _Change:
    """What is between the equal characters, or lines, at both ends."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    rest = shorter - head
    tail = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
    return _Change(head, len(old) - tail, head, len(new) - tail)


def _changes(old: str, new: str, whole: _Change) -> list[_Change]:
    """What differs word by word."""
    start, end, new_start, new_end = whole
    while start and old[start - 1].isalnum():
        start, new_start = start - 1, new_start - 1
    while end < len(old) and old[end].isalnum():
        end, new_end = end + 1, new_end + 1
    words = _WORD.findall(old[start:end])
    new_words = _WORD.findall(new[new_start:new_end])
    if len(words) > _MAX_WORDS or len(new_words) > _MAX_WORDS:
        return [whole]
    places, new_places = _ends(start, words), _ends(new_start, new_words)
    return [
        _Change(places[i], places[j], new_places[k], new_places[m])
        for tag, i, j, k, m in SequenceMatcher(None, words, new_words).get_opcodes()
        if tag != "equal"
    ]


def _are_alike(changes: list[_Change], old: str, new: str) -> bool:
    """Whether enough of a text stays for its lines to make sense."""
    gone = sum(change.end - change.start for change in changes)
    added = sum(change.new_end - change.new_start for change in changes)
    return gone + added <= (len(old) + len(new)) * _MAX_CHANGE


def _ends(start: int, words: list[str]) -> list[int]:
    ends = [start]
    for word in words:
        ends.append(ends[-1] + len(word))
    return ends


class _Encoder:
    """Writes a piece of a text as it stands within a scalar of one style."""

    def __init__(self, source: str, style: str, column: int) -> None:
        self._style = style
        if style in ("|", ">"):
            self._break = "\n\n" + (split_block(source, 0, column).indent or "")

    def __call__(self, text: str) -> str:
        if self._style == '"':
            return write_quoted(text)[1:-1]
        if self._style == "'":
            return text.replace("'", "''")
        return text.replace("\n", self._break) if self._style else text


def _applied(
    source: str, units: list[Unit], new: str, changes: list[_Change], encode: _Encoder
) -> str:
    pieces: list[str] = []
    at = index = 0
    for change in changes:
        while units[index].end <= change.start and index + 1 < len(units):
            index += 1
        first = units[index]
        last_index = index
        while units[last_index].end < change.end:
            last_index += 1
        last = units[last_index]
        before, begin = _place(first, change.start, is_end=False)
        after, finish = _place(last, change.end, is_end=True)
        text = new[change.new_start - before : change.new_end + after]
        pieces += (source[at:begin], encode(text))
        at = finish
    return "".join([*pieces, source[at:]])


def _place(unit: Unit, at: int, *, is_end: bool) -> tuple[int, int]:
    """Find a place of the value in the source: how many characters farther, and where."""
    if at <= unit.start:
        return 0, unit.source
    if at >= unit.end:
        return 0, unit.source_end
    if unit.is_same:
        return 0, unit.source + at - unit.start
    return (unit.end - at, unit.source_end) if is_end else (at - unit.start, unit.source)


def _units(source: str, value: str, style: str, column: int) -> list[Unit] | None:
    if style in ("|", ">"):
        return _units_of_lines(source, value, column)
    units: list[Unit] = []
    at = 0
    quote = len(style)
    for match in _UNIT.finditer(source, quote, len(source) - quote):
        kind, length = match.lastgroup, len(match[0])
        if style != '"' and kind in ("joined", "escape"):
            kind, length = "same", len(match[0])
            if "\n" in match[0]:
                return None
        elif style != "'" and kind == "quote":
            kind = "same"
        if kind == "fold":
            length = max(1, match[0].count("\n") - 1)
        elif kind in ("escape", "quote"):
            length = 1
        elif kind == "joined":
            length = 0
        units.append(Unit(at, match.start(), at + length, match.end(), kind == "same"))
        at += length
    is_right = at == len(value) and all(
        source[unit.source : unit.source_end] == value[unit.start : unit.end]
        for unit in units
        if unit.is_same
    )
    return units if is_right and units else None


def _units_of_lines(source: str, value: str, column: int) -> list[Unit] | None:
    width = len(split_block(source, 0, column).indent or "")
    units: list[Unit] = []
    at = 0
    broken = place = source.index("\n") + 1
    for line in source[place:].split("\n"):
        content = line[width:]
        if content:
            start = value.find(content, at)
            if start < 0 or value[at:start].strip(" \n"):
                return None
            if start > at or broken < place:
                units.append(Unit(at, broken, start, place + width, is_same=False))
            at = start + len(content)
            broken = place + len(line)
            units.append(Unit(start, place + width, at, broken, is_same=True))
        place += len(line) + 1
    return units if at == len(value) and units else None
