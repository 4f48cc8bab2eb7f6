"""Puts the counting of what a template does into its syntax tree."""

from __future__ import annotations

from typing import Final, cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from promptstore.template.language import all_nodes

_PARTS_OF_A_ROUND: Final = 100


def filtered(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    """Pass the value of a node through one of the compiler's own filters."""
    value = cast("nodes.Expr", node)
    return nodes.Filter(value, name, list(arguments), [], None, None, lineno=node.lineno)


def add_limits(tree: nodes.Template) -> nodes.Template:
    """Make a syntax tree spend from the budget of its render.

    Args:
        tree: The syntax tree of a template and all that it includes; it is changed.

    Returns:
        The same tree.
    """
    limited: nodes.Template = _Limiter().visit(tree)
    return limited


class _Limiter(NodeTransformer):
    """Lets loops, output, captured text, comparisons and slices spend from the budget."""

    def __init__(self) -> None:
        self._captures = 0

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja2 calls it so
        # A round of a long body is more work than a round of a short one.
        parts = sum(1 for part in node.body for _ in all_nodes(part))
        self.generic_visit(node)
        node.iter = filtered(node.iter, " count", nodes.Const(1 + parts // _PARTS_OF_A_ROUND))
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802
        self._captures += 1
        self.generic_visit(node)
        self._captures -= 1
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [self._printed(child) for child in node.nodes]
        return node

    def _printed(self, node: nodes.Expr) -> nodes.Expr:
        if self._captures:
            if isinstance(node, nodes.TemplateData):
                node = nodes.Const(node.data, lineno=node.lineno)
            return filtered(node, " capture")
        spelled = isinstance(node, (nodes.TemplateData, nodes.Const))
        return node if spelled else filtered(node, " print")

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return filtered(nodes.List(node.nodes, lineno=node.lineno), " join")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return filtered(node, " spend") if isinstance(node.arg, nodes.Slice) else node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = filtered(node.key, " key")
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "changed":
            node.args = [_weighed(argument) for argument in node.args]
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if sum(not _is_small(side) for side in sides) > 1:
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
            return node
        for operand in node.ops:
            if operand.op in ("in", "notin") and not _is_small(operand.expr):
                operand.expr = filtered(operand.expr, " spend")
        return node


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if _is_small(node) else filtered(node, " weigh")


def _is_small(node: nodes.Expr) -> bool:
    """Tell whether the template spells the whole value, so that it cannot be large inside."""
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return all(isinstance(item, nodes.Const) for item in node.items)
    return isinstance(node, nodes.Const)
