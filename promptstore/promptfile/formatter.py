"""A file → the same prompt in canonical form, with its comments, or with its keys put right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from promptstore.errors import Problem, PromptFileError
from promptstore.model.parts import MESSAGE_KEYS
from promptstore.model.prompt import KEYS
from promptstore.model.variables import VARIABLE_KEYS
from promptstore.promptfile import codes
from promptstore.promptfile.reader import Document, loads, parse
from promptstore.promptfile.writer import dumps, write_top_entry

_KEY: Final = re.compile(r"[\w-]+")
_LINE_END: Final = re.compile(r"(\r\n|\r|\n)")
_CUTOFF: Final = 0.75
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n{3,}")


def format_file(data: bytes, path: str = "<prompt>") -> bytes:
    """Write a file in canonical form.

    Keys stand in canonical order, each written in canonical style. Comments stay: one above a key
    moves with it, and a key that has a comment inside of its value is left as it is.

    Args:
        data: The content of the file.
        path: The file's path, for errors.

    Returns:
        The content in canonical form, which says the same.

    Raises:
        PromptFileError: The file is broken.
    """
    document = parse(data, path)
    text = document.tree.text.replace("\r\n", "\n").replace("\r", "\n")
    if "#" not in text:
        return dumps(document.prompt).encode()
    document = parse(text, path)
    masked = _masked(text, document.tree.root)
    comments = _comments(masked, text)
    if not comments:
        return dumps(document.prompt).encode()
    written = _with_comments(document, masked)
    is_same = loads(written).content == document.prompt.content
    kept = _comments(_masked(written, parse(written).tree.root), written)
    return written.encode() if is_same and sorted(kept) == sorted(comments) else data


def comments_of(data: bytes, path: str = "<prompt>") -> list[str]:
    """List the comments of a file, in its order.

    Raises:
        PromptFileError: The file is broken.
    """
    tree = parse(data, path).tree
    return _comments(_masked(tree.text, tree.root), tree.text)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key at the top of a file.

    Attributes:
        key: The key.
        lead: The comments and blank lines above it.
        body: Its lines.
        has_comment: Whether there is a comment among them.
    """

    key: str
    lead: str
    body: str
    has_comment: bool


def _with_comments(document: Document, masked: str) -> str:
    head, entries, tail = _split(document, masked)
    content = document.prompt.content
    rank = {key: number for number, key in enumerate(content)}
    written: list[tuple[int, str]] = []
    place = -1
    for entry in entries:
        place = rank.get(entry.key, place)
        text = _written(entry, content)
        if text:
            written.append((place, text))
    ordered = [text for _, text in sorted(written, key=lambda pair: pair[0])]
    whole = ""
    for text in (_tidy(head), *ordered, _tidy(tail).rstrip("\n")):
        whole += text.lstrip("\n") if not whole or whole.endswith("\n\n") else text
    return _ended(whole)


def _written(entry: _Entry, content: dict[str, Any]) -> str:
    lead = _tidy(entry.lead)
    if entry.has_comment or (entry.key not in content and lead):
        return lead + entry.body
    return lead + write_top_entry(entry.key, content[entry.key]) if entry.key in content else ""


def _split(document: Document, masked: str) -> tuple[str, list[_Entry], str]:
    """Cut a file at the keys of its top; a file in flow style is one piece."""
    root = document.tree.root
    assert isinstance(root, MappingNode)
    if root.flow_style or not root.value:
        return document.tree.text, [], ""
    lines = document.tree.text.splitlines(keepends=True)
    shown = masked.splitlines(keepends=True)
    starts = [key.start_mark.line for key, _ in root.value]
    ends = [*starts[1:], len(lines)]
    lead, entries = "", []
    for (key, _), start, end in zip(root.value, starts, ends, strict=True):
        last = _last_own_line(shown, start, end)
        body = "".join(lines[start:last])
        has_comment = "#" in "".join(shown[start:last])
        entries.append(_Entry(key.value, lead, _ended(body), has_comment))
        lead = "".join(lines[last:end])
    return "".join(lines[: starts[0]]), entries, lead


def _last_own_line(shown: list[str], start: int, end: int) -> int:
    """Leave the blank lines and the comments at the left edge to the key that follows."""
    while end > start + 1 and (not shown[end - 1].strip() or shown[end - 1].startswith("#")):
        end -= 1
    return end


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _tidy(text: str) -> str:
    """Keep comments with a blank line beside them; blank lines alone say nothing."""
    return _BLANK_LINES.sub("\n\n", f"\n{_ended(text)}")[1:] if "#" in text else ""


def _masked(text: str, root: Node) -> str:
    """Write an x over every character of a value, so that a `#` left is one of a comment."""
    pieces: list[str] = []
    at = 0
    for start, end in sorted(_spans(text, root)):
        if start < at:
            continue
        pieces += (text[at:start], re.sub(r"[^\n]", "x", text[start:end]))
        at = end
    return "".join([*pieces, text[at:]])


def _spans(text: str, node: Node) -> Iterator[tuple[int, int]]:
    if isinstance(node, ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):
            start = text.find("\n", start) + 1
        yield start, max(start, end)
        return
    for item in node.value:
        for child in item if isinstance(item, tuple) else (item,):
            yield from _spans(text, child)


def _comments(masked: str, text: str) -> list[str]:
    return [text[match.start() : match.end()].rstrip() for match in _COMMENT.finditer(masked)]


def fix_keys(data: bytes, path: str) -> bytes:
    """Return a file with near-miss keys written as they were meant.

    Args:
        data: The content of a file.
        path: The file's path.

    Returns:
        The content in which every fixed key is one fault less and no fault more.
    """
    while True:
        problems = _problems(data, path)
        fixed = next(
            (
                candidate
                for problem in problems
                if problem.code == codes.UNKNOWN_KEY
                and (candidate := _renamed(data, problem)) is not None
                and len(_problems(candidate, path)) < len(problems)
            ),
            None,
        )
        if fixed is None:
            return data
        data = fixed


def _problems(data: bytes, path: str) -> list[Problem]:
    try:
        parse(data, path)
    except PromptFileError as error:
        return list(error.problems)
    return []


def _renamed(data: bytes, problem: Problem) -> bytes | None:
    # Lines and what ends them, by turns.
    pieces = _LINE_END.split(data.decode())
    place = 2 * (problem.line - 1)
    line = pieces[place]
    match = _KEY.match(line, problem.column - 1)
    if match is None:
        return None
    known = KEYS if problem.column == 1 else (*VARIABLE_KEYS, *MESSAGE_KEYS, "insert")
    near = get_close_matches(match[0], known, n=1, cutoff=_CUTOFF)
    if not near:
        return None
    pieces[place] = line[: match.start()] + near[0] + line[match.end() :]
    return "".join(pieces).encode()
