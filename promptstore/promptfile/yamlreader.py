"""YAML 1.2, read strictly: text → values that know their place (PyYAML lives here).

PyYAML parses YAML 1.1. Where the two differ, this module decides: it resolves scalars itself by
the core schema of YAML 1.2 (section 10.3.2), and it refuses the three characters that only YAML
1.1 takes for line breaks. What a prompt file has no use for is refused too: duplicate keys,
anchors, aliases, tags, several documents, numbers that JSON cannot hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias, cast

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from promptstore.errors import Problem
from promptstore.promptfile import codes
from promptstore.values import MAX_DEPTH

MAX_BYTES: Final = 1 << 20
MAX_DIGITS: Final = 4000
MAX_PROBLEMS: Final = 100
INTEGER_BOUND: Final = 10**MAX_DIGITS
_MAX_SHOWN: Final = 60

Path: TypeAlias = tuple[str | int, ...]

_UNWRITABLE: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_PLAIN_ASCII: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
_SUSPICIOUS: Final = re.compile(r"(?:[&*](?=\S)|!)(?<![^\s\[{,:\-?].)", re.DOTALL)
"""Where an anchor, an alias or a tag could stand; most such places are in a text."""

_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DEEP_LINE: Final = re.compile(rf"\n[ ?:-]{{{MAX_DEPTH}}}")
_DEEP_MESSAGE: Final = f"The file is nested deeper than {MAX_DEPTH} levels."
_NUMBER_START: Final = frozenset("+-.0123456789")


class YamlError(Exception):
    """The text is not the YAML that is wanted; carries the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


class Problems(list[Problem]):
    """The faults of one text, so far."""

    def report(self, mark: Any, code: str, message: str) -> None:
        """Add a fault.

        Args:
            mark: Its place, as a mark of the parser.
            code: One of `promptstore.promptfile.codes`.
            message: What is wrong and what to do, as a sentence.

        Raises:
            YamlError: These are `MAX_PROBLEMS`; nobody reads on.
        """
        self.append(Problem(*place_of(mark), code, message))
        if len(self) >= MAX_PROBLEMS:
            raise YamlError(self)


@dataclass(slots=True)
class Tree:
    """A parsed text: its value, its nodes, and the faults that did not stop the reading.

    Attributes:
        text: The text.
        root: The node at the top.
        value: The value as plain JSON, or None where there are problems.
        problems: Duplicate keys and the like.
    """

    text: str
    root: Node
    value: Any
    problems: Problems = field(default_factory=Problems)


def read_yaml(data: bytes | str) -> Tree:
    """Parse one document.

    Args:
        data: The file's content.

    Returns:
        Its value and nodes.

    Raises:
        YamlError: It cannot be parsed at all, or has `MAX_PROBLEMS` faults.
    """
    text = _decode(data)
    _refuse_characters(text)
    _refuse_depth(text)
    root = _compose(text)
    tree = Tree(text, root, None)
    if _may_hold_forbidden_syntax(text):
        _report_forbidden_syntax(text, tree.problems)
    tree.value = _Constructor(tree.problems).construct(root, 1)
    return tree


def place_of(mark: Any) -> tuple[int, int]:
    """Turn a mark of the parser into line and column, from 1."""
    return mark.line + 1, mark.column + 1


def find_node(root: Node, path: Path) -> tuple[Node, Node | None]:
    """Walk down from a node by keys and indexes, as far as there is something.

    Args:
        root: The node to start from.
        path: The keys and indexes.

    Returns:
        The value's node, and the node of its key where it has one.
    """
    node, key_node = root, None
    for step in path:
        if isinstance(node, MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                break
            key_node, node = found
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            key_node, node = None, node.value[step]
        else:
            break
    return node, key_node


def resolve_plain(text: str) -> Any:
    """Give the value of a plain scalar by the core schema of YAML 1.2.

    Raises:
        ValueError: It is a number that JSON cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
        raise ValueError(f"the number {shown(text)} is too large for JSON")
    if _NOT_JSON.fullmatch(text):
        raise ValueError(f"{text} is a number that JSON does not have; put it in quotes")
    return text


def shown(text: str) -> str:
    """Cut a text that stands in a message where it is too long to be read."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _integer(text: str) -> int:
    if len(text) <= MAX_DIGITS + 1:
        number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if abs(number) < INTEGER_BOUND:
            return number
    raise ValueError(f"an integer of more than {MAX_DIGITS:,} digits; put it in quotes")


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


class _Composer:
    """What both parsers need: every plain scalar keeps an empty tag, so a written one shows.

    The parser calls these three for each node. Functions of Python's own would take a sixth of
    the time of the whole parse; this built-in one takes any arguments and gives the empty text.
    """

    resolve = descend_resolver = ascend_resolver = staticmethod("".format)


class _PurePythonParser(_Composer, Reader, Scanner, Parser, Composer):
    """PyYAML's own parser: slower, the same answers."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def _parser_class() -> Any:
    """Choose libyaml's parser; some distributions build PyYAML without it."""
    if not yaml.__with_libyaml__:
        return _PurePythonParser
    from yaml import cyaml

    return type("_LibyamlParser", (_Composer, vars(cyaml)["CParser"]), {})


_Parser: Final = _parser_class()


def _refuse_depth(text: str) -> None:
    """Refuse deep nesting before nodes are composed: older libyaml recurses until it crashes.

    A text that cannot be dangerously deep is not looked at twice: each level takes a bracket, or
    at least half a column more at the start of a line.
    """
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and not _DEEP_LINE.search("\n" + text.replace("\r", "\n")):
        return
    depth = 0
    with suppress(yaml.YAMLError):
        for event in _events(text):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                problem = Problem(*place_of(event.start_mark), codes.TOO_LARGE, _DEEP_MESSAGE)
                raise YamlError([problem])


def _compose(text: str) -> Node:
    try:
        root: Node | None = _Parser(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise YamlError([_syntax_problem(error)]) from None
    except yaml.YAMLError as error:
        raise YamlError([Problem(1, 1, codes.SYNTAX, f"{error}.")]) from None
    except RecursionError:
        raise YamlError([Problem(1, 1, codes.TOO_LARGE, _DEEP_MESSAGE)]) from None
    if root is None:
        message = "The file is empty; a prompt file has at least `prompt:` or `messages:`."
        raise YamlError([Problem(1, 1, codes.NOT_ONE_MAPPING, message)])
    return root


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = place_of(mark) if mark else (1, 1)
    problem = (error.problem or "this is not YAML").strip()
    if "maximum nesting depth" in problem:
        return Problem(line, column, codes.TOO_LARGE, _DEEP_MESSAGE)
    if "another document" in problem or "single document" in (error.context or ""):
        message = "A second document starts here; a prompt file holds one."
        return Problem(line, column, codes.NOT_ONE_MAPPING, message)
    if "anchor" in problem or "alias" in problem:
        return Problem(line, column, codes.ANCHOR_OR_TAG, _ANCHOR_MESSAGE)
    if "duplicate" in problem:
        return Problem(line, column, codes.DUPLICATE_KEY, f"{problem}.")
    context = f" {error.context.strip()}" if error.context else ""
    hint = next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    return Problem(line, column, codes.SYNTAX, f"This is not YAML: {problem}{context}.{hint}")


_HINTS: Final = {
    "mapping values are not allowed": " A text that holds a colon and a space needs quotes.",
    "cannot start any token": " Indent with spaces; a text that starts like this needs quotes.",
    "did not find expected key": " Look at the indent of this line and of those above it.",
    "invalid Unicode character": " Write the character itself, or an escape such as \\U0001f600.",
}


_ANCHOR_MESSAGE: Final = (
    "Anchors and aliases are not allowed; write the value out, or put a text into quotes."
)


def _may_hold_forbidden_syntax(text: str) -> bool:
    # Looking for one character is much faster than the pattern, and most texts hold none.
    if "&" in text or "*" in text or "!" in text:
        return _SUSPICIOUS.search(text) is not None
    return False


def _report_forbidden_syntax(text: str, problems: Problems) -> None:
    """Report anchors, aliases and tags, which the composed nodes do not tell."""
    for event in _events(text):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            problems.report(event.start_mark, codes.ANCHOR_OR_TAG, _ANCHOR_MESSAGE)
        elif getattr(event, "tag", None):
            message = f"The tag {shown(event.tag)!r} is not allowed; put a text into quotes."
            problems.report(event.start_mark, codes.ANCHOR_OR_TAG, message)


def _events(text: str) -> Iterator[Any]:
    parser: Any = _Parser(text)
    while parser.check_event():
        yield parser.get_event()


class _Constructor:
    """Turns nodes into plain JSON and collects what is wrong on the way."""

    def __init__(self, problems: Problems) -> None:
        self._report = problems.report

    def construct(self, node: Node, depth: int) -> Any:
        if type(node) is ScalarNode:
            return node.value if node.style else self._plain(node)
        if depth > MAX_DEPTH:
            self._report(node.start_mark, codes.TOO_LARGE, _DEEP_MESSAGE)
            return None
        if type(node) is SequenceNode:
            return [self.construct(item, depth + 1) for item in node.value]
        return self._mapping(cast("MappingNode", node), depth)

    def _plain(self, node: ScalarNode) -> Any:
        try:
            return resolve_plain(node.value)
        except ValueError as error:
            self._report(node.start_mark, codes.WRONG_VALUE, f"{_capital(str(error))}.")
            return None

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                continue
            if key in found:
                self._report_again(node, key_node)
            found[key] = self.construct(value_node, depth + 1)
        return found

    def _report_again(self, mapping: MappingNode, again: ScalarNode) -> None:
        first = next(key for key, _ in mapping.value if key.value == again.value)
        line, column = place_of(first.start_mark)
        message = f"The key {shown(again.value)!r} stands here again"
        message = f"{message}; first in line {line}, column {column}."
        self._report(again.start_mark, codes.DUPLICATE_KEY, message)

    def _key(self, node: Node) -> str | None:
        if type(node) is not ScalarNode:
            message = "A key must be a text; a text that starts with a brace needs quotes."
            self._report(node.start_mark, codes.WRONG_VALUE, message)
            return None
        if not node.style and not _is_text(node.value):
            message = f"The key {shown(node.value)!r} is not a text; put it in quotes."
            self._report(node.start_mark, codes.WRONG_VALUE, message)
            return None
        text: str = node.value
        return text


def _is_text(text: str) -> bool:
    if text in _WORDS:
        return False
    if text[0] not in _NUMBER_START:
        return True
    try:
        return isinstance(resolve_plain(text), str)
    except ValueError:
        return False


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
