"""A prompt's file → the prompt, and the places of things in the file.

YAML 1.2 is read strictly. What a prompt file has no use for is refused: duplicate keys, other keys
than strings, anchors, aliases and tags, numbers that JSON cannot hold, and the three characters
that only YAML 1.1 takes for line breaks.

ruamel.yaml has two parsers. The one in C is quick, but holds an old libyaml that refuses some of
YAML 1.2; the pure one refuses other things, such as a tab before a comment. So what either of them
accepts is accepted. A plain scalar is resolved by the core schema of YAML 1.2 (section 10.3.2),
whatever the parser thinks of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag

from promptstore.errors import Problem, PromptFileError
from promptstore.model.faults import KeyPath, shown
from promptstore.model.prompt import Prompt, parse_content
from promptstore.model.values import INTEGER_BOUND, MAX_DEPTH, MAX_DIGITS
from promptstore.promptfile import codes
from promptstore.promptfile.problems import (
    DEEP_MESSAGE,
    MAX_PROBLEMS,
    Problems,
    YamlError,
    character_problem,
    duplicate_message,
    encoding_problem,
    name_mistakes,
    syntax_problem,
    without_echoes,
)
from promptstore.promptfile.yamlparser import (
    compose_purely,
    refuse,
    refuse_block,
    refuse_question_marks,
)

try:
    from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:
    CParser = None

MAX_BYTES: Final = 1 << 20

_UNWRITABLE: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_PLAIN_ASCII: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
_PROPERTY: Final = re.compile(r"(?<![^\s\[{,:\"'\]}?-])(?:[&*](?=\S)|!)", re.ASCII)
"""Where an anchor, an alias or a tag could stand; most such places are in a string."""

_DEEP_LINE: Final = re.compile(rf"\n[ ?:-]{{{MAX_DEPTH}}}")
_QUESTION: Final = re.compile(r"(?<![^\s\[{,])\?(?=\S)", re.ASCII)


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
        self.value: Any = _construct(self.root, 1, self.problems.report)
        self._steps: dict[int, dict[str | int, tuple[Node, Node | None]]] = {}

    def find(self, path: KeyPath) -> tuple[Node, Node | None]:
        """Walk down by keys and indexes, as far as there is something.

        Args:
            path: The keys and indexes.

        Returns:
            The value's node, and the node of its key where it has one.
        """
        found: tuple[Node, Node | None] = self.root, None
        for step in path:
            below = self._below(found[0])
            if step not in below:
                break
            found = below[step]
        return found

    def _below(self, node: Node) -> dict[str | int, tuple[Node, Node | None]]:
        if id(node) not in self._steps:
            below: dict[str | int, tuple[Node, Node | None]] = {}
            if isinstance(node, SequenceNode):
                below = {index: (item, None) for index, item in enumerate(node.value)}
            elif isinstance(node, MappingNode):
                # Of a key that stands twice the first one counts.
                pairs = (pair for pair in reversed(node.value) if isinstance(pair[0], ScalarNode))
                below = {key.value: (value, key) for key, value in pairs}
            self._steps[id(node)] = below
        return self._steps[id(node)]


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
    if not text.isascii() or text.encode().translate(None, _PLAIN_ASCII):
        found = islice(_UNWRITABLE.finditer(text), MAX_PROBLEMS)
        if problems := [character_problem(text, match) for match in found]:
            raise YamlError(problems)
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
        raise YamlError([encoding_problem(data, error.start)]) from None


def compose(text: str) -> Node:
    """Parse one document into nodes.

    Args:
        text: The document, without characters that no file may hold.

    Returns:
        The node at its top.

    Raises:
        YamlError: It cannot be parsed, is nested too deeply, or has an anchor, an alias or a tag.
    """
    # The end of the file ends its last line, also within a block (YAML 1.2, b-chomped-last).
    ended = text if text.endswith(("\n", "\r")) else f"{text}\n"
    errors: list[YAMLError] = []
    for parse in _PARSERS:
        try:
            root = parse(ended)
            break
        except YAMLError as error:
            errors.append(error)
    else:
        raise YamlError([syntax_problem(errors[0])])
    if root is None:
        message = "The file is empty; a prompt file has at least `prompt:` or `messages:`."
        raise YamlError([Problem(1, 1, codes.NOT_ONE_MAPPING, message)])
    return root


_NO_TAG: Final = Tag()


class _Libyaml(CParser or object):  # type: ignore[misc]
    """The parser in C, with the three methods that it calls for each node."""

    resolve = descend_resolver = ascend_resolver = staticmethod(lambda *_: _NO_TAG)


def compose_in_c(text: str) -> Node | None:
    """Parse by the parser in C.

    Raises:
        YAMLError: It refuses the text.
        YamlError: The text is refused whatever it says.
    """
    if _could_be_refused(text):
        parser = _Libyaml(text)
        refuse(iter(parser.get_event, None), text)
    root: Node | None = _Libyaml(text).get_single_node()
    if "?" in text and _QUESTION.search(text) and root is not None:
        refuse_question_marks(text, root)
    if isinstance(root, ScalarNode) and root.style in ("|", ">"):
        refuse_block(root)
    return root


_PARSERS: Final = (compose_in_c, compose_purely) if CParser else (compose_purely,)


def _could_be_refused(text: str) -> bool:
    """Return whether a text has to be looked at before nodes are made of it.

    Each level takes a bracket, or at least half a column more at the start of a line.
    """
    # Looking for one character is much faster than the pattern, and most texts hold none.
    may_hold_property = "&" in text or "*" in text or "!" in text
    return (
        (may_hold_property and _PROPERTY.search(text) is not None)
        or text.count("[") + text.count("{") > MAX_DEPTH
        or _DEEP_LINE.search("\n" + text.replace("\r", "\n")) is not None
    )


_Report: TypeAlias = Callable[[Any, str, str], None]
"""Takes what is wrong: its mark, its code and a sentence."""


def _construct(node: Node, depth: int, report: _Report) -> Any:
    """Turn a node into plain JSON."""
    if type(node) is ScalarNode:
        if node.style:
            return node.value
        try:
            return resolve_plain(node.value)
        except ValueError as error:
            report(node.start_mark, codes.WRONG_VALUE, str(error))
            return None
    if depth > MAX_DEPTH:
        report(node.start_mark, codes.TOO_LARGE, DEEP_MESSAGE)
        return None
    if type(node) is SequenceNode:
        return [_construct(item, depth + 1, report) for item in node.value]
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, report)
        if key is None:
            continue
        if key in found:
            first = next(one for one, _ in node.value if one.value == key)
            report(key_node.start_mark, codes.DUPLICATE_KEY, duplicate_message(key, first))
        found[key] = _construct(value_node, depth + 1, report)
    return found


def _key(node: Node, report: _Report) -> str | None:
    if type(node) is not ScalarNode:
        message = "A key must be a string; one that starts with a brace needs quotes."
    elif node.style or is_string(node.value):
        return str(node.value)
    else:
        message = f"The key {shown(node.value)!r} is not a string; put it in quotes."
    report(node.start_mark, codes.WRONG_VALUE, message)
    return None


@dataclass(frozen=True, slots=True)
class Document:
    """A prompt's file that was read and found valid.

    Attributes:
        tree: The file's text with its nodes.
        prompt: What it says, as a prompt without an identity.
    """

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
        return Document(tree, _checked(tree))
    except YamlError as error:
        text = data if isinstance(data, str) else data.decode(errors="replace")
        problems = name_mistakes(text, without_echoes(error.problems))
        raise PromptFileError(path=path, problems=problems) from None


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


_NUMBER: Final = re.compile(
    r"""
      ( [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ )                            # 1: an integer
    | ( [-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?) (?:[eE][-+]?[0-9]+)? )          # 2: a float
    | ( [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN) )                         # 3: nothing in JSON
    """,
    re.VERBOSE,
)
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_START: Final = frozenset("+-.0123456789")
_YAML_1_1_WORDS: Final = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null"})


def resolve_plain(text: str) -> Any:
    """Return the value of a plain scalar.

    Raises:
        ValueError: It is a number that JSON cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    if match.lastindex == 1:
        return _integer(text)
    if match.lastindex == 2:
        number = float(text)
        if math.isfinite(number):
            return number
        raise ValueError(f"The number {shown(text)} is too large for JSON.")
    raise ValueError(f"{text} is a number that JSON does not have; put it in quotes.")


def is_string(text: str) -> bool:
    """Return whether a plain scalar is a string."""
    try:
        return isinstance(resolve_plain(text), str)
    except ValueError:
        return False


def _integer(text: str) -> int:
    if len(text) <= MAX_DIGITS + 1:
        number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if abs(number) < INTEGER_BOUND:
            return number
    raise ValueError(f"An integer of more than {MAX_DIGITS:,} digits; put it in quotes.")


def is_string_everywhere(text: str) -> bool:
    """Return whether YAML 1.1 and 1.2 readers both take a plain scalar for a string."""
    return text.lower() not in _YAML_1_1_WORDS and is_string(text)
