"""A prompt's file → the prompt, and the places of things in the file.

YAML 1.2 is read strictly. What a prompt file has no use for is refused: duplicate keys, other keys
than strings, numbers that JSON cannot hold, and the three characters that only YAML 1.1 takes for
line breaks.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from promptstore.errors import Problem, PromptFileError
from promptstore.model.faults import KeyPath, shown
from promptstore.model.prompt import Prompt, parse_content
from promptstore.model.values import MAX_DEPTH
from promptstore.promptfile import codes
from promptstore.promptfile.problems import (
    MAX_PROBLEMS,
    Problems,
    YamlError,
    name_mistakes,
    place_of,
)
from promptstore.promptfile.yamlparser import DEEP_MESSAGE, compose, is_string, resolve_plain

MAX_BYTES: Final = 1 << 20

_UNWRITABLE: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_PLAIN_ASCII: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))


class Tree:
    """A parsed text.

    Attributes:
        text: The text.
        root: The node at its top.
        value: The value as plain JSON; of no use where there are problems.
        problems: Duplicate keys and the like: faults that did not stop the reading.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Node = compose(text)
        self.problems = Problems()
        self.value: Any = _Constructor(self.problems).construct(self.root, 1)
        self._pairs: dict[int, dict[str, tuple[Node, Node]]] = {}

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their line ends."""
        return self.text.split("\n")

    def find(self, path: KeyPath) -> tuple[Node, Node | None]:
        """Walk down by keys and indexes, as far as there is something.

        Args:
            path: The keys and indexes.

        Returns:
            The value's node, and the node of its key where it has one.
        """
        node, key_node = self.root, None
        for step in path:
            if isinstance(node, MappingNode) and isinstance(step, str):
                found = self._pairs_of(node).get(step)
                if found is None:
                    break
                key_node, node = found
            elif (
                isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value)
            ):
                key_node, node = None, node.value[step]
            else:
                break
        return node, key_node

    def _pairs_of(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        if id(node) not in self._pairs:
            # Of a key that stands twice the first one counts.
            pairs = ((pair[0].value, pair) for pair in reversed(node.value))
            self._pairs[id(node)] = {key: pair for key, pair in pairs if isinstance(key, str)}
        return self._pairs[id(node)]


def read_yaml(data: bytes | str) -> Tree:
    """Parse one document.

    Args:
        data: The file's content.

    Returns:
        Its value and its nodes.

    Raises:
        YamlError: It cannot be parsed at all, or has `MAX_PROBLEMS` faults.
    """
    text = _decode(data)
    _refuse_characters(text)
    return Tree(text)


def _decode(data: bytes | str) -> str:
    size = len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        message = f"The file has {size:,} bytes; at most {MAX_BYTES:,} are read."
        raise YamlError([Problem(1, 1, codes.TOO_LARGE, message)])
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        message = f"The byte 0x{data[error.start]:02x} is not UTF-8. Save the file as UTF-8."
        raise YamlError([Problem(line, column, codes.ENCODING, message)]) from None


def _refuse_characters(text: str) -> None:
    if text.isascii() and not text.encode().translate(None, _PLAIN_ASCII):
        return
    found = islice(_UNWRITABLE.finditer(text), MAX_PROBLEMS)
    problems = [_character_problem(text, match) for match in found]
    if problems:
        raise YamlError(problems)


def _character_problem(text: str, match: re.Match[str]) -> Problem:
    start = match.start()
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    code = ord(match[0])
    if start == 0 and code == 0xFEFF:
        message = "The file starts with a byte order mark. Save it as UTF-8 without one."
    else:
        escape = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
        message = (
            f"The character U+{code:04X} cannot stand in a file; "
            f"write it as {escape} in a string between double quotes."
        )
    return Problem(line, column, codes.ENCODING, message)


class _Constructor:
    """Turns nodes into plain JSON and collects what is wrong on the way."""

    def __init__(self, problems: Problems) -> None:
        self._report = problems.report

    def construct(self, node: Node, depth: int) -> Any:
        if type(node) is ScalarNode:
            return node.value if node.style else self._plain(node)
        if depth > MAX_DEPTH:
            self._report(node.start_mark, codes.TOO_LARGE, DEEP_MESSAGE)
            return None
        if type(node) is SequenceNode:
            return [self.construct(item, depth + 1) for item in node.value]
        return self._mapping(node, depth)

    def _plain(self, node: ScalarNode) -> Any:
        try:
            return resolve_plain(node.value)
        except ValueError as error:
            self._report(node.start_mark, codes.WRONG_VALUE, f"{_capital(str(error))}.")
            return None

    def _mapping(self, node: Node, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                continue
            if key in found:
                self._report_again(node, key_node)
            found[key] = self.construct(value_node, depth + 1)
        return found

    def _report_again(self, mapping: Node, again: ScalarNode) -> None:
        first = next(key for key, _ in mapping.value if key.value == again.value)
        line, column = place_of(first.start_mark)
        message = f"The key {shown(again.value)!r} stands here again"
        message = f"{message}; first in line {line}, column {column}."
        self._report(again.start_mark, codes.DUPLICATE_KEY, message)

    def _key(self, node: Node) -> str | None:
        if type(node) is not ScalarNode:
            message = "A key must be a string; one that starts with a brace needs quotes."
            self._report(node.start_mark, codes.WRONG_VALUE, message)
            return None
        if not node.style and not is_string(node.value):
            message = f"The key {shown(node.value)!r} is not a string; put it in quotes."
            self._report(node.start_mark, codes.WRONG_VALUE, message)
            return None
        text: str = node.value
        return text


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


@dataclass(frozen=True, slots=True)
class Document:
    """A prompt's file that was read and found valid.

    Attributes:
        path: The file's path.
        tree: The file's text with its nodes.
        prompt: What it says, as a prompt without an identity.
    """

    path: str
    tree: Tree
    prompt: Prompt


def loads(data: bytes | str, path: str = "<prompt>") -> Prompt:
    """Read a prompt from the content of its file.

    Args:
        data: The content.
        path: The file's path, for errors.

    Returns:
        The prompt, without an identity.

    Raises:
        PromptFileError: With every problem of the file; of more than 100 the first.
    """
    return parse(data, path).prompt


def parse(data: bytes | str, path: str = "<prompt>") -> Document:
    """Read a prompt from the content of its file, and remember where things stand.

    Args:
        data: The content.
        path: The file's path, for errors.

    Returns:
        The prompt and the places.

    Raises:
        PromptFileError: With every problem of the file; of more than 100 the first.
    """
    try:
        tree = read_yaml(data)
        return Document(path, tree, _checked(tree))
    except YamlError as error:
        text = data if isinstance(data, str) else data.decode(errors="replace")
        problems = name_mistakes(text, _without_echoes(error.problems))
        raise PromptFileError(path=path, problems=problems) from None


def parse_yaml(data: bytes | str, path: str = "<yaml>") -> Any:
    """Read any YAML or JSON as strictly as a prompt file.

    Args:
        data: The content.
        path: Where it is from, for errors.

    Returns:
        The plain value.

    Raises:
        PromptFileError: With every problem; of more than 100 the first.
    """
    try:
        tree = read_yaml(data)
    except YamlError as error:
        is_syntax = error.problems[0].code == codes.SYNTAX
        if is_syntax and (value := _json_of(data)) is not None:
            return value
        raise PromptFileError(path=path, problems=error.problems) from None
    if tree.problems:
        raise PromptFileError(path=path, problems=tree.problems)
    return tree.value


def _checked(tree: Tree) -> Prompt:
    if not isinstance(tree.value, dict):
        message = "A prompt file has keys at its top, such as `prompt:`."
        tree.problems.report(_mark(tree, (), codes.NOT_ONE_MAPPING), codes.NOT_ONE_MAPPING, message)
        raise YamlError(tree.problems)
    found = parse_content(tree.value)
    for fault in found if isinstance(found, list) else ():
        code = codes.OF_FAULT[fault.kind]
        tree.problems.report(_mark(tree, fault.path, code), code, fault.message)
    if tree.problems or isinstance(found, list):
        raise YamlError(tree.problems)
    return found


def _mark(tree: Tree, keys: KeyPath, code: str) -> Any:
    node, key_node = tree.find(keys)
    about_the_key = code in (codes.UNKNOWN_KEY, codes.MISSING_KEY) or (
        code == codes.BAD_VARIABLE and len(keys) == 2
    )
    return (key_node if about_the_key and key_node else node).start_mark


def _json_of(data: bytes | str) -> Any:
    """Read JSON with escapes that YAML does not have, such as those of an emoji in two halves.

    Returns:
        The value, or None where this is no JSON, or holds what no JSON should.
    """
    with suppress(ValueError, RecursionError):
        value = json.loads(data, object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return value
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Leave out what only follows from another problem at the same place."""
    first: dict[tuple[int, int], Problem] = {}
    # A key that nothing knows is why another one is missing.
    for problem in sorted(problems, key=lambda problem: problem.code != codes.UNKNOWN_KEY):
        first.setdefault((problem.line, problem.column), problem)
    return list(first.values())
