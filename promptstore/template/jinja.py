"""Templates with logic: the data-only part of Jinja2, in its immutable sandbox, with limits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, NoReturn

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from promptstore.errors import IncludeError, RenderError, VariableError
from promptstore.template.language import (
    MAX_CHARACTERS,
    MAX_PARTS,
    TOO_DEEP,
    TOO_LARGE,
    all_nodes,
    environment,
    includes_of,
    parse_jinja,
    syntax_error,
    target_of,
)
from promptstore.template.sandbox import BUDGET, MissingVariable, OptionalUndefined
from promptstore.template.source import (
    Budget,
    Limits,
    Source,
    Template,
    is_variable_name,
    optional_message,
    split_simple,
)

_FILENAME: Final = "<promptstore template>"
_STRIDE: Final = MAX_CHARACTERS + 1  # no text has more lines
_MAX_INCLUDES: Final = 500
_RUNTIME_ERRORS: Final = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)


def compile_jinja(source: Source, includes: Mapping[str, Source], limits: Limits) -> Template:
    """Compile a template with logic, its includes put into its own syntax tree.

    Args:
        source: The template.
        includes: What it may include, by name.
        limits: The limits that count while compiling.

    Returns:
        The compiled template.

    Raises:
        TemplateSyntaxError: The text is not a template of the language.
        IncludeError: An include is missing, cyclic or too deep.
    """
    return _Compiler(includes, limits).compile(source)


class _Compiler:
    """Compiles one template with all that it includes."""

    def __init__(self, includes: Mapping[str, Source], limits: Limits) -> None:
        self._environment = environment()
        self._includes = includes
        self._limits = limits
        self._names: list[str | None] = []
        self._characters = 0
        self._parts = 0
        self._flat: set[str] = set()
        self._guarded: set[str] = set()

    def compile(self, source: Source) -> Template:
        tree = self.parse(source)
        try:
            direct = tuple(dict.fromkeys(target_of(node) for node in includes_of(tree)))
            self._splice(tree, (source.name or "this prompt",))
            steps = _count_steps(tree)
            tree = _Limiter().visit(tree)
            variables = frozenset(meta.find_undeclared_variables(tree) | self._flat)
            code = self._environment.compile(tree, filename=_FILENAME)
        except (RecursionError, SyntaxError, MemoryError, OverflowError) as error:
            raise syntax_error(source, TOO_DEEP) from error
        required = variables - self._guarded
        template = jinja2.Template.from_code(self._environment, code, {})
        return _Jinja(template, steps, variables, required, direct, tuple(self._names))

    def parse(self, source: Source) -> nodes.Template:
        """Parse one text; its number among the texts goes into the line of each node."""
        base = len(self._names) * _STRIDE
        self._names.append(source.name)
        self._characters += len(source.text)
        if self._characters > MAX_CHARACTERS:
            raise syntax_error(source, f"the template has more than {MAX_CHARACTERS:,} characters")
        if source.kind == "jinja2":
            tree = parse_jinja(source)
            self._guarded |= set(_guarded_names(tree))
        else:
            tree = self._parse_flat(source)
        for node in all_nodes(tree):
            self._parts += 1
            node.lineno = base + (node.lineno or 1)
        if self._parts > MAX_PARTS:
            raise syntax_error(source, TOO_LARGE)
        return tree

    def _parse_flat(self, source: Source) -> nodes.Template:
        """Make the syntax tree of an included text that is ``simple`` or ``none``."""
        pieces = split_simple(source.text) if source.kind == "simple" else [source.text]
        output: list[nodes.Expr] = []
        for index, piece in enumerate(pieces):
            value = self._flat_value(piece) if index % 2 else nodes.TemplateData(piece)
            output.append(value)
        tree = nodes.Template([nodes.Output(output, lineno=1)], lineno=1)
        tree.set_environment(self._environment)
        return tree

    def _flat_value(self, name: str) -> nodes.Expr:
        if is_variable_name("jinja2", name):
            return _filtered(nodes.Name(name, "load"), " text")
        # Jinja2 has no such names, so nothing in the text around it can have set one.
        self._flat.add(name)
        return _filtered(_filtered(nodes.Const(name), " variable"), " text")

    def _splice(self, tree: nodes.Node, chain: tuple[str, ...]) -> None:
        """Put the trees of included texts in the place of the includes, to the bottom."""
        for parent in list(all_nodes(tree)):
            for field in ("body", "else_"):
                body = getattr(parent, field, None)
                if isinstance(body, list):
                    body[:] = [self._included(node, chain) for node in body]

    def _included(self, node: nodes.Node, chain: tuple[str, ...]) -> nodes.Node:
        if not isinstance(node, nodes.Include):
            return node
        name = target_of(node)
        fault = self._include_fault(name, chain)
        if fault:
            code, reason = fault
            line = node.lineno % _STRIDE
            raise IncludeError(target=name, chain=chain, reason=reason, code=code, line=line)
        tree = self.parse(self._includes[name])
        self._splice(tree, (*chain, name))
        # A scope of its own keeps what the included text sets from leaking out.
        return nodes.Scope(tree.body, lineno=node.lineno)

    def _include_fault(self, name: str, chain: tuple[str, ...]) -> tuple[str, str] | None:
        if name in chain:
            return "PS303", "it includes itself"
        if name not in self._includes:
            return "PS301", "there is no such prompt"
        if len(chain) > self._limits.max_include_depth:
            return "PS304", f"includes are nested deeper than {self._limits.max_include_depth}"
        if len(self._names) > _MAX_INCLUDES:
            return "PS304", f"a prompt includes more than {_MAX_INCLUDES} texts"
        return None


class _Jinja:
    """A compiled template with logic."""

    __slots__ = ("_names", "_steps", "_template", "includes", "required", "variables")

    def __init__(
        self,
        template: jinja2.Template,
        steps: int,
        variables: frozenset[str],
        required: frozenset[str],
        includes: tuple[str, ...],
        names: tuple[str | None, ...],
    ) -> None:
        self.variables = variables
        self.required = required
        self.includes = includes
        self._names = names
        self._steps = steps
        self._template = template

    def render(self, values: Mapping[str, Any], optional: Collection[str], budget: Budget) -> str:
        """Fill the template; see `Template.render`."""
        absent = {name: OptionalUndefined(name=name) for name in optional if name not in values}
        seen = {**absent, **values, BUDGET: budget}
        context = Context(self._template.environment, seen, self._template.name, {})
        pieces: list[str] = []
        keep, spend_output = pieces.append, budget.spend_output
        try:
            budget.spend(self._steps)
            for piece in self._template.root_render_func(context):
                spend_output(len(piece))
                keep(piece)
        except _RUNTIME_ERRORS as error:
            self._fail(error, optional)
        return "".join(pieces)

    def _fail(self, error: Exception, optional: Collection[str]) -> NoReturn:
        name, line = self._place(error.__traceback__)
        if isinstance(error, RenderError):
            error.template, error.line = name, line
            raise error
        if isinstance(error, MissingVariable) and error.name in optional:
            message = f"{optional_message(error.name)}."
            raise RenderError(message=message, line=line, template=name) from error
        if isinstance(error, MissingVariable):
            raise VariableError(name=self._names[0], missing=[error.name]) from error
        raise RenderError(message=f"{_sentence(error)}.", line=line, template=name) from error

    def _place(self, traceback: TracebackType | None) -> tuple[str | None, int | None]:
        """Find the text and the line of the innermost frame that belongs to the template."""
        line: int | None = None
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == _FILENAME:
                line = self._template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        if line is None:
            return self._names[0], None
        return self._names[line // _STRIDE], line % _STRIDE


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the template is nested too deeply"
    return str(error).rstrip(".") or type(error).__name__


def _guarded_names(tree: nodes.Node) -> Iterator[str]:
    """List the names that the template itself asks about before it uses them."""
    for node in all_nodes(tree):
        asks = (isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}) or (
            isinstance(node, nodes.Filter) and node.name in {"default", "d"}
        )
        if asks and isinstance(node.node, nodes.Name):  # type: ignore[attr-defined]
            yield node.node.name  # type: ignore[attr-defined]


def _filtered(
    node: nodes.Node, name: str, *arguments: nodes.Expr, options: list[nodes.Keyword] | None = None
) -> nodes.Filter:
    """Pass the value of a node through one of the compiler's own filters."""
    value: Any = node
    return nodes.Filter(value, name, list(arguments), options or [], None, None, lineno=node.lineno)


def _count_steps(*trees: nodes.Node | None) -> int:
    """Count the steps of what syntax trees do once, the rounds of their loops left aside."""
    steps = 0
    pending = [tree for tree in trees if tree is not None]
    while pending:
        node = pending.pop()
        steps += 1
        # The rounds of a loop are counted by themselves, when it begins.
        pending += (
            [node.iter, *node.else_] if isinstance(node, nodes.For) else node.iter_child_nodes()
        )
    return steps


class _Limiter(NodeTransformer):
    """Lets loops, output, captured text, comparisons and slices spend from the budget."""

    def __init__(self) -> None:
        self._captures = 0

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja2 calls it so
        steps = (
            1 + sum(map(_count_steps, node.body)) + (_count_steps(node.test) if node.test else 0)
        )
        self.generic_visit(node)
        node.iter = _filtered(node.iter, " rounds", nodes.Const(steps))
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
            return _filtered(node, " capture")
        is_literal = isinstance(node, (nodes.TemplateData, nodes.Const))
        return node if is_literal else _filtered(node, " print")

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), " join")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " sliced") if isinstance(node.arg, nodes.Slice) else node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _filtered(node.key, " key")
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        called = node.node
        if isinstance(called, nodes.Name):
            nothing = nodes.Const(None, lineno=node.lineno)
            return _filtered(nothing, f" {called.name}", *node.args, options=node.kwargs)
        if not isinstance(called, nodes.Getattr):
            return node
        if isinstance(called.node, nodes.Name) and called.node.name == "loop":
            if called.attr == "changed":
                node.args = [_weighed(argument) for argument in node.args]
            return node
        method = nodes.Const(called.attr)
        return _filtered(called.node, " method", method, *node.args, options=node.kwargs)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        first = node.ops[0]
        if first.op in ("in", "notin"):
            found = _filtered(node.expr, " in", first.expr)
            return found if first.op == "in" else nodes.Not(found, lineno=node.lineno)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if sum(not _is_small(side) for side in sides) > 1:
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
        return node


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if _is_small(node) else _filtered(node, " weigh")


def _is_small(node: nodes.Expr) -> bool:
    """Return whether a value is a literal of the template, which cannot be large inside."""
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return all(isinstance(item, nodes.Const) for item in node.items)
    return isinstance(node, nodes.Const)
