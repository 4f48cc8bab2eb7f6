"""Which part of Jinja2 a template may use: a data-only language, checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from math import isinf
from typing import Final
from unicodedata import normalize

from jinja2 import nodes

from promptstore.errors import TemplateSyntaxError
from promptstore.model.names import is_name
from promptstore.template.spending import MAX_INTEGER_BITS

MAX_DEPTH: Final = 150
"""How deep a template may be nested, blocks and expressions together."""
MAX_PARTS: Final = 50_000
"""How many names, operators, tags and the like a template may have, its includes included."""
TOO_LARGE: Final = f"the template has more than {MAX_PARTS:,} parts; make it smaller"

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
    nodes.Test, nodes.Call, nodes.Keyword,
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
    nodes.NSRef: "namespaces are not allowed",
    nodes.ScopedEvalContextModifier: "autoescape is not allowed",
    nodes.EvalContextModifier: "autoescape is not allowed",
}


def check_language(
    tree: nodes.Template,
    *,
    name: str | None,
    filters: Collection[str],
    tests: Collection[str],
    includes: Collection[str],
) -> None:
    """Refuse everything in a syntax tree that is not part of the language.

    Args:
        tree: The syntax tree of one template.
        name: The prompt that it belongs to, for errors.
        filters: The filters that there are.
        tests: The tests that there are.
        includes: The names that a look at the text found; another one is not written plainly.

    Raises:
        TemplateSyntaxError: Something is not allowed; its line is told.
    """
    _refuse_depth(tree, name)
    called = _called_names(tree)
    for node in all_nodes(tree):
        fault = _fault(node, filters, tests, includes) or _name_fault(node, called)
        if fault:
            raise TemplateSyntaxError(message=f"{fault}.", line=node.lineno or 1, template=name)


def _refuse_depth(tree: nodes.Node, name: str | None) -> None:
    """Refuse a tree that Jinja2, which walks it by recursion, could not get to the end of."""
    pending = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > MAX_DEPTH:
            message = f"the template is nested deeper than {MAX_DEPTH} levels; split it up."
            raise TemplateSyntaxError(message=message, line=node.lineno or 1, template=name)
        pending.extend((child, depth + 1) for child in node.iter_child_nodes())


def all_nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Walk a syntax tree without recursion, a node before what is in it."""
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(list(node.iter_child_nodes())))


def _fault(
    node: nodes.Node, filters: Collection[str], tests: Collection[str], includes: Collection[str]
) -> str:
    if not isinstance(node, _ALLOWED):
        return _REFUSED.get(type(node), f"{type(node).__name__.lower()} is not allowed")
    if isinstance(node, nodes.Getattr):
        return _attribute_fault(node)
    if isinstance(node, nodes.Call):
        return _call_fault(node)
    if isinstance(node, nodes.Const):
        return _number_fault(node.value)
    if isinstance(node, nodes.For) and node.recursive:
        return "recursive loops are not allowed"
    if isinstance(node, nodes.Filter):
        return _unknown_fault("filter", node.name, filters)
    if isinstance(node, nodes.Test):
        return _unknown_fault("test", node.name, tests)
    if isinstance(node, nodes.Include):
        return _include_fault(node, includes)
    return ""


def _called_names(tree: nodes.Node) -> set[int]:
    """Remember which names stand where `range` and `loop` may: before a call, before a dot."""
    called: set[int] = set()
    for node in all_nodes(tree):
        if isinstance(node, (nodes.Call, nodes.Getattr)):
            called.add(id(node.node))
    return called


def _name_fault(node: nodes.Node, called: Collection[int]) -> str:
    if isinstance(node, nodes.Getattr):
        return _loop_fault(node, called)
    if not isinstance(node, nodes.Name):
        return ""
    if normalize("NFKC", node.name) != node.name:
        # Python, which a template is compiled to, would take the two spellings for one name.
        return f"the name {node.name!r} is written {normalize('NFKC', node.name)!r}"
    if node.name not in {"self", "loop", "range"}:
        return ""
    if node.ctx == "store":
        return f"`{node.name}` cannot be set"
    if node.name == "self" or id(node) not in called:
        return f"`{node.name}` is no value; use range(...), loop.index and the like"
    return ""


def _loop_fault(node: nodes.Getattr, called: Collection[int]) -> str:
    of_loop = isinstance(node.node, nodes.Name) and node.node.name == "loop"
    if of_loop and node.attr in LOOP_CALLS and id(node) not in called:
        return f"`loop.{node.attr}` is no value; use loop.{node.attr}(...)"
    return ""


def _number_fault(value: object) -> str:
    large = isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS
    if large or (isinstance(value, float) and isinf(value)):
        return "the number is too large"
    return ""


def _attribute_fault(node: nodes.Getattr) -> str:
    if node.attr.startswith("_"):
        return f"the attribute {node.attr!r} is not allowed: it starts with an underscore"
    return ""


def _call_fault(node: nodes.Call) -> str:
    called = node.node
    if node.dyn_args is not None or node.dyn_kwargs is not None or node.kwargs:
        return "a call takes plain arguments only"
    if isinstance(called, nodes.Name) and called.name == "range":
        return ""
    if (
        isinstance(called, nodes.Getattr)
        and isinstance(called.node, nodes.Name)
        and called.node.name == "loop"
        and called.attr in LOOP_CALLS
    ):
        return ""
    return "calls are not allowed, except range(...), loop.cycle(...) and loop.changed(...)"


def _unknown_fault(what: str, name: str, known: Collection[str]) -> str:
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
    if not is_name(target.value):
        return f"{target.value!r} is not a prompt name"
    if target.value not in includes:
        return f'write the name plainly, as in {{% include "{target.value}" %}}'
    return ""
