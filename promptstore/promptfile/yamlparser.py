"""All of YAML 1.2, read strictly: text → values that know their place (PyYAML lives here).

PyYAML parses YAML 1.1. Where the two differ, this module decides: it resolves scalars itself by
the core schema of YAML 1.2 (section 10.3.2). What a prompt file has no use for is refused:
duplicate keys, anchors, aliases, tags, several documents, numbers that JSON cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, cast

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from promptstore.errors import Problem
from promptstore.model.values import MAX_DEPTH
from promptstore.promptfile import codes
from promptstore.promptfile.problems import KeyPath, Problems, YamlError, place_of
from promptstore.promptfile.scalars import is_text, resolve_plain, shown

_SUSPICIOUS: Final = re.compile(r"(?:[&*](?=\S)|!)(?<![^\s\[{,:\-?].)", re.DOTALL)
"""Where an anchor, an alias or a tag could stand; most such places are in a text."""

_DEEP_LINE: Final = re.compile(rf"\n[ ?:-]{{{MAX_DEPTH}}}")
_DEEP_MESSAGE: Final = f"The file is nested deeper than {MAX_DEPTH} levels."


def compose(text: str) -> Node:
    """Parse one document into nodes.

    Args:
        text: The document, without characters that no file may hold.

    Returns:
        The node at its top.

    Raises:
        YamlError: It cannot be parsed, or is nested too deeply to be tried.
    """
    _refuse_depth(text)
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


def construct(text: str, root: Node, problems: Problems) -> Any:
    """Turn nodes into plain JSON.

    Args:
        text: The document.
        root: The node at its top.
        problems: Where its faults are told.

    Returns:
        The value; it is of use only when there was no fault.

    Raises:
        YamlError: There are `MAX_PROBLEMS` faults.
    """
    if _may_hold_forbidden_syntax(text):
        _report_forbidden_syntax(text, problems)
    return _Constructor(problems).construct(root, 1)


def find_node(root: Node, path: KeyPath) -> tuple[Node, Node | None]:
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
        if not node.style and not is_text(node.value):
            message = f"The key {shown(node.value)!r} is not a text; put it in quotes."
            self._report(node.start_mark, codes.WRONG_VALUE, message)
            return None
        text: str = node.value
        return text


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
