"""What only unusual texts need: the parser in Python, and what is refused before nodes are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import Node, ScalarNode
from ruamel.yaml.scanner import Scanner, ScannerError

from promptstore.model.faults import shown
from promptstore.model.values import MAX_DEPTH, is_unicode
from promptstore.promptfile import codes
from promptstore.promptfile.problems import ANCHOR_MESSAGE, DEEP_MESSAGE, Problems, YamlError

_BEFORE_KEY: Final = re.compile(r"(?:[\s{,]|#[^\n\r]*)*", re.ASCII)
_WHITE: Final = frozenset(" \n\r\t\0")
_WHITE_OR_FLOW: Final = _WHITE | frozenset(",[]{}")


def compose_purely(text: str) -> Node | None:
    """Parse by the parser in Python.

    Raises:
        YAMLError: It refuses the text.
        YamlError: The text is refused whatever it says.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    try:
        refuse(yaml.parse(text), text)
        root: Node | None = yaml.compose(text)
    except (ValueError, OverflowError) as error:
        raise YAMLError(f"found an escape that is no character ({error})") from None
    if "\\" in text and root is not None:
        for node in _scalars(root):
            if not is_unicode(node.value):
                _fail(node, "found invalid Unicode character escape code")
    if isinstance(root, ScalarNode) and root.style in ("|", ">"):
        refuse_block(root)
    return root


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


def refuse(events: Iterable[Any], text: str) -> None:
    """Refuse deep nesting, anchors, aliases and tags: nodes of these can be exponentially many.

    Args:
        events: What a parser finds in the text.
        text: The text.

    Raises:
        YamlError: It holds some of these.
    """
    problems = Problems()
    depth = 0
    for event in events:
        mark = event.start_mark
        tag = getattr(event, "tag", None)
        has_anchor = isinstance(event, AliasEvent) or getattr(event, "anchor", None)
        if (tag or has_anchor) and text[mark.index - 1] == "?":
            raise ScannerError(None, None, "found a question mark before a string", mark)
        if has_anchor:
            problems.report(mark, codes.ANCHOR_OR_TAG, ANCHOR_MESSAGE)
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


def refuse_question_marks(text: str, node: Node) -> None:
    """Refuse nodes where the `?` of `[?x]`, which is text, was taken for an indicator."""
    place = node.start_mark.index
    for item in () if isinstance(node, ScalarNode) else node.value:
        children = item if isinstance(item, tuple) else (item,)
        mark = _BEFORE_KEY.match(text, place) if len(children) == 2 else None
        at = mark.end() if mark else 0
        if text[at] == "?" and text[at + 1] not in _WHITE and at < children[0].start_mark.index:
            _fail(children[0], "found a question mark before a string")
        for child in children:
            refuse_question_marks(text, child)
        place = children[-1].end_mark.index


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
        return
    for item in node.value:
        for child in item if isinstance(item, tuple) else (item,):
            yield from _scalars(child)


def refuse_block(root: Node) -> NoReturn:
    """Refuse a block at the top of a file, which each parser takes in a way of its own."""
    _fail(root, "a string at the top of a file needs quotes")


def _fail(node: Node, problem: str) -> NoReturn:
    raise ScannerError(None, None, problem, node.start_mark)
