"""Which part of Jinja2 a template may use: a data-only language, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from math import isinf
from typing import Final, cast
from unicodedata import normalize

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from promptstore.errors import TemplateSyntaxError
from promptstore.template.source import Source, find_includes, is_variable_name

MAX_DEPTH: Final = 150
"""How deep a template may be nested, blocks and expressions together."""
MAX_PARTS: Final = 10_000
"""How many names, operators, tags and the like a template may have, its includes included."""
TOO_LARGE: Final = f"the template has more than {MAX_PARTS:,} parts; make it smaller"
MAX_INTEGER_BITS: Final = 1024
"""How large an integer may be that is written in a template or calculated with."""

LOOP_CALLS: Final = frozenset({"changed", "cycle"})
LOOP_ATTRIBUTES: Final = LOOP_CALLS | {
    "depth", "depth0", "first", "index", "index0", "last", "length", "nextitem", "previtem",
    "revindex", "revindex0",
}  # fmt: skip
_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.For,
    nodes.Assign, nodes.AssignBlock, nodes.With, nodes.Include, nodes.Scope, nodes.CondExpr,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add,
    nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.List,
    nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Slice, nodes.Getattr, nodes.Getitem, nodes.Filter,
    nodes.Test, nodes.Call, nodes.Keyword, nodes.NSRef,
)  # fmt: skip
_REFUSED: Final[dict[type[nodes.Node], str]] = {
    nodes.Import: 'import is not allowed; use {% include "name" %}',
    nodes.FromImport: 'import is not allowed; use {% include "name" %}',
    nodes.Extends: 'extends is not allowed; use {% include "name" %}',
    nodes.Block: 'block is not allowed; use {% include "name" %}',
    nodes.Macro: "macros are not allowed; put the text into a prompt of its own and include it",
    nodes.CallBlock: "call blocks are not allowed",
    nodes.FilterBlock: "filter blocks are not allowed; use {{ value|filter }}",
    nodes.Pow: "the operator ** is not allowed",
    nodes.ScopedEvalContextModifier: "autoescape is not allowed",
    nodes.EvalContextModifier: "autoescape is not allowed",
}
_CHANGING: Final = frozenset({
    "add", "append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "sort",
    "update",
})  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def check_language(
    tree: nodes.Template,
    source: Source,
    *,
    filters: Collection[str],
    tests: Collection[str],
    methods: Collection[str],
) -> None:
    """Refuse everything in a syntax tree that is not part of the language.

    Args:
        tree: The syntax tree of one template.
        source: The template.
        filters: The filters that there are.
        tests: The tests that there are.
        methods: The methods that there are.

    Raises:
        TemplateSyntaxError: Something is not allowed.
    """
    _refuse_depth(tree, source.name)
    known: dict[type[nodes.Node], tuple[str, Collection[str]]] = {
        nodes.Filter: ("filter", filters),
        nodes.Test: ("test", tests),
    }
    called = {
        id(node.node) for node in all_nodes(tree) if isinstance(node, (nodes.Call, nodes.Getattr))
    }
    namespaces = {
        getattr(node.target, "name", "")
        for node in all_nodes(tree)
        if isinstance(node, nodes.Assign) and _is_namespace(node.node)
    }
    includes = find_includes(source)
    for node in all_nodes(tree):
        fault = _fault(node) or _name_fault(node, called)
        if isinstance(node, (nodes.Filter, nodes.Test)):
            fault = _unknown_fault(*known[type(node)], node.name)
        elif isinstance(node, nodes.Include):
            fault = _include_fault(node, includes)
        elif isinstance(node, nodes.Call):
            fault = _call_fault(node, methods)
        elif isinstance(node, nodes.NSRef) and node.name not in namespaces:
            fault = (
                f"`{node.name}` is no namespace; write {{% set {node.name} = namespace() %}} first"
            )
        if fault:
            message = f"{fault}."
            raise TemplateSyntaxError(message=message, line=node.lineno or 1, template=source.name)


def _fault(node: nodes.Node) -> str:
    if not isinstance(node, _ALLOWED):
        return _REFUSED.get(type(node), f"{type(node).__name__.lower()} is not allowed")
    if isinstance(node, (nodes.Getattr, nodes.NSRef)) and node.attr.startswith("_"):
        return f"the attribute {node.attr!r} is not allowed: it starts with an underscore"
    if isinstance(node, nodes.Const):
        return _number_fault(node.value)
    if isinstance(node, nodes.For) and node.recursive:
        return "recursive loops are not allowed"
    if isinstance(node, nodes.Compare):
        return _compare_fault(node)
    return ""


def _call_fault(node: nodes.Call, methods: Collection[str]) -> str:
    called = node.node
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "a call takes plain arguments only"
    if isinstance(called, nodes.Getattr) and not _is_loop(called.node):
        return _method_fault(called.attr, methods)
    name = called.name if isinstance(called, nodes.Name) else ""
    if name == "namespace":
        return "namespace(...) takes fields by name only, as in count=0" if node.args else ""
    if node.kwargs:
        return "a call takes plain arguments only"
    if name == "range" or (isinstance(called, nodes.Getattr) and called.attr in LOOP_CALLS):
        return ""
    return (
        "calls are not allowed, except methods such as text.split(','), range(...), "
        "namespace(...), loop.cycle(...) and loop.changed(...)"
    )


def _method_fault(method: str, methods: Collection[str]) -> str:
    if method in _CHANGING:
        return (
            f"the method {method!r} is not allowed, as it changes its value; "
            "use namespace(...) and {% set ns.items = ns.items + [item] %}"
        )
    if method == "format":
        return "the method 'format' is not allowed; put strings together with ~"
    return _unknown_fault("method", methods, method)


def all_nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Walk a syntax tree without recursion, a node before what is in it."""
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(list(node.iter_child_nodes())))


def _refuse_depth(tree: nodes.Node, name: str | None) -> None:
    """Refuse a tree that Jinja2, which walks it by recursion, could not get to the end of."""
    pending = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            message = f"the template is nested deeper than {MAX_DEPTH} levels; split it up."
            raise TemplateSyntaxError(message=message, line=node.lineno or 1, template=name)
        pending.extend((child, depth + 1) for child in node.iter_child_nodes())


def _name_fault(node: nodes.Node, called: Collection[int]) -> str:
    """Refuse a name that means something else; `range` and `loop` stand before a call or a dot."""
    if isinstance(node, nodes.Getattr):
        if _is_loop(node.node) and node.attr in LOOP_CALLS and id(node) not in called:
            return f"`loop.{node.attr}` is no value; use loop.{node.attr}(...)"
        return ""
    if not isinstance(node, nodes.Name):
        return ""
    if normalize("NFKC", node.name) != node.name:
        # Python, which a template is compiled to, would take the two spellings for one name.
        return f"the name {node.name!r} is written {normalize('NFKC', node.name)!r}"
    if is_variable_name("jinja2", node.name):
        return ""
    if node.ctx == "store":
        return f"`{node.name}` cannot be set"
    if node.name not in {"loop", "range", "self"}:
        return f"`{node.name}` cannot be a variable: the word means something else in a template"
    if node.name == "self" or id(node) not in called:
        return f"`{node.name}` is no value; use range(...), loop.index and the like"
    return ""


def _is_namespace(node: nodes.Node) -> bool:
    is_call = isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name)
    return is_call and node.node.name == "namespace"  # type: ignore[attr-defined]


def _is_loop(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "loop"


def _number_fault(value: object) -> str:
    large = isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS
    if large or (isinstance(value, float) and isinf(value)):
        return "the number is too large"
    return ""


def _compare_fault(node: nodes.Compare) -> str:
    if len(node.ops) > 1 and any(operand.op in ("in", "notin") for operand in node.ops):
        return "`in` cannot stand in a chain of comparisons; use `and`"
    return ""


def _unknown_fault(what: str, known: Collection[str], name: str) -> str:
    if name in known:
        return ""
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
    return f"there is no {what} {name!r}; {hint}".rstrip(".")


def _include_fault(node: nodes.Include, includes: Collection[str]) -> str:
    target = node.template
    if not isinstance(target, nodes.Const) or not isinstance(target.value, str):
        return 'an include names one prompt, as in {% include "shared/tone" %}'
    if node.ignore_missing or not node.with_context:
        return "an include takes neither `ignore missing` nor `without context`"
    if not _NAME.fullmatch(target.value):
        return f"{target.value!r} is not a prompt name"
    if target.value not in includes:
        return f'write the name plainly, as in {{% include "{target.value}" %}}'
    return ""


def filtered(
    node: nodes.Node, name: str, *arguments: nodes.Expr, options: list[nodes.Keyword] | None = None
) -> nodes.Filter:
    """Pass the value of a node through one of the compiler's own filters."""
    value = cast("nodes.Expr", node)
    return nodes.Filter(value, name, list(arguments), options or [], None, None, lineno=node.lineno)


def count_steps(tree: nodes.Node) -> int:
    """Count the steps of what a syntax tree does once, the rounds of its loops left aside."""
    steps = 0
    pending = [tree]
    while pending:
        node = pending.pop()
        steps += 1
        # The rounds of a loop are counted by themselves, when it begins.
        pending += (
            [node.iter, *node.else_] if isinstance(node, nodes.For) else node.iter_child_nodes()
        )
    return steps


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
        steps = 1 + sum(map(count_steps, node.body)) + (count_steps(node.test) if node.test else 0)
        self.generic_visit(node)
        node.iter = filtered(node.iter, " rounds", nodes.Const(steps))
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
        is_literal = isinstance(node, (nodes.TemplateData, nodes.Const))
        return node if is_literal else filtered(node, " print")

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return filtered(nodes.List(node.nodes, lineno=node.lineno), " join")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return filtered(node, " sliced") if isinstance(node.arg, nodes.Slice) else node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = filtered(node.key, " key")
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        called = node.node
        if isinstance(called, nodes.Name):
            nothing = nodes.Const(None, lineno=node.lineno)
            return filtered(nothing, f" {called.name}", *node.args, options=node.kwargs)
        if not isinstance(called, nodes.Getattr):
            return node
        if isinstance(called.node, nodes.Name) and called.node.name == "loop":
            if called.attr == "changed":
                node.args = [_weighed(argument) for argument in node.args]
            return node
        method = nodes.Const(called.attr)
        return filtered(called.node, " method", method, *node.args, options=node.kwargs)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        first = node.ops[0]
        if first.op in ("in", "notin"):
            found = filtered(node.expr, " in", first.expr)
            return found if first.op == "in" else nodes.Not(found, lineno=node.lineno)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if sum(not _is_small(side) for side in sides) > 1:
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
        return node


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if _is_small(node) else filtered(node, " weigh")


def _is_small(node: nodes.Expr) -> bool:
    """Return whether a value is a literal of the template, which cannot be large inside."""
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return all(isinstance(item, nodes.Const) for item in node.items)
    return isinstance(node, nodes.Const)
