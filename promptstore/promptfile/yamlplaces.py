"""Where things stand in a YAML text: entries of a collection, lines of a block, room for more."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from promptstore.promptfile.writer import can_be_block

COMMENT: Final = re.compile(r"[ \t]+#[^\n]*")
_ANY_COMMENT: Final = re.compile(r"#[^\n]*")
_TRIVIA: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_BLANK_LINES: Final = re.compile(r"(?:[ \t]*\n)*")
_LINE_END: Final = re.compile(r"\r\n?|\n")
_HEADER: Final = re.compile(r"[|>]([+-]?)([1-9]?)([+-]?)")


class LayoutError(Exception):
    """This layout cannot be edited in small steps."""


class Splice(NamedTuple):
    """Characters `start` to `end` of a text, replaced by `text`."""

    start: int
    end: int
    text: str


class Change(NamedTuple):
    """Characters of the old value, which become characters of the new one."""

    start: int
    end: int
    new_start: int
    new_end: int


def difference(old: Sequence[str], new: Sequence[str]) -> Change:
    """Return what is between the equal items at both ends."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    rest = shorter - head
    tail = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
    return Change(head, len(old) - tail, head, len(new) - tail)


class Entry(NamedTuple):
    """A key with its value, or an item.

    Attributes:
        key: The key; None for an item.
        node: The node of the value.
        start: Where it starts: at its key, its `?` or its dash.
        after: Where its value may start: behind the colon or the dash.
        end: Where it ends, comments and blank lines behind it left aside.
        column: How far the collection stands in.
        is_flow: Whether it stands between brackets or braces.
        needs_colon: Whether there is no colon yet.
    """

    key: str | None
    node: Node
    start: int
    after: int
    end: int
    column: int
    is_flow: bool
    needs_colon: bool = False

    @property
    def node_start(self) -> int:
        """Where the node of the value starts; of no use where that is empty."""
        return int(self.node.start_mark.index)


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


def is_block(node: Node) -> bool:
    """Return whether a node is a literal or folded block."""
    return isinstance(node, ScalarNode) and node.style in ("|", ">")


def is_flow(node: Node) -> bool:
    """Return whether a node is a collection between brackets or braces."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def is_empty(node: Node) -> bool:
    """Return whether a value is not written at all; parsers put such a node at various places."""
    return isinstance(node, ScalarNode) and not node.style and not node.value


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


class Places:
    """Finds places in one text.

    Args:
        text: The text, with LF line ends and one at its end.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._entries: dict[int, list[Entry]] = {}
        self._gone: dict[int, int] = {}
        self._extended: dict[int, int] = {}

    def entries(self, node: Node) -> list[Entry]:
        """Return the entries of a collection, in its order.

        Raises:
            LayoutError: They are written in a way that is not known here.
        """
        if id(node) not in self._entries:
            self._entries[id(node)] = list(self._found(node))
        return self._entries[id(node)]

    def _found(self, node: Node) -> Iterator[Entry]:
        in_flow = is_flow(node)
        column, at = node.start_mark.column, node.start_mark.index
        if in_flow and self.text[at] in "[{":
            at += 1
        for item in node.value:
            start = self.skip(at)
            if in_flow and self.text[start] == ",":
                start = self.skip(start + 1)
            if isinstance(item, tuple):
                key, value = item
                entry = self._keyed(key, value, start, column, in_flow=in_flow)
            elif in_flow or self.text[start] == "-":
                after = start if in_flow else start + 1
                end = self._end(item, after, column)
                entry = Entry(None, item, start, after, end, column, in_flow)
            else:
                raise LayoutError
            yield entry
            at = entry.end

    def _keyed(self, key: Node, node: Node, start: int, column: int, *, in_flow: bool) -> Entry:
        if not isinstance(key, ScalarNode) or is_block(key):
            raise LayoutError
        after = int(key.end_mark.index)
        colon = self.skip(after)
        if self.text[colon] == ":":
            end = self._end(node, colon + 1, column)
            return Entry(key.value, node, start, colon + 1, end, column, in_flow)
        if not in_flow:
            raise LayoutError
        return Entry(key.value, node, start, after, after, column, in_flow, needs_colon=True)

    def _end(self, node: Node, after: int, column: int) -> int:
        """Find where a value ends, comments and blank lines behind it left aside."""
        if isinstance(node, (MappingNode, SequenceNode)):
            is_closed = node.flow_style and self.text[node.start_mark.index] in "[{"
            return int(node.end_mark.index) if is_closed else self.entries(node)[-1].end
        if is_empty(node):
            return after
        if is_block(node):
            return split_block(self.text, node.start_mark.index, column).end
        return int(node.end_mark.index)

    def skip(self, at: int) -> int:
        """Return what follows a place, blanks and comments left aside.

        Raises:
            LayoutError: Nothing follows.
        """
        end = _after(_TRIVIA, self.text, at)
        if end == len(self.text):
            raise LayoutError
        return end

    def trivia(self, at: int) -> str:
        """Return the whole lines of blanks and comments that follow a place, from that place on."""
        found = self.text[at : _after(_TRIVIA, self.text, at)]
        return found[: found.rfind("\n") + 1]

    def line_start(self, at: int) -> int:
        """Return where a line starts."""
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """Return where a line ends, its line end included."""
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def after_blank_lines(self, at: int) -> int:
        """Return the start of the first line that is not blank, from the start of a line on."""
        return _after(_BLANK_LINES, self.text, at)

    def comment_indent(self, at: int) -> int | None:
        """Return how far the comment stands in that is alone on a line; None where none is."""
        line = self.text[at : self.line_end(at)].lstrip(" \t")
        own = self.line_end(at) - at - len(line)
        return own if line.startswith("#") else None

    def comment_behind(self, at: int) -> str:
        """Return the comment in the rest of a line, with the space before it."""
        found = COMMENT.match(self.text, at)
        return found[0].rstrip() if found else ""

    def comments_before(self, entry: Entry) -> list[str]:
        """Return the comments between a key or dash and its value, or behind a block's header."""
        if is_empty(entry.node):
            return []
        start = entry.node_start
        end = self.line_end(start) if is_block(entry.node) else start
        return _ANY_COMMENT.findall(self.text, entry.after, end)

    def last_block(self, entry: Entry) -> Block | None:
        """Return the block with which an entry ends, if it does."""
        while isinstance(entry.node, CollectionNode) and not entry.node.flow_style:
            entry = self.entries(entry.node)[-1]
        if is_block(entry.node):
            return split_block(self.text, entry.node_start, entry.column)
        return None

    def remove(self, start: int, end: int) -> None:
        """Note that whole lines go, so that others come to stand below what is above them."""
        self._gone[start] = end

    def is_removed(self, start: int) -> bool:
        """Return whether the line that starts at a place goes."""
        return start in self._gone

    def extend(self, end: int, to: int) -> None:
        """Note that a block comes to end with the blank lines behind it."""
        self._extended[end] = to

    def line_behind(self, entry: Entry) -> int:
        """Return the start of the line behind an entry, where another one may be put."""
        return self.line_end(self._extended.get(entry.end, entry.end))

    def has_room(self, end: int, column: int, value: Any) -> bool:
        """Return whether a value may end with a block: what follows must not become its text.

        Args:
            end: A place in the last line before what follows.
            column: How far the outermost key or dash of the value stands in.
            value: The value.
        """
        while isinstance(value, (dict, list)) and value:
            value = list(value.values())[-1] if isinstance(value, dict) else value[-1]
        if not isinstance(value, str) or not can_be_block(value):
            return True
        at = self.line_end(end)
        while True:
            at = self._gone.get(at, at)
            following = self.after_blank_lines(at)
            if following > at and value.endswith("\n\n"):
                return False
            if following not in self._gone:
                return (self.comment_indent(following) or 0) <= column
            at = following


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Find the end of what a pattern matches at a place, which may be nothing."""
    found = pattern.match(text, at)
    return found.end() if found else at


class Lines:
    """A text of which the line ends stay as they are.

    Attributes:
        unix: The text with LF line ends and one at its end.
        line_end: The line end that most of its lines have.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        count = text.count("\r\n")
        self.line_end = "\r\n" if 2 * count > text.count("\n") else "\n"
        self._is_ended = text.endswith(("\n", "\r"))
        self._text = text if self._is_ended else text + self.line_end
        self.unix = _LINE_END.sub("\n", self._text)
        pairs = (match.start() for match in re.finditer("\r\n", self._text))
        self._pairs = [start - number for number, start in enumerate(pairs)]

    def apply(self, splices: list[Splice]) -> str:
        """Replace characters of the text by their places in `unix`."""
        edited = _applied(self._text, list(map(self._placed, splices)))
        ended = edited.removesuffix(self.line_end)
        return edited if self._is_ended or ended.endswith(("\n", "\r")) else ended

    def _placed(self, splice: Splice) -> Splice:
        """Find the characters that differ in the text itself."""
        start, end = splice.start, splice.end
        change = difference(self.unix[start:end], splice.text)
        text = splice.text[change.new_start : change.new_end].replace("\n", self.line_end)
        return Splice(self._place(start + change.start), self._place(start + change.end), text)

    def _place(self, at: int) -> int:
        return at + bisect_left(self._pairs, at)


def _applied(text: str, splices: list[Splice]) -> str:
    """Replace characters of a text; what is put in at one place keeps its order."""
    pieces: list[str] = []
    at = 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        if splice.start < at:
            raise LayoutError
        pieces += (text[at : splice.start], splice.text)
        at = splice.end
    return "".join([*pieces, text[at:]])
