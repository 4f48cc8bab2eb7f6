"""A text → the syntax tree of a template: a data-only part of Jinja2, checked before it runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from math import isinf
from typing import Any, Final
from unicodedata import normalize

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from promptstore.errors import TemplateSyntaxError
from promptstore.template.filters import FILTERS, TESTS, write_flat
from promptstore.template.methods import METHOD_NAMES, call_method
from promptstore.template.sandbox import (
    INTERNAL_FILTERS,
    LOOP_CALLS,
    MAX_INTEGER_BITS,
    Environment,
    MissingValue,
)
from promptstore.template.source import (
    Reference,
    References,
    Source,
    find_includes,
    is_variable_name,
)

MAX_PARTS: Final = 10_000
"""How many names, operators, tags and the like a template may have, its includes included."""
TOO_LARGE: Final = f"the template has more than {MAX_PARTS:,} parts; make it smaller"
TOO_DEEP: Final = "the template is nested too deeply; split it up"
MAX_CHARACTERS: Final = (1 << 21) - 1
"""How many characters a template may have, its includes included."""

_MAX_DEPTH: Final = 150
"""How deep a template may be nested, blocks and expressions together."""
_LONG_NUMBER: Final = re.compile(r"\d[\d_]{999}")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
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


class _PartCounter(Extension):
    """Stops the reading of a template that has too many parts."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for number, token in enumerate(stream):
            if number > MAX_PARTS:
                raise jinja2.TemplateSyntaxError(TOO_LARGE, token.lineno)
            yield token


@cache
def environment() -> Environment:
    """Return the one environment that reads, compiles and runs all templates."""
    made = Environment(
        undefined=MissingValue,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,
        cache_size=0,
        extensions=[_PartCounter],
    )
    made.globals = {}
    own = {" method": call_method, " text": write_flat}
    # Jinja2's own annotations of the two tables are narrower than what it takes.
    both: Any = (FILTERS | INTERNAL_FILTERS | own, TESTS)
    made.filters, made.tests = both
    return made


def parse_jinja(source: Source) -> nodes.Template:
    """Parse one text.

    Args:
        source: The template.

    Returns:
        Its syntax tree, in which everything is part of the language.

    Raises:
        TemplateSyntaxError: The text is not a template of the language.
    """
    if len(source.text) > MAX_CHARACTERS:
        raise syntax_error(source, f"the template has more than {MAX_CHARACTERS:,} characters")
    tree = _parsed(source)
    _check_language(tree, source)
    if sum(1 for _ in all_nodes(tree)) > MAX_PARTS:
        raise syntax_error(source, TOO_LARGE)
    if "\r" in source.text:
        line = _find_quoted_line_end(environment().lex(source.text), source.text)
        if line is not None:
            raise syntax_error(source, r"a line end within quotes is written as \r\n", line)
        _restore_line_ends(tree, source.text)
    return tree


def _parsed(source: Source) -> nodes.Template:
    try:
        return environment().parse(source.text)
    except jinja2.TemplateSyntaxError as error:
        message = (error.message or "not a template").rstrip(".")
        raise syntax_error(source, message, error.lineno) from error
    except RecursionError as error:
        raise syntax_error(source, TOO_DEEP) from error
    except ValueError as error:
        # Python refuses to read numbers of thousands of digits.
        number = _LONG_NUMBER.search(source.text)
        line = source.text.count("\n", 0, number.start()) + 1 if number else 1
        raise syntax_error(source, "the number is too large", line) from error


def syntax_error(source: Source, message: str, line: int = 1) -> TemplateSyntaxError:
    """Return the error of a text that is not a template of the language."""
    return TemplateSyntaxError(message=f"{message}.", line=line, template=source.name)


def find_jinja_references(source: Source) -> References:
    """Return the names and the includes of one template by its syntax tree.

    Raises:
        TemplateSyntaxError: The text is not a template of the language.
    """
    tree = parse_jinja(source)
    outer = meta.find_undeclared_variables(tree)
    functions = {id(node.node) for node in all_nodes(tree) if isinstance(node, nodes.Call)}
    names = [
        Reference(node.name, node.lineno)
        for node in all_nodes(tree)
        if isinstance(node, nodes.Name) and node.name in outer and id(node) not in functions
    ]
    includes = [Reference(target_of(node), node.lineno) for node in includes_of(tree)]
    return References(names, includes)


def includes_of(tree: nodes.Node) -> Iterator[nodes.Include]:
    """Yield the includes in a syntax tree."""
    return (node for node in all_nodes(tree) if isinstance(node, nodes.Include))


def target_of(node: nodes.Node) -> str:
    """Return the name that an include names."""
    target = getattr(node, "template", None)
    return target.value if isinstance(target, nodes.Const) else ""


def _check_language(tree: nodes.Template, source: Source) -> None:
    """Refuse everything in a syntax tree that is not part of the language."""
    _refuse_depth(tree, source)
    known: dict[type[nodes.Node], tuple[str, Collection[str]]] = {
        nodes.Filter: ("filter", FILTERS),
        nodes.Test: ("test", TESTS),
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
            fault = _call_fault(node)
        elif isinstance(node, nodes.NSRef) and node.name not in namespaces:
            fault = (
                f"`{node.name}` is no namespace; write {{% set {node.name} = namespace() %}} first"
            )
        if fault:
            raise syntax_error(source, fault, node.lineno or 1)


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


def _call_fault(node: nodes.Call) -> str:
    called = node.node
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "a call takes plain arguments only"
    if isinstance(called, nodes.Getattr) and not _is_loop(called.node):
        return _method_fault(called.attr)
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


def _method_fault(method: str) -> str:
    if method in _CHANGING:
        return (
            f"the method {method!r} is not allowed, as it changes its value; "
            "use namespace(...) and {% set ns.items = ns.items + [item] %}"
        )
    if method == "format":
        return "the method 'format' is not allowed; put strings together with ~"
    return _unknown_fault("method", METHOD_NAMES, method)


def all_nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Walk a syntax tree without recursion, a node before what is in it."""
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(list(node.iter_child_nodes())))


def _refuse_depth(tree: nodes.Node, source: Source) -> None:
    """Refuse a tree that Jinja2, which walks it by recursion, could not get to the end of."""
    pending = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > _MAX_DEPTH:
            message = f"the template is nested deeper than {_MAX_DEPTH} levels; split it up"
            raise syntax_error(source, message, node.lineno or 1)
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


def _restore_line_ends(tree: nodes.Template, text: str) -> None:
    """Put the line ends of the template back into the literal text of its syntax tree.

    Jinja2 turns CR LF and CR into LF while it reads a template.
    """
    ends = _LINE_END.findall(text)
    for node in all_nodes(tree):
        if isinstance(node, nodes.TemplateData):
            first, *others = node.data.split("\n")
            own = ends[node.lineno - 1 : node.lineno - 1 + len(others)]
            node.data = first + "".join(map("".join, zip(own, others, strict=True)))


def _find_quoted_line_end(tokens: Iterable[tuple[int, str, str]], text: str) -> int | None:
    """Return the line of a CR within quotes, where nothing tells it from an escaped one later."""
    ends = _LINE_END.findall(text)
    for line, kind, value in tokens:
        if kind == "string" and "\r" in "".join(ends[line - 1 : line - 1 + value.count("\n")]):
            return line
    return None
