"""A change of a value → the smallest change of its text.

The wanted value is compared with the present one node by node, and only the characters of what
differs are replaced: comments, quotes, order, blank lines and line ends of everything else stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.scalars import resolve_plain
from promptstore.promptfile.schema import KEYS
from promptstore.promptfile.writer import write_top_entry, write_variable
from promptstore.promptfile.yamlparser import compose
from promptstore.promptfile.yamlscalars import Block, in_layout, split_block
from promptstore.promptfile.yamlwriter import (
    INDENT,
    MAX_FLOW_WIDTH,
    can_be_block,
    write_block,
    write_entry,
    write_flow,
    write_item,
    write_key,
    write_literal,
)

Path = tuple[str | int, ...]

_TRIVIA: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_COMMENT: Final = re.compile(r"[ \t]+#[^\n]*")
_COMMENTS: Final = re.compile(r"#[^\n]*")
_BLANK_LINES: Final = re.compile(r"(?:[ \t]*\n)*")
_DEEPEST_INDICATOR: Final = 9
_MOST_COMPARED: Final = 1_000_000


class Splice(NamedTuple):
    """Characters `start` to `end` of a text, replaced by `text`."""

    start: int
    end: int
    text: str


class LayoutError(Exception):
    """This layout cannot be edited in small steps."""


class _Entry(NamedTuple):
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


def same(one: Any, other: Any) -> bool:
    """Compare as JSON does: in Python 1, 1.0 and True are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def find_splices(text: str, root: Node, present: Any, wanted: Any) -> list[Splice]:
    """Work out what to replace in a text so that it says something else.

    Args:
        text: The text, with LF line ends and one at its end.
        root: The node at its top.
        present: What it says.
        wanted: What it shall say: a mapping with at least one key.

    Returns:
        The splices. Where they hit an odd layout, the result may say something else.

    Raises:
        LayoutError: There is no small change.
    """
    return list(_Editor(text).change(root, present, wanted, ()))


def apply(text: str, found: list[Splice]) -> str:
    """Replace characters of a text; what is put in at one place keeps its order."""
    pieces: list[str] = []
    at = 0
    for splice in sorted(found, key=lambda splice: (splice.start, splice.end)):
        if splice.start < at:
            raise LayoutError
        pieces += (text[at : splice.start], splice.text)
        at = splice.end
    return "".join([*pieces, text[at:]])


class _Editor:
    """Works out the splices for one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[int, list[_Entry]] = {}
        self._gone: dict[int, int] = {}

    def change(self, node: Node, was: Any, now: Any, path: Path) -> Iterator[Splice]:
        """Change a collection that stays one of its kind."""
        if isinstance(node, MappingNode) and isinstance(now, dict) and node.value and now:
            yield from self._mapping(node, was, now, path)
        elif isinstance(node, SequenceNode) and isinstance(now, list) and node.value and now:
            yield from self._sequence(node, was, now, path)
        else:
            raise LayoutError

    # Where things stand.

    def _entries(self, node: Node) -> list[_Entry]:
        """Find the entries of a collection, in its order."""
        if id(node) not in self._known:
            self._known[id(node)] = list(self._found_entries(node))
        return self._known[id(node)]

    def _found_entries(self, node: Node) -> Iterator[_Entry]:
        is_flow = bool(node.flow_style)
        column = node.start_mark.column
        at = node.start_mark.index
        if is_flow and self._text[at] in "[{":
            at += 1
        for item in node.value:
            start = self._skip(at)
            if is_flow and self._text[start] == ",":
                start = self._skip(start + 1)
            if isinstance(item, tuple):
                key, value = item
                colon = self._skip(self._end_of_key(key))
                needs_colon = self._text[colon] != ":"
                if needs_colon and not is_flow:
                    raise LayoutError
                after = self._end_of_key(key) if needs_colon else colon + 1
                end = after if needs_colon else self._end(value, after, column)
                name = key.value
            else:
                name, value, needs_colon = None, item, False
                after = start if is_flow else start + 1
                if not is_flow and self._text[start] != "-":
                    raise LayoutError
                end = self._end(value, after, column)
            yield _Entry(name, value, start, after, end, column, is_flow, needs_colon)
            at = end

    def _end_of_key(self, key: Node) -> int:
        if not isinstance(key, ScalarNode) or key.style in ("|", ">"):
            raise LayoutError
        return int(key.end_mark.index)

    def _skip(self, at: int) -> int:
        """Find what follows, blanks and comments left aside."""
        found = _TRIVIA.match(self._text, at)
        end = found.end() if found else at
        if end == len(self._text):
            raise LayoutError
        return end

    def _end(self, node: Node, after: int, column: int) -> int:
        """Find where a value ends, comments and blank lines behind it left aside."""
        if isinstance(node, CollectionNode):
            is_written = node.flow_style and self._text[node.start_mark.index] in "[{"
            return int(node.end_mark.index) if is_written else self._entries(node)[-1].end
        if _is_empty(node):
            return after
        if node.style in ("|", ">"):
            return split_block(self._text, node.start_mark.index, column).end
        return int(node.end_mark.index)

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        """Find the end of a line, its line end included."""
        found = self._text.find("\n", at)
        return len(self._text) if found < 0 else found + 1

    # What an entry becomes.

    def _value(self, entry: _Entry, was: Any, now: Any, path: Path) -> Iterator[Splice]:
        """Change the value of an entry."""
        if same(was, now):
            return
        node = entry.node
        try:
            found = list(self.change(node, was, now, path))
        except LayoutError:
            if isinstance(node, ScalarNode) and not isinstance(now, (dict, list)):
                found = [self._scalar(entry, node, now)]
            else:
                found = [self._anew(entry, now)]
        yield from found

    def _anew(self, entry: _Entry, now: Any) -> Splice:
        """Write a value anew; comments beside it stay."""
        node = entry.node
        start = int(node.start_mark.index)
        in_line = write_flow(now, inside=entry.is_flow)
        if entry.is_flow:
            lead = ": " if entry.needs_colon else " "
            if entry.needs_colon or _is_empty(node):
                return Splice(entry.after, entry.after, lead + in_line)
            return Splice(start, entry.end, in_line)
        is_flow = isinstance(node, CollectionNode) and node.flow_style
        if is_flow and len(in_line) <= MAX_FLOW_WIDTH:
            return Splice(start, entry.end, in_line)
        behind = _COMMENT.match(self._text, entry.end)
        comments = [] if _is_empty(node) else self._comments_before(entry)
        if behind:
            comments.append(behind[0].lstrip())
        end = behind.end() if behind else entry.end
        blocks = len(comments) < 2 and self._has_room(end, entry.column, now)
        indent = " " * entry.column
        if entry.key is None:
            written = write_item(now, indent, blocks=blocks)[entry.column + 1 : -1]
        else:
            written = write_block(now, indent, blocks=blocks)
        first, line_end, rest = written.partition("\n")
        beside = "".join(f"  {comment}" for comment in comments[:1])
        below = "".join(f"\n{indent}  {comment}" for comment in comments[1:])
        return Splice(entry.after, end, f"{first}{beside}{below}{line_end}{rest}")

    def _comments_before(self, entry: _Entry) -> list[str]:
        """List the comments between a key or dash and its value, or behind the `|` of a block."""
        start = int(entry.node.start_mark.index)
        if isinstance(entry.node, ScalarNode) and entry.node.style in ("|", ">"):
            start = self._line_end(start)
        return _COMMENTS.findall(self._text, entry.after, start)

    def _has_room(self, end: int, column: int, value: Any) -> bool:
        """Whether a block may be the last line before a place: what follows must not become text.

        Args:
            end: Where the block would end.
            column: How far its outermost key or dash stands in.
            value: What ends with the block, if it does.
        """
        while isinstance(value, (dict, list)) and value:
            value = list(value.values())[-1] if isinstance(value, dict) else value[-1]
        if not isinstance(value, str) or not can_be_block(value):
            return True
        following = self._line_end(end)
        while True:
            following = self._gone.get(following, following)
            blank = _BLANK_LINES.match(self._text, following)
            if blank and blank[0]:
                if value.endswith("\n\n"):
                    return False
                following = blank.end()
            elif following not in self._gone:
                break
        line = self._text[following : self._line_end(following)]
        own = len(line) - len(line.lstrip(" "))
        return not line.lstrip(" \t").startswith("#") or own <= column

    # One scalar.

    def _scalar(self, entry: _Entry, node: ScalarNode, now: Any) -> Splice:
        if entry.needs_colon or _is_empty(node):
            return self._anew(entry, now)
        for splice in self._ways(entry, node, now):
            if self._says(entry, splice, now):
                return splice
        return self._anew(entry, now)

    def _ways(self, entry: _Entry, node: ScalarNode, now: Any) -> Iterator[Splice]:
        """Offer ways to write another scalar in the place of one, the best first."""
        start, end = int(node.start_mark.index), entry.end
        is_block = node.style in ("|", ">")
        if isinstance(now, str):
            if is_block:
                yield from self._in_block(entry, node, now)
            else:
                for source in in_layout(self._text[start:end], node, now, entry.column):
                    yield Splice(start, end, source)
            if can_be_block(now) and not entry.is_flow:
                yield from self._as_block(entry, node, now)
            if node.style == "'" and now.isprintable():
                yield Splice(start, end, "'" + now.replace("'", "''") + "'")
        comment = split_block(self._text, start, entry.column).comment if is_block else ""
        yield Splice(start, end, write_flow(now, inside=entry.is_flow) + comment)

    def _in_block(self, entry: _Entry, node: ScalarNode, now: str) -> Iterator[Splice]:
        """Offer a block with the lines that it has."""
        start = int(node.start_mark.index)
        block = split_block(self._text, start, entry.column)
        if now.endswith("\n\n") and self._line_end(block.last_blank) in self._gone:
            return
        source = self._text[start : block.last]
        is_end = now.rstrip("\n") == node.value.rstrip("\n")
        for found in [source] if is_end else in_layout(source, node, now, entry.column):
            first, _, body = found.partition("\n")
            behind = first[len(block.header) :]
            yield self._ended(start, block, block.header, behind, body, now)

    def _as_block(self, entry: _Entry, node: ScalarNode, now: str) -> Iterator[Splice]:
        """Offer a literal block."""
        start = int(node.start_mark.index)
        is_block = node.style in ("|", ">")
        block = split_block(self._text, start, entry.column) if is_block else None
        if not (block and block.indent) and not self._has_room(entry.end, entry.column, now):
            return
        if block and now.endswith("\n\n") and self._line_end(block.last_blank) in self._gone:
            return
        width = len(block.indent) if block and block.indent else entry.column + len(INDENT)
        step = width - entry.column
        if not 0 < step <= _DEEPEST_INDICATOR:
            return
        header, _, body = write_literal(now, " " * width, step).partition("\n")
        if block:
            yield self._ended(start, block, header, block.comment, body.rstrip("\n"), now)
        else:
            found = _COMMENT.match(self._text, entry.end)
            comment = found[0] if found else ""
            end = entry.end + len(comment)
            yield Splice(start, end, f"{header}{comment.rstrip()}\n{body}")

    def _ended(
        self, start: int, block: Block, header: str, behind: str, body: str, now: str
    ) -> Splice:
        """End a block with as many line ends as its text has; blank lines that are none stay."""
        breaks = len(now) - len(now.rstrip("\n"))
        if block.keeps and breaks == block.blank + 1:
            sign = "+"
        else:
            sign = {0: "-", 1: ""}.get(breaks, "+")
        signed = "".join(found for found in header if found not in "+-") + sign
        blank = "\n" * (breaks - 1) if sign == "+" else ""
        end = block.last_blank if sign or block.keeps else block.last
        if sign == "-" and not block.keeps:
            end = block.last
        if sign == "+" and block.blank == breaks - 1:
            blank, end = "", block.last
        return Splice(start, end, f"{signed}{behind}\n{body}{blank}")

    def _says(self, entry: _Entry, splice: Splice, now: Any) -> bool:
        """Read a scalar again, with what follows it."""
        trivia = _TRIVIA.match(self._text, splice.end)
        lead = self._text[entry.node.start_mark.index : splice.start]
        behind = self._text[splice.end : trivia.end() if trivia else splice.end]
        flow, block = f"k: [{lead}{splice.text}]\n", f"k: {lead}{splice.text}{behind}\n"
        try:
            root = compose(flow if entry.is_flow else " " * entry.column + block)
        except YamlError:
            return False
        return _is_only(root, now, is_flow=entry.is_flow)

    # Collections.

    def _mapping(
        self, node: Node, was: dict[str, Any], now: dict[str, Any], path: Path
    ) -> Iterator[Splice]:
        entries = self._entries(node)
        kept = [entry for entry in entries if entry.key in now]
        is_pair = node.flow_style and self._text[node.start_mark.index] != "{"
        if not kept or (is_pair and now.keys() != was.keys()):
            raise LayoutError
        yield from self._removals(node, [entry.key in now for entry in entries])
        for entry in kept:
            key = str(entry.key)
            yield from self._value(entry, was[key], now[key], (*path, key))
        new = [key for key in now if key not in was]
        if node.flow_style:
            written = [f"{write_key(key)}: {write_flow(now[key], inside=True)}" for key in new]
            yield from self._flow_insertions(kept[-1].end, written)
            return
        by_key = {str(entry.key): entry for entry in kept}
        for key in new:
            before = _last_before(key, list(by_key)) if not path else kept[-1].key
            place = None if before is None else by_key[before]
            yield self._insertion(kept, place, (*path, key), now[key])

    def _sequence(self, node: Node, was: list[Any], now: list[Any], path: Path) -> Iterator[Splice]:
        entries = self._entries(node)
        stays = [False] * len(entries)
        pairs: list[tuple[int, int]] = []
        added: list[tuple[int, list[Any]]] = []
        for start, end, new_start, new_end in _alignment(was, now):
            count = min(end - start, new_end - new_start)
            pairs += ((start + n, new_start + n) for n in range(count))
            if new_end - new_start > count:
                added.append((start + count, now[new_start + count : new_end]))
        for index, _ in pairs:
            stays[index] = True
        if not any(stays):
            raise LayoutError
        yield from self._removals(node, stays)
        for index, new_index in pairs:
            item = (*path, new_index)
            yield from self._value(entries[index], was[index], now[new_index], item)
        for index, values in added:
            if node.flow_style:
                written = [write_flow(value, inside=True) for value in values]
                if index:
                    yield from self._flow_insertions(entries[index - 1].end, written)
                else:
                    text = "".join(f"{item}, " for item in written)
                    yield Splice(entries[0].start, entries[0].start, text)
            else:
                place = entries[index - 1] if index else None
                for value in values:
                    yield self._insertion(entries, place, (*path, 0), value)

    def _flow_insertions(self, place: int, written: list[str]) -> Iterator[Splice]:
        if written:
            yield Splice(place, place, "".join(f", {item}" for item in written))

    def _insertion(
        self, entries: list[_Entry], before: _Entry | None, path: Path, value: Any
    ) -> Splice:
        """Put a new entry behind another one, or before the first."""
        column = entries[0].column
        if before is None:
            place = entries[0].start
            text = self._written(path, value, column, blocks=True)
            return Splice(place, place, text[column:] + " " * column)
        place = self._line_end(before.end)
        blocks = self._has_room(before.end, column, value)
        return Splice(place, place, self._written(path, value, column, blocks=blocks))

    def _written(self, path: Path, value: Any, column: int, *, blocks: bool) -> str:
        indent = " " * column
        if not isinstance(path[-1], str):
            return write_item(value, indent, blocks=blocks)
        if len(path) == 1 and not column:
            return write_top_entry(path[0], value, blocks=blocks)
        if len(path) == 2 and path[0] == "variables":
            return write_variable(path[1], value, indent, blocks=blocks)
        return write_entry(path[-1], value, indent, blocks=blocks)

    def _removals(self, node: Node, stays: list[bool]) -> Iterator[Splice]:
        """Remove entries, of which at least one stays; comments between them stay too."""
        entries = self._entries(node)
        if node.flow_style:
            yield from self._flow_removals(entries, stays)
            return
        for index, entry in enumerate(entries):
            if stays[index]:
                continue
            line = self._line_start(entry.start)
            if not self._text[line : entry.start].strip():
                kept = [
                    before for before, stay in zip(entries[:index], stays, strict=False) if stay
                ]
                yield from self._removed_lines(line, entry, kept[-1] if kept else None)
            elif stays[index + 1] and "#" not in self._text[entry.end : entries[index + 1].start]:
                yield Splice(entry.start, entries[index + 1].start, "")
            else:
                # It shares its line with a dash, which stays there alone.
                lead = self._text[line : entry.start].rstrip()
                yield Splice(line + len(lead), self._line_end(entry.end) - 1, "")

    def _flow_removals(self, entries: list[_Entry], stays: list[bool]) -> Iterator[Splice]:
        """Remove entries between brackets or braces."""
        last = max(index for index, stay in enumerate(stays) if stay)
        tail = self._text[entries[last].end : entries[-1].end]
        if last + 1 < len(entries) and "#" not in tail:
            yield Splice(entries[last].end, entries[-1].end, "")
            entries = entries[:last]
        for entry, stay in zip(entries, stays, strict=False):
            if stay:
                continue
            comma = self._skip(entry.end)
            end = comma + 1 if self._text[comma] == "," else entry.end
            line, line_end = self._line_start(entry.start), self._line_end(end)
            behind = self._text[end:line_end]
            if not self._text[line : entry.start].strip() and not _COMMENT.sub("", behind).strip():
                yield Splice(line, line_end, "")
            else:
                yield Splice(entry.start, end + len(behind) - len(behind.lstrip(" ")), "")

    def _removed_lines(self, line: int, entry: _Entry, before: _Entry | None) -> Iterator[Splice]:
        """Remove whole lines, so that what follows does not become text of a block above."""
        end = self._line_end(entry.end)
        self._gone[line] = end
        last = self._last_block(before) if before else None
        if last is None:
            yield Splice(line, end, "")
            return
        blank = _BLANK_LINES.match(self._text, end)
        following = blank.end() if blank else end
        yield Splice(line, following if last.keeps else end, "")
        comment = self._text[following : self._line_end(following)]
        own = len(comment) - len(comment.lstrip(" "))
        if comment.lstrip(" ").startswith("#") and own >= len(last.indent or " " * own):
            yield Splice(following, following + own, " " * entry.column)

    def _last_block(self, entry: _Entry) -> Block | None:
        """The block with which an entry ends, if it does."""
        while isinstance(entry.node, CollectionNode) and not entry.node.flow_style:
            entry = self._entries(entry.node)[-1]
        if isinstance(entry.node, ScalarNode) and entry.node.style in ("|", ">"):
            return split_block(self._text, entry.node.start_mark.index, entry.column)
        return None


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and not node.value


def _is_only(root: Node, value: Any, *, is_flow: bool) -> bool:
    """Whether a mapping of one key says a scalar, in flow style as the only item of a list."""
    if not isinstance(root, MappingNode) or len(root.value) != 1:
        return False
    node = root.value[0][1]
    if is_flow and isinstance(node, SequenceNode) and len(node.value) == 1:
        node = node.value[0]
    if not isinstance(node, ScalarNode):
        return False
    if node.style:
        return bool(node.value == value)
    with suppress(ValueError):
        return same(resolve_plain(node.value), value)
    return False


def _alignment(was: list[Any], now: list[Any]) -> Iterator[tuple[int, int, int, int]]:
    """Pair the items of two lists: those that are equal, and what stands between them."""
    old, new = ([json.dumps(item, sort_keys=True) for item in items] for items in (was, now))
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    rest = shorter - head
    tail = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
    yield 0, head, 0, head
    yield len(old) - tail, len(old), len(new) - tail, len(new)
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(old) * len(new) > _MOST_COMPARED:
        yield head, head + len(old), head, head + len(new)
        return
    for _, start, end, new_start, new_end in SequenceMatcher(None, old, new, False).get_opcodes():
        yield head + start, head + end, head + new_start, head + new_end


def _last_before(key: str, kept: list[str]) -> str | None:
    """Find the last kept key at the top that comes before a key in canonical order."""
    rank = {name: number for number, name in enumerate(KEYS)}
    own = rank.get(key, len(KEYS))
    before = [name for name in kept if rank.get(name, len(KEYS)) <= own]
    return before[-1] if before else None


def rewrite_key(text: str, root: Node, key: str, wanted: dict[str, Any]) -> list[Splice]:
    """Write a key at the top of a text anew, or remove it, or add it at the end.

    Args:
        text: The text, with LF line ends and one at its end.
        root: The node at its top.
        key: The key.
        wanted: What the whole text shall say.

    Returns:
        The splices.

    Raises:
        LayoutError: The keys at the top do not stand in lines of their own.
    """
    if not isinstance(root, MappingNode) or root.flow_style or root.start_mark.column:
        raise LayoutError
    written = write_top_entry(key, wanted[key], blocks=False) if key in wanted else ""
    starts = [key_node.start_mark.index for key_node, _ in root.value]
    names = [key_node.value for key_node, _ in root.value]
    if key not in names:
        return [Splice(len(text), len(text), written)]
    number = names.index(key)
    end = starts[number + 1] if number + 1 < len(starts) else len(text)
    lines = text[starts[number] : end].split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].startswith("#")):
        end -= len(lines.pop()) + 1
    return [Splice(starts[number], min(end + 1, len(text)), written)]
