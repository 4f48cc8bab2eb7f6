"""A change of a prompt → the smallest change of its file.

The wanted value is compared with the present one node by node, and only the characters of what
differs are replaced: comments, quotes, order, blank lines and line ends of everything else stay.
The result is read again before it is returned: where an odd layout defeats a small change, the
whole file is written anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, Final

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from promptstore.errors import PromptFileError
from promptstore.model.faults import KeyPath
from promptstore.model.prompt import KEYS, Prompt
from promptstore.model.values import as_key, equal_as_json
from promptstore.promptfile.problems import YamlError
from promptstore.promptfile.reader import loads, parse, read_yaml
from promptstore.promptfile.scalareditor import reworded
from promptstore.promptfile.writer import (
    MAX_FLOW_WIDTH,
    dumps,
    write_block,
    write_entry,
    write_flow,
    write_item,
    write_key,
    write_top_entry,
    write_variable,
)
from promptstore.promptfile.yamlplaces import (
    COMMENT,
    Entry,
    LayoutError,
    Lines,
    Places,
    Splice,
    difference,
    is_empty,
    is_flow,
)

_MOST_COMPARED: Final = 1_000_000


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
        InvalidArgumentError: No file can hold the prompt.
    """
    document = parse(source, path)
    present, wanted = document.prompt.content, prompt.content
    if equal_as_json(present, wanted):
        return source
    text = source.decode()
    edited = _changed(text, _merged(document.tree.value, present, wanted))
    if edited is None or not _says(edited, wanted):
        edited = dumps(prompt).replace("\n", Lines(text).line_end)
    return edited.encode()


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return equal_as_json(loads(text).content, wanted)
    except PromptFileError:
        return False


def _merged(written: Any, present: Any, wanted: Any) -> Any:
    """Work out what a file shall say: what is written out at its default stays."""
    if equal_as_json(present, wanted):
        return written
    three = (written, present, wanted)
    if all(isinstance(value, list) for value in three) and len(set(map(len, three))) == 1:
        return [_merged(*items) for items in zip(*three, strict=True)]
    if not all(isinstance(value, dict) for value in three):
        return wanted
    merged = {
        key: _merged(value, present.get(key), wanted[key]) if key in wanted else value
        for key, value in written.items()
        if key in wanted or key not in present
    }
    return merged | {key: value for key, value in wanted.items() if key not in written}


def _changed(text: str, wanted: dict[str, Any]) -> str | None:
    """Change a text node by node; None where the result is not right."""
    lines = Lines(text)
    try:
        tree = read_yaml(lines.unix)
        edited = lines.apply([*_Editor(lines.unix).change(tree.root, tree.value, wanted, ())])
        found = read_yaml(edited)
    except (LayoutError, YamlError):
        return None
    return edited if not found.problems and equal_as_json(found.value, wanted) else None


class _Editor:
    """Works out the splices for one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places = Places(text)

    def change(self, node: Node, was: Any, now: Any, path: KeyPath) -> Iterator[Splice]:
        """Change a collection that stays one of its kind, and does not become empty."""
        if isinstance(node, MappingNode) and isinstance(now, dict) and node.value and now:
            yield from self._mapping(node, was, now, path)
        elif isinstance(node, SequenceNode) and isinstance(now, list) and node.value and now:
            yield from self._sequence(node, was, now, path)
        else:
            raise LayoutError

    def _value(self, entry: Entry, was: Any, now: Any, path: KeyPath) -> Iterator[Splice]:
        """Change the value of an entry."""
        if equal_as_json(was, now):
            return
        try:
            found = list(self.change(entry.node, was, now, path))
        except LayoutError:
            found = [self._scalar(entry, now) or self._anew(entry, now)]
        yield from found

    def _scalar(self, entry: Entry, now: Any) -> Splice | None:
        if isinstance(entry.node, ScalarNode) and not isinstance(now, (dict, list)):
            return reworded(self._places, entry, entry.node, now)
        return None

    def _anew(self, entry: Entry, now: Any) -> Splice:
        """Write a value anew; comments beside it stay."""
        in_line = write_flow(now, inside=entry.is_flow)
        if entry.is_flow:
            if entry.needs_colon or is_empty(entry.node):
                lead = ": " if entry.needs_colon else " "
                return Splice(entry.after, entry.after, lead + in_line)
            return Splice(entry.node_start, entry.end, in_line)
        if is_flow(entry.node) and len(in_line) <= MAX_FLOW_WIDTH and "\\n" not in in_line:
            return Splice(entry.node_start, entry.end, in_line)
        behind = self._places.comment_behind(entry.end)
        comments = [*self._places.comments_before(entry), *([behind.lstrip()] if behind else [])]
        end = entry.end + len(behind)
        blocks = len(comments) < 2 and self._places.has_room(end, entry.column, now)
        indent = " " * entry.column
        if entry.key is None:
            written = write_item(now, indent, blocks=blocks)[entry.column + 1 : -1]
        else:
            written = write_block(now, indent, blocks=blocks)
        first, line_end, rest = written.partition("\n")
        beside = "".join(f"  {comment}" for comment in comments[:1])
        below = "".join(f"\n{indent}  {comment}" for comment in comments[1:])
        return Splice(entry.after, end, f"{first}{beside}{below}{line_end}{rest}")

    def _mapping(
        self, node: MappingNode, was: dict[str, Any], now: dict[str, Any], path: KeyPath
    ) -> Iterator[Splice]:
        entries = self._places.entries(node)
        kept = {str(entry.key): entry for entry in entries if entry.key in now}
        # The mapping of one key in `[a: b]` has no braces.
        is_open = node.flow_style and self._text[node.start_mark.index] != "{"
        if not kept or (is_open and now.keys() != was.keys()):
            raise LayoutError
        yield from self._removals(node, [entry.key in now for entry in entries])
        for key, entry in kept.items():
            yield from self._value(entry, was[key], now[key], (*path, key))
        new = [key for key in now if key not in was]
        *_, last = kept.values()
        if node.flow_style:
            written = [f"{write_key(key)}: {write_flow(now[key], inside=True)}" for key in new]
            yield from self._flow_insertions(entries, last, written)
            return
        for key in new:
            before = last if path else _last_before(key, kept)
            yield self._insertion(before, last if before else entries[0], (*path, key), now[key])

    def _sequence(
        self, node: SequenceNode, was: list[Any], now: list[Any], path: KeyPath
    ) -> Iterator[Splice]:
        entries = self._places.entries(node)
        pairs: dict[int, int] = {}
        added: list[tuple[int, list[Any]]] = []
        for start, end, new_start, new_end in _alignment(was, now):
            count = min(end - start, new_end - new_start)
            pairs |= {start + n: new_start + n for n in range(count)}
            if new_end - new_start > count:
                added.append((start + count, now[new_start + count : new_end]))
        if not pairs:
            raise LayoutError
        yield from self._removals(node, [index in pairs for index in range(len(entries))])
        for index, new_index in pairs.items():
            yield from self._value(entries[index], was[index], now[new_index], (*path, new_index))
        for index, values in added:
            before = entries[index - 1] if index else None
            if node.flow_style:
                written = [write_flow(value, inside=True) for value in values]
                yield from self._flow_insertions(entries, before, written)
            else:
                for value in values:
                    yield self._insertion(before, entries[0], (*path, 0), value)

    def _flow_insertions(
        self, entries: list[Entry], before: Entry | None, written: list[str]
    ) -> Iterator[Splice]:
        """Put new entries between brackets or braces, apart as the others are."""
        gap = self._text[entries[-2].end : entries[-1].start] if len(entries) > 1 else ""
        gap = gap if gap.strip() == "," else ", "
        if written and before:
            yield Splice(before.end, before.end, "".join(gap + entry for entry in written))
        elif written:
            first = entries[0].start
            yield Splice(first, first, "".join(entry + gap for entry in written))

    def _insertion(self, before: Entry | None, other: Entry, path: KeyPath, value: Any) -> Splice:
        """Put a new entry behind another one, or before the first."""
        column = other.column
        if before is None:
            text = self._written(path, value, column, blocks=True)
            line = self._places.line_start(other.start)
            if not self._text[line : other.start].strip():
                return Splice(line, line, text)
            # The first entry stands behind a dash.
            return Splice(other.start, other.start, text[column:] + " " * column)
        place = self._places.line_behind(before)
        blocks = self._places.has_room(before.end, column, value)
        return Splice(place, place, self._written(path, value, column, blocks=blocks))

    def _written(self, path: KeyPath, value: Any, column: int, *, blocks: bool) -> str:
        indent = " " * column
        key = path[-1]
        if not isinstance(key, str):
            return write_item(value, indent, blocks=blocks)
        if len(path) == 1 and not column:
            return write_top_entry(key, value, blocks=blocks)
        if len(path) == 2 and path[0] == "variables":
            return write_variable(key, value, indent, blocks=blocks)
        return write_entry(key, value, indent, blocks=blocks)

    def _removals(self, node: Node, stays: list[bool]) -> Iterator[Splice]:
        """Remove entries, of which at least one stays; comments between them stay too."""
        entries = self._places.entries(node)
        if is_flow(node):
            yield from self._flow_removals(node, stays)
            return
        before: Entry | None = None
        for index, entry in enumerate(entries):
            line = self._places.line_start(entry.start)
            if stays[index]:
                before = entry
            elif not self._text[line : entry.start].strip():
                yield from self._removed_lines(line, entry, before)
            elif stays[index + 1] and "#" not in self._text[entry.end : entries[index + 1].start]:
                yield Splice(entry.start, entries[index + 1].start, "")
            else:
                # It shares its line with a dash, which stays there alone.
                lead = self._text[line : entry.start].rstrip()
                yield Splice(line + len(lead), self._places.line_end(entry.end) - 1, "")

    def _flow_removals(self, node: Node, stays: list[bool]) -> Iterator[Splice]:
        """Remove entries between brackets or braces."""
        entries = self._places.entries(node)
        last = max(index for index, stay in enumerate(stays) if stay)
        tail = self._text[entries[last].end : entries[-1].end]
        if last + 1 < len(entries) and "#" not in tail:
            yield Splice(entries[last].end, entries[-1].end, "")
            entries = entries[:last]
        at = int(node.start_mark.index) + 1
        for entry, stay in zip(entries, stays, strict=False):
            comma = self._places.skip(entry.end)
            end = comma + 1 if self._text[comma] == "," else entry.end
            if not stay:
                yield self._removed_in_flow(at, entry, end)
            at = end

    def _removed_in_flow(self, before: int, entry: Entry, end: int) -> Splice:
        """Remove an entry with its comma, and with its lines where it is alone on them."""
        _, line_end, lead = self._text[before : entry.start].rpartition("\n")
        behind = COMMENT.match(self._text, end)
        rest = behind.end() if behind else end
        while self._text[rest] == " ":
            rest += 1
        if line_end and not lead.strip() and self._text[rest] == "\n":
            return Splice(entry.start - len(lead), rest + 1, "")
        return Splice(entry.start, end if behind else rest, "")

    def _removed_lines(self, line: int, entry: Entry, before: Entry | None) -> Iterator[Splice]:
        """Remove whole lines, so that what follows does not become text of a block above."""
        end = self._places.line_end(entry.end)
        self._places.remove(line, end)
        block = self._places.last_block(before) if before else None
        if block is None:
            yield Splice(line, end, "")
            return
        following = self._places.after_blank_lines(end)
        yield Splice(line, following if block.keeps else end, "")
        own = self._places.comment_indent(following)
        if own is not None and block.indent is not None and own >= len(block.indent):
            yield Splice(following, following + own, " " * entry.column)


def _alignment(was: list[Any], now: list[Any]) -> Iterator[tuple[int, int, int, int]]:
    """Pair the items of two lists: those that are equal, and what stands between them."""
    old, new = (list(map(as_key, items)) for items in (was, now))
    head, end, _, new_end = difference(old, new)
    yield 0, head, 0, head
    yield end, len(old), new_end, len(new)
    old, new = old[head:end], new[head:new_end]
    if len(old) * len(new) > _MOST_COMPARED:
        yield head, end, head, new_end
        return
    for _, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield head + i, head + j, head + k, head + m


def _last_before(key: str, kept: dict[str, Entry]) -> Entry | None:
    """Find the last kept key at the top that comes before a key in canonical order."""
    rank = {name: number for number, name in enumerate(KEYS)}
    own = rank.get(key, len(KEYS))
    before = [entry for name, entry in kept.items() if rank.get(name, len(KEYS)) <= own]
    return before[-1] if before else None
