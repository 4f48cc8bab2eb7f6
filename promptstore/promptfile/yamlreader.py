"""YAML 1.2, read strictly: bytes → values, and the places of things where somebody asks.

What is written plainly is read quickly; the parser reads the rest, and all that is at fault. Three
characters that only YAML 1.1 takes for line breaks are refused, as are all that no file may hold.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from promptstore.errors import Problem
from promptstore.promptfile import codes
from promptstore.promptfile.plainyaml import read_plain
from promptstore.promptfile.problems import MAX_PROBLEMS, KeyPath, Problems, YamlError

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_BYTES: Final = 1 << 20

_UNWRITABLE: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_PLAIN_ASCII: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))


class Tree:
    """A parsed text.

    Attributes:
        text: The text.
        value: The value as plain JSON; of no use where there are problems.
        problems: Duplicate keys and the like: faults that did not stop the reading.
    """

    __slots__ = ("_root", "problems", "text", "value")

    def __init__(self, text: str, value: Any = None, root: Node | None = None) -> None:
        self.text = text
        self.value = value
        self.problems = Problems()
        self._root = root

    @property
    def root(self) -> Node:
        """The node at the top, which is parsed when somebody asks."""
        if self._root is None:
            from promptstore.promptfile.yamlparser import compose

            self._root = compose(self.text)
        return self._root

    def find(self, path: KeyPath) -> tuple[Node, Node | None]:
        """Walk down by keys and indexes, as far as there is something.

        Args:
            path: The keys and indexes.

        Returns:
            The value's node, and the node of its key where it has one.
        """
        from promptstore.promptfile.yamlparser import find_node

        return find_node(self.root, path)


def read_yaml(data: bytes | str) -> Tree:
    """Parse one document.

    Args:
        data: The file's content.

    Returns:
        Its value, and its nodes on request.

    Raises:
        YamlError: It cannot be parsed at all, or has `MAX_PROBLEMS` faults.
    """
    text = _decode(data)
    _refuse_characters(text)
    value = read_plain(text)
    return _parsed(text) if value is None else Tree(text, value)


def _parsed(text: str) -> Tree:
    from promptstore.promptfile.yamlparser import compose, construct

    tree = Tree(text, root=compose(text))
    tree.value = construct(text, tree.root, tree.problems)
    return tree


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
            f"write it as {escape} in a text between double quotes."
        )
    return Problem(line, column, codes.ENCODING, message)
