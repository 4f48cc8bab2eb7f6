"""YAML text → nodes that know their place, and the values of plain scalars.

ruamel.yaml has two parsers. The one in C is quick, but holds an old libyaml that refuses some of
YAML 1.2; the pure one refuses other things, such as a tab before a comment. So what either of them
accepts is accepted. Anchors, aliases and tags are refused before nodes are made. A plain scalar is
resolved by the core schema of YAML 1.2 (section 10.3.2), whatever the parser thinks of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import Node, ScalarNode
from ruamel.yaml.scanner import Scanner, ScannerError
from ruamel.yaml.tag import Tag

from promptstore.errors import Problem
from promptstore.model.faults import shown
from promptstore.model.values import INTEGER_BOUND, MAX_DEPTH, MAX_DIGITS, is_unicode
from promptstore.promptfile import codes
from promptstore.promptfile.problems import Problems, YamlError, place_of

try:
    from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:
    CParser = None

_PROPERTY: Final = re.compile(r"(?<![^\s\[{,:\"'\]}?-])(?:[&*](?=\S)|!)", re.ASCII)
"""Where an anchor, an alias or a tag could stand; most such places are in a string."""

_DEEP_LINE: Final = re.compile(rf"\n[ ?:-]{{{MAX_DEPTH}}}")
DEEP_MESSAGE: Final = f"The file is nested deeper than {MAX_DEPTH} levels."
_ANCHOR_MESSAGE: Final = (
    "Anchors and aliases are not allowed; write the value out, or put a string into quotes."
)
_QUESTION: Final = re.compile(r"(?<![^\s\[{,])\?(?=\S)", re.ASCII)
_BEFORE_KEY: Final = re.compile(r"(?:[\s{,]|#[^\n\r]*)*", re.ASCII)
_WHITE: Final = frozenset(" \n\r\t\0")
_WHITE_OR_FLOW: Final = _WHITE | frozenset(",[]{}")

_HINTS: Final = {
    "mapping values are not allowed": " A string that holds a colon and a space needs quotes.",
    "cannot start any token": " Indent with spaces; a string that starts like this needs quotes.",
    "did not find expected key": " Look at the indent of this line and of those above it.",
    "invalid Unicode character": " Write the character itself, or an escape such as \\U0001f600.",
}


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
    first: YAMLError | None = None
    for parse in _PARSERS:
        try:
            root = parse(ended)
        except YAMLError as error:
            first = first or error
        else:
            break
    else:
        raise YamlError([_syntax_problem(first)])
    if root is None:
        message = "The file is empty; a prompt file has at least `prompt:` or `messages:`."
        raise YamlError([Problem(1, 1, codes.NOT_ONE_MAPPING, message)])
    return root


_NO_TAG: Final = Tag()


def _no_tag(*_: Any) -> Tag:
    return _NO_TAG


class _Libyaml(CParser or object):  # type: ignore[misc]
    """The parser in C, with the three methods that it calls for each node."""

    resolve = descend_resolver = ascend_resolver = staticmethod(_no_tag)


def compose_in_c(text: str) -> Node | None:
    """Parse by the parser in C.

    Raises:
        YAMLError: It refuses the text.
        YamlError: The text is refused whatever it says.
    """
    if _could_be_refused(text):
        _refuse(_events_of(_Libyaml(text)), text)
    root: Node | None = _Libyaml(text).get_single_node()
    if "?" in text and _QUESTION.search(text) and root is not None:
        _refuse_question_marks(text, root)
    return _not_block(root)


def compose_purely(text: str) -> Node | None:
    """Parse by the parser in Python.

    Raises:
        YAMLError: It refuses the text.
        YamlError: The text is refused whatever it says.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    try:
        if _could_be_refused(text):
            _refuse(yaml.parse(text), text)
        root: Node | None = yaml.compose(text)
    except (ValueError, OverflowError) as error:
        raise YAMLError(f"found an escape that is no character ({error})") from None
    if "\\" in text and root is not None:
        for node in _scalars(root):
            if not is_unicode(node.value):
                _fail(node, "found invalid Unicode character escape code")
    return _not_block(root)


_PARSERS: Final = (compose_in_c, compose_purely) if CParser else (compose_purely,)


class _Scanner(Scanner):
    """ruamel.yaml's scanner, with the indicators in flow style as YAML 1.2 has them."""

    scanner_processing_version = (1, 2)

    def check_key(self) -> bool:
        """A `?` is an indicator before white space alone."""
        return self.reader.peek(1) in _WHITE

    def check_value(self) -> bool:
        """A `:` is an indicator before white space, and in flow style before other indicators."""
        if self.flow_level and self.reader.peek(1) in _WHITE_OR_FLOW:
            return True
        return bool(super().check_value())

    def check_plain(self) -> bool:
        """A plain scalar may start with an indicator before a character that is none."""
        if self.reader.peek() in "-?:":
            return self.reader.peek(1) not in (_WHITE_OR_FLOW if self.flow_level else _WHITE)
        return bool(super().check_plain())

    def scan_plain(self) -> Any:
        """Leave the colon of `{a:}`, which is an indicator, to be scanned next."""
        token = super().scan_plain()
        if token.value.endswith(":") and self.flow_level and self.reader.peek() in ",[]{}":
            token.value = token.value[:-1].rstrip()
            for place in ("pointer", "index", "column"):
                setattr(self.reader, place, getattr(self.reader, place) - 1)
            token.end_mark = self.reader.get_mark()
        return token


def _events_of(parser: Any) -> Iterator[Any]:
    while parser.check_event():
        yield parser.get_event()


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


def _refuse(events: Iterator[Any], text: str) -> None:
    """Refuse deep nesting, anchors, aliases and tags: nodes of these can be exponentially many."""
    problems = Problems()
    depth = 0
    for event in events:
        mark = event.start_mark
        tag = getattr(event, "tag", None)
        has_anchor = isinstance(event, AliasEvent) or getattr(event, "anchor", None)
        if (tag or has_anchor) and text[mark.index - 1] == "?":
            raise ScannerError(None, None, "found a question mark before a string", mark)
        if has_anchor:
            problems.report(mark, codes.ANCHOR_OR_TAG, _ANCHOR_MESSAGE)
        elif tag:
            message = f"The tag {shown(str(tag))!r} is not allowed; put a string into quotes."
            problems.report(mark, codes.ANCHOR_OR_TAG, message)
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                problems.report(mark, codes.TOO_LARGE, DEEP_MESSAGE)
                break
        depth -= isinstance(event, CollectionEndEvent)
    if problems:
        raise YamlError(problems)


def _not_block(root: Node | None) -> Node | None:
    """Refuse a block at the top of a file, which each parser takes in a way of its own."""
    if isinstance(root, ScalarNode) and root.style in ("|", ">"):
        _fail(root, "a string at the top of a file needs quotes")
    return root


def _refuse_question_marks(text: str, node: Node) -> None:
    """Refuse nodes where the `?` of `[?x]`, which is text, was taken for an indicator."""
    place = node.start_mark.index
    for item in () if isinstance(node, ScalarNode) else node.value:
        children = item if isinstance(item, tuple) else (item,)
        mark = _BEFORE_KEY.match(text, place) if len(children) == 2 else None
        at = mark.end() if mark else 0
        if text[at] == "?" and text[at + 1] not in _WHITE and at < children[0].start_mark.index:
            _fail(children[0], "found a question mark before a string")
        for child in children:
            _refuse_question_marks(text, child)
        place = children[-1].end_mark.index


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
        return
    for item in node.value:
        for child in item if isinstance(item, tuple) else (item,):
            yield from _scalars(child)


def _fail(node: Node, problem: str) -> NoReturn:
    raise ScannerError(None, None, problem, node.start_mark)


def _syntax_problem(error: YAMLError | None) -> Problem:
    if not isinstance(error, MarkedYAMLError):
        return Problem(1, 1, codes.SYNTAX, f"This is not YAML: {error}.")
    mark = error.problem_mark or error.context_mark
    line, column = place_of(mark) if mark else (1, 1)
    problem = (error.problem or "this is not YAML").strip()
    if "another document" in problem or "single document" in (error.context or ""):
        message = "A second document starts here; a prompt file holds one."
        return Problem(line, column, codes.NOT_ONE_MAPPING, message)
    if "anchor" in problem or "alias" in problem:
        return Problem(line, column, codes.ANCHOR_OR_TAG, _ANCHOR_MESSAGE)
    context = f" {error.context.strip()}" if error.context else ""
    hint = next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    return Problem(line, column, codes.SYNTAX, f"This is not YAML: {problem}{context}.{hint}")


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
        raise ValueError(f"the number {shown(text)} is too large for JSON")
    raise ValueError(f"{text} is a number that JSON does not have; put it in quotes")


def is_string(text: str) -> bool:
    """Return whether a plain scalar is a string."""
    if text in _WORDS:
        return False
    if text[0] not in _NUMBER_START:
        return True
    try:
        return isinstance(resolve_plain(text), str)
    except ValueError:
        return False


def _integer(text: str) -> int:
    if len(text) <= MAX_DIGITS + 1:
        number = int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if abs(number) < INTEGER_BOUND:
            return number
    raise ValueError(f"an integer of more than {MAX_DIGITS:,} digits; put it in quotes")
