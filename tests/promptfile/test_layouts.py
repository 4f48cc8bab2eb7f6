"""An edit changes the characters of what changed, in any layout, and loses no comment."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptstore.errors import PromptFileError
from promptstore.promptfile.editor import edit
from promptstore.promptfile.formatter import comments_of
from promptstore.promptfile.reader import Document, loads, parse
from promptstore.promptfile.writer import dumps
from tests.promptfile.layouts import Edit, Layout

seeds = st.integers(0, 1 << 32)


@settings(max_examples=80)
@given(seeds, seeds)
def test_an_edit_in_any_layout(seed: int, another: int) -> None:
    text = Layout(seed).file()
    try:
        document = parse(text)
    except PromptFileError:
        return  # a comment that stands too far in, or a block without one of its lines
    change = Edit(another, document.tree.value)
    wanted = loads(dumps(loads(write(change.value))))
    edited = edit(text.encode(), wanted)
    assert loads(edited) == wanted
    assert edit(text.encode(), document.prompt) == text.encode()
    first, last = lines_of(document, change)
    comments = comments_of(text.encode())
    inside = comments_within(text, comments, first, last) if change.kind != "add" else set()
    old = value_at(document.tree.value, change.path)
    if not isinstance(old, (dict, list)) and change.kind == "set":
        inside = set()
    kept = [comment for comment in comments if comment not in inside]
    assert [comment for comment in comments_of(edited) if comment in kept] == kept
    lines, new_lines = text.splitlines(), edited.decode().splitlines()
    assert new_lines[:first] == lines[:first]
    behind = [line.strip() for line in lines[last + 1 :] if line.strip()]
    if change.kind == "remove":
        del behind[:1]  # it may have come up to the line of a dash
    found = [line.strip() for line in new_lines if line.strip()]
    assert found[len(found) - len(behind) :] == behind
    assert {end_of(line) for line in edited.decode().splitlines(keepends=True)} <= {
        end_of(line) for line in text.splitlines(keepends=True)
    } | {""}


def write(value: Any) -> str:
    import json

    return json.dumps(value)


def value_at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError):
            return None
    return value


def end_of(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def lines_of(document: Document, change: Edit) -> tuple[int, int]:
    """The first and the last line that the edit may change."""
    for length in range(1, len(change.path)):
        node, _ = document.tree.find(change.path[:length])
        if getattr(node, "flow_style", False):
            return node.start_mark.line, node.end_mark.line
    node, key = document.tree.find(change.path)
    above, _ = document.tree.find(change.path[:-1])
    if change.kind == "add" or node is above:
        return max(0, above.start_mark.line - 1), above.end_mark.line
    if key:
        return key.start_mark.line, node.end_mark.line
    index = last = change.path[-1]
    items = value_at(document.tree.value, change.path[:-1])
    if change.kind == "remove":  # of equal items beside one another any may go
        while index and items[index - 1] == items[last]:
            index -= 1
        while last + 1 < len(items) and items[last + 1] == items[index]:
            last += 1
    start, end = (document.tree.find((*change.path[:-1], n))[0] for n in (index - 1, last))
    return start.end_mark.line if index else above.start_mark.line, end.end_mark.line


def comments_within(text: str, comments: list[str], first: int, last: int) -> set[str]:
    lines = text.splitlines()[first : last + 1]
    return {comment for comment in comments if any(line.endswith(comment) for line in lines)}
