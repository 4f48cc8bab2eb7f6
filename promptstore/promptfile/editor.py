"""A change of a prompt → the smallest change of its file.

The wanted content is compared with the present one node by node, and only the characters of what
differs are replaced; comments, quotes, order and layout of everything else stay. The result is
read again before it is given away: where an odd layout defeats a small change, the keys that
differ are written anew, and at last the whole file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from promptstore.errors import PromptFileError
from promptstore.model.prompt import KEYS, Prompt
from promptstore.promptfile.reader import loads, parse
from promptstore.promptfile.writer import dumps, write_top_entry, write_variable
from promptstore.promptfile.yamlreader import Tree
from promptstore.promptfile.yamlwriter import (
    can_be_block,
    write_block,
    write_entry,
    write_flow,
    write_item,
    write_literal,
)

_DASHES: Final = re.compile(r"^(?: |- )*")
_TRAILING_LINES: Final = re.compile(r"(?:[ \t]*\n|[ \t]+#[^\n]*(?:\n|\Z))*")
_COMMENT: Final = re.compile(r"[ \t]+#[^\n]*")


class _Splice(NamedTuple):
    """Characters `start` to `end` of the text, replaced by `text`."""

    start: int
    end: int
    text: str


class _TooOdd(Exception):  # noqa: N818 - a turn in the road, no error
    """This layout cannot be edited in small steps."""


def edit(source: bytes, prompt: Prompt, path: str = "<prompt>") -> bytes:
    """Change a prompt's file so that it says what a prompt says.

    Args:
        source: The file's present content.
        prompt: What it shall say; its identity in git does not count.
        path: The file's path, for errors.

    Returns:
        The new content; the same bytes where nothing changes.

    Raises:
        PromptFileError: The present content cannot be read.
    """
    document = parse(source, path)
    present, wanted = document.prompt.content, prompt.content
    if _same(present, wanted):
        return source
    text = source.decode()
    has_crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
    tree = parse(text.replace("\r\n", "\n"), path).tree if has_crlf else document.tree
    for attempt in (_edit_nodes, _edit_keys):
        with suppress(_TooOdd):
            edited = attempt(tree, present, wanted)
            if _says(edited, wanted):
                break
    else:
        edited = dumps(prompt)
    return (edited.replace("\n", "\r\n") if has_crlf else edited).encode()


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return _same(loads(text).content, wanted)
    except PromptFileError:
        return False


def _edit_nodes(tree: Tree, present: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Replace the smallest nodes that differ."""
    return _apply(tree.text, list(_Editor(tree.text).mapping(tree.root, present, wanted, ())))


def _edit_keys(tree: Tree, present: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Replace each key at the top whose value differs."""
    if not isinstance(tree.root, MappingNode) or tree.root.flow_style:
        raise _TooOdd
    editor = _Editor(tree.text)
    splices = []
    for key_node, value_node in tree.root.value:
        key = key_node.value
        if _same(present.get(key), wanted.get(key)):
            continue
        start, end = editor.lines(key_node, value_node)
        # Blank lines and indented comments could become part of a text before them.
        if trailing := _TRAILING_LINES.match(tree.text, end):
            end = trailing.end()
        splices.append(
            _Splice(start, end, write_top_entry(key, wanted[key]) if key in wanted else "")
        )
    there = {key_node.value for key_node, _ in tree.root.value}
    new = {key: value for key, value in wanted.items() if key not in there}
    edited = _apply(tree.text, splices)
    if new and not edited.endswith("\n"):
        edited += "\n"
    return edited + "".join(write_top_entry(key, value) for key, value in new.items())


def _apply(text: str, splices: list[_Splice]) -> str:
    # From the end, so that places stay right; of two at one place the later one goes in first.
    ordered = sorted(splices, key=lambda splice: (splice.start, splice.end))
    for splice in reversed(ordered):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


class _Editor:
    """Works out the splices for one text.

    Args:
        text: The text, with LF line ends.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def value(
        self, node: Node, present: Any, wanted: Any, keys: tuple[str, ...]
    ) -> Iterator[_Splice]:
        """Change a value."""
        if _same(present, wanted):
            return
        if isinstance(node, CollectionNode) and node.flow_style:
            yield self._inline(node, wanted)
        elif isinstance(node, MappingNode) and isinstance(wanted, dict) and wanted:
            yield from self.mapping(node, present, wanted, keys)
        elif isinstance(node, SequenceNode) and isinstance(wanted, list) and wanted:
            yield from self._sequence(node, present, wanted, keys)
        elif isinstance(node, ScalarNode) and not isinstance(wanted, (dict, list)):
            yield self._scalar(node, wanted)
        else:
            raise _TooOdd

    def mapping(
        self, node: Node, present: dict[str, Any], wanted: dict[str, Any], keys: tuple[str, ...]
    ) -> Iterator[_Splice]:
        """Change a mapping in block style."""
        if not isinstance(node, MappingNode) or node.flow_style or not node.value:
            raise _TooOdd
        entries = {key_node.value: (key_node, value) for key_node, value in node.value}
        # A key that the content leaves out although it is written is one at its default.
        gone = [key for key in entries if key in present and key not in wanted]
        if len(gone) == len(entries):
            raise _TooOdd
        for key, (key_node, value_node) in entries.items():
            if key in gone:
                yield self._removed(node, key_node, value_node)
            elif key in wanted and key not in present:
                raise _TooOdd
            elif key in wanted:
                yield from self._entry(key_node, value_node, present[key], wanted[key], keys)
        yield from self._added(node, entries, gone, wanted, keys)

    def lines(self, key_node: Node, value_node: Node) -> tuple[int, int]:
        """Find the lines of an entry: from the line of its key to the end of its last line."""
        start = self._line_start(key_node.start_mark.index)
        if self._text[start : key_node.start_mark.index].strip():
            raise _TooOdd
        return start, self._line_end(self._end(value_node, key_node))

    def _entry(
        self, key_node: Node, value_node: Node, present: Any, wanted: Any, keys: tuple[str, ...]
    ) -> Iterator[_Splice]:
        key = key_node.value
        try:
            yield from list(self.value(value_node, present, wanted, (*keys, key)))
        except _TooOdd:
            colon = self._text.index(":", key_node.end_mark.index)
            end = self._end(value_node, key_node)
            indent = " " * key_node.start_mark.column
            yield self._in_place(colon + 1, end, write_block(wanted, indent))

    def _in_place(self, start: int, end: int, text: str) -> _Splice:
        """Replace a value; a comment behind it stays on the first line of the new one."""
        first, line_end, below = text.partition("\n")
        comment = _COMMENT.match(self._text, end)
        if not line_end or not comment:
            return _Splice(start, end, text)
        return _Splice(start, comment.end(), f"{first}{comment[0]}\n{below}")

    def _sequence(
        self, node: SequenceNode, present: list[Any], wanted: list[Any], keys: tuple[str, ...]
    ) -> Iterator[_Splice]:
        """Change a list in block style: what is equal at both ends stays."""
        items = list(zip(node.value, present, strict=True))
        head = _common(present, wanted)
        tail = _common(present[head:][::-1], wanted[head:][::-1])
        old, new = items[head : len(items) - tail], wanted[head : len(wanted) - tail]
        column = node.start_mark.column
        for (item, was), now in zip(old, new, strict=False):
            try:
                yield from list(self.value(item, was, now, (*keys, "")))
            except _TooOdd:
                start, end = self._item_lines(item, column)
                yield _Splice(start, end, write_item(now, " " * column))
        for item, _ in old[len(new) :]:
            yield _Splice(*self._item_lines(item, column), "")
        added = "".join(write_item(value, " " * column) for value in new[len(old) :])
        if added:
            yield self._insertion(node.value, head + len(old), column, added)

    def _insertion(self, items: list[Node], index: int, column: int, text: str) -> _Splice:
        if index:
            _, place = self._item_lines(items[index - 1], column)
            if self._text[place - 1] != "\n":
                text = "\n" + text.removesuffix("\n")
        else:
            place, _ = self._item_lines(items[0], column)
        return _Splice(place, place, text)

    def _item_lines(self, item: Node, column: int) -> tuple[int, int]:
        dash = self._text.rfind("-", 0, item.start_mark.index)
        start = self._line_start(dash)
        if dash - start != column or self._text[start:dash].strip():
            raise _TooOdd
        return start, self._line_end(self._end(item, item))

    def _added(
        self,
        node: MappingNode,
        entries: dict[str, tuple[Node, Node]],
        gone: list[str],
        wanted: dict[str, Any],
        keys: tuple[str, ...],
    ) -> Iterator[_Splice]:
        """Put new keys where they belong: behind the nearest key that comes before them."""
        order = list(KEYS) if not keys else []
        kept = [key for key in entries if key not in gone]
        column = node.value[0][0].start_mark.column
        for key, value in wanted.items():
            if key in entries:
                continue
            text = self._written(key, value, column, keys)
            before = _last_before(key, kept, order) if order else kept[-1]
            if before is None:
                place = entries[kept[0]][0].start_mark.index
                indent = " " * column
                yield _Splice(place, place, text[column:] + indent)
            else:
                end = self._line_end(self._end(entries[before][1], entries[before][0]))
                if self._text[end - 1] != "\n":
                    text = "\n" + text.removesuffix("\n")
                yield _Splice(end, end, text)

    def _written(self, key: str, value: Any, column: int, keys: tuple[str, ...]) -> str:
        if not keys:
            return write_top_entry(key, value)
        if keys == ("variables",):
            return " " * column + write_variable(key, value).lstrip(" ")
        return write_entry(key, value, " " * column)

    def _removed(self, node: MappingNode, key_node: Node, value_node: Node) -> _Splice:
        start = key_node.start_mark.index
        line = self._line_start(start)
        end = self._line_end(self._end(value_node, key_node))
        if not self._text[line:start].strip():
            return _Splice(line, end, "")
        # The first key of a list item shares its line with the dash.
        following = [key for key, _ in node.value if key.start_mark.index > start]
        if not following:
            raise _TooOdd
        return _Splice(start, following[0].start_mark.index, "")

    def _inline(self, node: Node, wanted: Any) -> _Splice:
        if "\n" in self._text[node.start_mark.index : node.end_mark.index]:
            raise _TooOdd
        return _Splice(node.start_mark.index, node.end_mark.index, write_flow(wanted))

    def _scalar(self, node: ScalarNode, wanted: Any) -> _Splice:
        start, end = node.start_mark.index, self._end(node, node)
        if not isinstance(wanted, str) or not can_be_block(wanted):
            return self._one_line(node, start, end, wanted)
        indent = self._block_indent(node, start)
        if node.style in ("|", ">"):
            header_end = self._text.find("\n", start)
            comment = _COMMENT.search(self._text, start, header_end)
            rest = comment[0] if comment else ""
            return _Splice(start, end, self._block(wanted, indent, rest))
        line_end = self._text.find("\n", end)
        line_end = len(self._text) if line_end < 0 else line_end
        return _Splice(start, line_end, self._block(wanted, indent, self._text[end:line_end]))

    def _one_line(self, node: ScalarNode, start: int, end: int, wanted: Any) -> _Splice:
        if start == end:
            return _Splice(start, end, " " + write_flow(wanted))
        if node.style == "'" and isinstance(wanted, str) and wanted.isprintable():
            return _Splice(start, end, "'" + wanted.replace("'", "''") + "'")
        return _Splice(start, end, write_flow(wanted))

    def _block(self, text: str, indent: str, rest: str) -> str:
        header, _, body = write_literal(text, indent).partition("\n")
        if len(indent) and header[1:2].isdigit():
            # An indicator counts from the indent of the parent, which may differ here.
            raise _TooOdd
        return f"{header}{rest.rstrip()}\n{body}"

    def _block_indent(self, node: ScalarNode, start: int) -> str:
        """Find how far the lines of a block stand in: as far as now, else two more than its key."""
        if node.style in ("|", ">"):
            for line in self._text[start : self._end(node, node)].split("\n")[1:]:
                if line.strip():
                    return line[: len(line) - len(line.lstrip(" "))]
        line = self._text[self._line_start(start) : start]
        outer = len(line) - len(_DASHES.sub("", line, count=1))
        return " " * (outer + 2)

    def _end(self, node: Node, opener: Node) -> int:
        """Find where a value ends, comments and blank lines behind it left aside."""
        if isinstance(node, CollectionNode) and not node.flow_style:
            if isinstance(node, MappingNode):
                key_node, value_node = node.value[-1]
                return self._end(value_node, key_node)
            return self._end(node.value[-1], node.value[-1])
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            return self._block_end(node)
        end: int = node.end_mark.index
        # An empty value ends where its key does, behind the colon.
        return int(max(end, opener.end_mark.index + 1)) if end == node.start_mark.index else end

    def _block_end(self, node: ScalarNode) -> int:
        """Find the end of a block: blank lines behind it count only where they are text."""
        start, end = node.start_mark.index, node.end_mark.index
        block = self._text[start:end]
        if node.style == ">":
            return int(start) + len(block.rstrip())
        header, *lines = block.split("\n")
        keeps = "+" in header.split("#", 1)[0]
        text = node.value if keeps else node.value.rstrip("\n")
        count = text.count("\n") + (text[-1:] not in ("", "\n"))
        return int(start) + len("\n".join([header, *lines[:count]]))

    def _line_start(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        """Find the end of a line, its line end included."""
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does: in Python 1, 1.0 and True are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _common(left: list[Any], right: list[Any]) -> int:
    """Count how many items are equal from the start."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if not _same(one, other):
            break
        count += 1
    return count


def _last_before(key: str, kept: list[str], order: list[str]) -> str | None:
    """Find the last kept key that comes before a key in canonical order."""
    rank = {name: number for number, name in enumerate(order)}
    own = rank.get(key, len(order))
    before = [name for name in kept if rank.get(name, len(order)) <= own]
    return before[-1] if before else None
