"""YAML 1.2, read strictly: bytes → values, and the places of things in the text.

A plain scalar is resolved by the core schema of YAML 1.2 (section 10.3.2), whatever the parser
thinks of it. What a prompt file has no use for is refused: duplicate keys, other keys than strings,
numbers that JSON cannot hold, and the three characters that only YAML 1.1 takes for line breaks.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import islice
from typing import Any, Final

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from promptstore.errors import Problem
from promptstore.model.faults import shown
from promptstore.model.values import MAX_DEPTH
from promptstore.promptfile import codes
from promptstore.promptfile.problems import MAX_PROBLEMS, KeyPath, Problems, YamlError, place_of
from promptstore.promptfile.scalars import is_string, resolve_plain
from promptstore.promptfile.yamlparser import DEEP_MESSAGE, compose

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
