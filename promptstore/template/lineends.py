"""Line ends as they were: Jinja2 turns CR LF and CR into LF while it reads a template."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from jinja2 import nodes

from promptstore.template.language import all_nodes

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def restore_line_ends(tree: nodes.Template, text: str) -> None:
    """Give the literal text of a syntax tree the line ends that it had in the template.

    Args:
        tree: The syntax tree, its nodes still at the lines of the template.
        text: The template.
    """
    ends = _LINE_END.findall(text)
    for node in all_nodes(tree):
        if isinstance(node, nodes.TemplateData):
            first, *others = node.data.split("\n")
            own = ends[node.lineno - 1 : node.lineno - 1 + len(others)]
            node.data = first + "".join(map("".join, zip(own, others, strict=True)))


def find_quoted_line_end(tokens: Iterable[tuple[int, str, str]], text: str) -> int | None:
    """Find a line end with CR within quotes, where nothing tells it from an escaped one later.

    Args:
        tokens: The line, kind and text of each token of the template.
        text: The template.

    Returns:
        The line, or None.
    """
    ends = _LINE_END.findall(text)
    for line, kind, value in tokens:
        if kind == "string" and "\r" in "".join(ends[line - 1 : line - 1 + value.count("\n")]):
            return line
    return None
