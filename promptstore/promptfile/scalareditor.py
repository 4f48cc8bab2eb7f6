"""Another value for a scalar → the smallest change of its source.

A folded string keeps its lines and a quoted one its escapes where their words stay. Each way to
write the value is read again before it is taken: the first that says what is wanted is the best.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.reader import compose, is_string_everywhere, resolve_plain
from promptstore.promptfile.writer import (
    INDENT,
    can_be_block,
    write_flow,
    write_literal,
    write_quoted,
)
from promptstore.promptfile.yamlplaces import (
    Block,
    Change,
    Entry,
    Places,
    Splice,
    difference,
    is_block,
    is_empty,
    split_block,
)

_DEEPEST_INDICATOR: Final = 9
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
"""How much of a string may change before its lines make no sense any more."""


def reworded(places: Places, entry: Entry, node: ScalarNode, now: Any) -> Splice | None:
    """Change one scalar.

    Args:
        places: The places of its text.
        entry: Its entry.
        node: Its node.
        now: What it shall say, no collection.

    Returns:
        What to replace; None where it has to be written anew.
    """
    if entry.needs_colon or is_empty(node):
        return None
    ways = _Ways(places, entry, node).ways(now)
    return next((splice for splice in ways if _says(places, entry, splice, now)), None)


class _Ways:
    """Offers ways to write something else in the place of a scalar, the best first."""

    def __init__(self, places: Places, entry: Entry, node: ScalarNode) -> None:
        self._places = places
        self._entry = entry
        self._node = node
        self._start = entry.node_start
        self._block: Block | None = None
        if is_block(node):
            self._block = split_block(places.text, self._start, entry.column)

    def ways(self, now: Any) -> Iterator[Splice]:
        """Offer ways to write a value."""
        start, end, is_in_flow = self._start, self._entry.end, self._entry.is_flow
        if isinstance(now, str):
            yield from self._in_layout(now)
            if can_be_block(now) and not is_in_flow:
                yield from self._literal(now)
            if self._node.style == "'" and now.isprintable():
                yield Splice(start, end, "'" + now.replace("'", "''") + "'")
        comment = self._block.comment if self._block else ""
        yield Splice(start, end, write_flow(now, inside=is_in_flow) + comment)

    def _in_layout(self, now: str) -> Iterator[Splice]:
        """Keep the layout that is there."""
        block, column = self._block, self._entry.column
        end = block.last if block else self._entry.end
        source = self._places.text[self._start : end]
        found = _in_layout(source, self._node, now, column)
        if block is None:
            yield from (Splice(self._start, end, way) for way in found)
        elif self._has_end(block, now):
            is_end = now.rstrip("\n") == self._node.value.rstrip("\n")
            for way in [source] if is_end else found:
                body = way.partition("\n")[2]
                yield self._ended(block, block.header, body, now)

    def _literal(self, now: str) -> Iterator[Splice]:
        """Write a literal block."""
        block, entry = self._block, self._entry
        has_room = self._places.has_room(entry.end, entry.column, now)
        if not has_room and not (block and block.indent and self._has_end(block, now)):
            return
        width = len(block.indent) if block and block.indent else entry.column + len(INDENT)
        if width - entry.column > _DEEPEST_INDICATOR:
            return
        written = write_literal(now, " " * width, width - entry.column)
        header, _, body = written.partition("\n")
        if block:
            yield self._ended(block, header, body.rstrip("\n"), now)
        else:
            comment = self._places.comment_behind(entry.end)
            yield Splice(self._start, entry.end + len(comment), f"{header}{comment}\n{body}")

    def _has_end(self, block: Block, now: str) -> bool:
        """Return whether no line goes below the block that would leave it more blank lines."""
        return not (
            now.endswith("\n\n")
            and self._places.is_removed(self._places.line_end(block.last_blank))
        )

    def _ended(self, block: Block, header: str, body: str, now: str) -> Splice:
        """End a block with as many line ends as its text has; blank lines that are none stay."""
        breaks = len(now) - len(now.rstrip("\n"))
        stays = block.keeps and breaks == block.blank + 1
        sign = "+" if stays else {0: "-", 1: ""}.get(breaks, "+")
        signed = "".join(found for found in header if found not in "+-") + sign
        if sign == "+":
            self._places.extend(block.last, block.last_blank)
        if sign == "+" and breaks != block.blank + 1:
            end, blank = block.last_blank, "\n" * (breaks - 1)
        else:
            end, blank = block.end if sign != "+" else block.last, ""
        return Splice(self._start, end, f"{signed}{block.comment}\n{body}{blank}")


def _says(places: Places, entry: Entry, splice: Splice, value: Any) -> bool:
    """Read a scalar again, with what follows it."""
    if entry.is_flow:
        text = f"k: [{splice.text}]"
    else:
        text = f"{' ' * entry.column}k: {splice.text}{places.trivia(splice.end)}"
    try:
        root = compose(text)
    except YamlError:
        return False
    node: Node = root.value[0][1] if isinstance(root, MappingNode) else root
    if isinstance(node, SequenceNode) and entry.is_flow and len(node.value) == 1:
        node = node.value[0]
    if not isinstance(node, ScalarNode) or len(root.value) != 1:
        return False
    with suppress(ValueError):
        found = node.value if node.style else resolve_plain(node.value)
        return type(found) is type(value) and bool(found == value)
    return False


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


def _in_layout(source: str, node: ScalarNode, wanted: str, column: int) -> Iterator[str]:
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
    if not old or not new or (not node.style and not is_string_everywhere(wanted)):
        return
    if node.style == "|":
        yield _with_lines(source, old, new, column)
        return
    units = _units(source, old, node.style or "", column)
    if units is None:
        return
    encode = _encoder(source, node.style or "", column)
    whole = difference(old, new)
    changes = _changes(old, new, whole)
    if "\n" in source and not _are_alike(changes, old, new):
        return
    # Only a folded block, and a quoted text with escapes, have a way to write a line end.
    has_line_ends = node.style == ">" or (node.style == '"' and "\n" in old)
    if not has_line_ends and any("\n" in new[c.new_start : c.new_end] for c in changes):
        return
    yield _applied(source, units, new, changes, encode)
    yield _applied(source, units, new, [whole], encode)


def _with_lines(source: str, old: str, new: str, column: int) -> str:
    """Replace the lines of a literal block between those that are equal at both ends."""
    indent = split_block(source, 0, column).indent or ""
    header, *lines = source.split("\n")
    old_lines, new_lines = old.split("\n"), new.split("\n")
    change = difference(old_lines, new_lines)
    written = [
        indent + line if line else "" for line in new_lines[change.new_start : change.new_end]
    ]
    return "\n".join([header, *lines[: change.start], *written, *lines[change.end :]])


def _changes(old: str, new: str, whole: Change) -> list[Change]:
    """Return what differs word by word."""
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
        Change(places[i], places[j], new_places[k], new_places[m])
        for tag, i, j, k, m in SequenceMatcher(None, words, new_words).get_opcodes()
        if tag != "equal"
    ]


def _are_alike(changes: list[Change], old: str, new: str) -> bool:
    """Return whether enough of a string stays for its lines to make sense."""
    gone = sum(change.end - change.start for change in changes)
    added = sum(change.new_end - change.new_start for change in changes)
    return gone + added <= (len(old) + len(new)) * _MAX_CHANGE


def _ends(start: int, words: list[str]) -> list[int]:
    ends = [start]
    for word in words:
        ends.append(ends[-1] + len(word))
    return ends


def _encoder(source: str, style: str, column: int) -> Callable[[str], str]:
    """Return what writes a piece of a string as it stands within a scalar of one style."""
    if style == '"':
        return lambda text: write_quoted(text)[1:-1]
    if style == "'":
        return lambda text: text.replace("'", "''")
    if style:
        line_end = "\n\n" + (split_block(source, 0, column).indent or "")
        return lambda text: text.replace("\n", line_end)
    return str


def _applied(
    source: str, units: list[Unit], new: str, changes: list[Change], encode: Callable[[str], str]
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
