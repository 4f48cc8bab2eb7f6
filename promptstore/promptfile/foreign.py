"""YAML of other tools → plain values, by the rules of whoever wrote it.

A prompt file of ours is read strictly. What is imported may have anchors, merged mappings, standard
tags and the scalars of YAML 1.1 (``yes``, ``100_000``), as PyYAML reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from promptstore.errors import ImportRefusedError
from promptstore.model.faults import shown
from promptstore.model.values import plain_json
from promptstore.promptfile.reader import resolve_plain

YamlRules: TypeAlias = Literal["1.1", "1.2"]
"""``1.1`` is what PyYAML reads, ``1.2`` what most readers in JavaScript and Go do."""

_MAX_NODES: Final = 200_000
_MAX_LEVELS: Final = 100
_YAML: Final = "tag:yaml.org,2002:"
_DIGITS: Final = re.compile(r"_")
_Reader: TypeAlias = Callable[[str], Any]


def _number(text: str) -> float:
    return float(_DIGITS.sub("", text))  # which refuses .inf and .nan


def _octal(text: str) -> int:
    return int(_DIGITS.sub("", text), 8)


def _sexagesimal(text: str) -> int:
    sign, value = -1 if text[0] == "-" else 1, 0
    for part in _DIGITS.sub("", text).lstrip("+-").split(":"):
        value = value * 60 + int(part)
    return sign * value


_SCALARS: Final[list[tuple[re.Pattern[str], _Reader]]] = [
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"yes|Yes|YES|true|True|TRUE|on|On|ON"), lambda _: True),
    (re.compile(r"no|No|NO|false|False|FALSE|off|Off|OFF"), lambda _: False),
    (re.compile(r"[-+]?0b[01_]+"), lambda text: int(_DIGITS.sub("", text), 2)),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), lambda text: int(_DIGITS.sub("", text), 16)),
    (re.compile(r"[-+]?0[0-7_]+"), _octal),
    (re.compile(r"[-+]?(?:0|[1-9][0-9_]*)"), lambda text: int(_DIGITS.sub("", text))),
    (re.compile(r"[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+"), _sexagesimal),
    (
        re.compile(
            r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*"
            r"|[-+]?(?:\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
        ),
        _number,
    ),
]
"""The plain scalars of YAML 1.1 that are no strings."""

_TAGGED: Final[dict[str, type]] = {"seq": list, "map": dict, "omap": list, "set": dict}


@dataclass
class ForeignYaml:
    """What a YAML text of another tool says.

    Attributes:
        value: The plain value.
        losses: What its own reader would take silently, such as a key that stands twice.
    """

    value: Any = None
    losses: list[str] = field(default_factory=list)


def read_foreign_yaml(text: str, rules: YamlRules = "1.2") -> ForeignYaml:
    """Read YAML or JSON of another tool.

    Args:
        text: One document.
        rules: Which plain scalars are no strings.

    Returns:
        The value. Dates stay as they are written; keys that are no strings become strings.

    Raises:
        ImportRefusedError: It is not YAML, has a tag that only a program can follow, or is huge.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ImportRefusedError(reason=_why(text, error)) from None
    found = ForeignYaml()
    if root is not None:
        found.value = _Plain(rules, found.losses).read(root, 0)
    return found


def _why(text: str, error: Exception) -> str:
    if re.search(r"^\s*\{[%#]", text, re.MULTILINE):
        return "not YAML: the whole file is a template"
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    what = error.problem if isinstance(error, MarkedYAMLError) else str(error)
    place = f" in line {mark.line + 1}" if mark else ""
    return f"not YAML: {what}{place}"


class _Plain:
    """Makes plain values of nodes, each alias anew, and not without end."""

    def __init__(self, rules: YamlRules, losses: list[str]) -> None:
        self._rules = rules
        self._losses = losses
        self._left = _MAX_NODES

    def read(self, node: Node, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _MAX_LEVELS:
            raise ImportRefusedError(reason="its aliases or levels make it too large")
        tag = str(node.tag).removeprefix(_YAML)
        if isinstance(node, ScalarNode):
            return self._scalar(node, tag)
        if tag not in _TAGGED:
            raise ImportRefusedError(reason=f"the tag {tag}, which only a program can follow")
        if isinstance(node, MappingNode):
            return self._mapping(node, depth)
        return [self.read(item, depth + 1) for item in node.value]

    def _scalar(self, node: ScalarNode, tag: str) -> Any:
        if tag.startswith("!") or "python" in tag or tag == "binary":
            raise ImportRefusedError(reason=f"the tag {tag}, which only a program can follow")
        if node.style or (tag == "str" and self._has_written_tag(node)):
            return node.value
        try:
            if self._rules == "1.2":
                return resolve_plain(node.value)
            for pattern, read in _SCALARS:
                if pattern.fullmatch(node.value):
                    return plain_json(read(node.value))
        except ValueError:
            reason = f"the number {shown(node.value)} cannot be written as JSON"
            raise ImportRefusedError(reason=reason) from None
        return node.value

    def _has_written_tag(self, node: ScalarNode) -> bool:
        """Return whether the tag stands in the text, before the value."""
        start, end = node.start_mark, node.end_mark
        return bool(end.index - start.index > len(node.value) and start.buffer[start.index] == "!")

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if getattr(key_node, "style", None) is None and key_node.value == "<<":
                value = self.read(value_node, depth + 1)
                for one in value if isinstance(value, list) else [value]:
                    merged |= {k: v for k, v in one.items() if k not in merged}
                continue
            if not isinstance(key_node, ScalarNode):
                raise ImportRefusedError(reason="a key that is no string")
            key = key_node.value
            if key in found:
                self._losses.append(f"the key {key!r} stands twice; the last one counts")
            found[key] = self.read(value_node, depth + 1)
        return {**merged, **found}
