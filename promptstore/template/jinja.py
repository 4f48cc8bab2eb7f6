"""Templates with logic: the data-only part of Jinja2, in its immutable sandbox, with limits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache, partial
from types import CodeType, TracebackType
from typing import Any, Final, NoReturn, cast

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import Context, LoopContext, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from promptstore.errors import IncludeError, RenderError, TemplateSyntaxError, VariableError
from promptstore.template.base import (
    Budget,
    Limits,
    Reference,
    Source,
    Template,
    find_includes,
)
from promptstore.template.filters import (
    BUDGET,
    budget_of,
    language_filters,
    language_tests,
    spend,
)
from promptstore.template.language import LOOP_ATTRIBUTES, all_nodes, check_language
from promptstore.template.substitution import optional_message, split_simple, to_text

_FILENAME: Final = "<promptstore template>"
_STRIDE: Final = 1 << 21  # more than a file of 1 MiB has lines
_MAX_INCLUDES: Final = 500
_MAX_INTEGER_BITS: Final = 1024
_PRIVATE_USE: Final = range(0xE000, 0xF900)
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
    return _Compiler(_environment(), includes, limits).compile(source)


def find_jinja_references(source: Source) -> tuple[list[Reference], list[Reference]]:
    """Find the names and the includes of one template by its syntax tree.

    Raises:
        TemplateSyntaxError: The text is not a template of the language.
    """
    compiler = _Compiler(_environment(), {}, Limits())
    tree = compiler.parse(source)
    outer = meta.find_undeclared_variables(tree)
    names = [
        Reference(node.name, node.lineno)
        for node in all_nodes(tree)
        if isinstance(node, nodes.Name) and node.name in outer
    ]
    return names, [Reference(_target(node), node.lineno) for node in _includes(tree)]


class _MissingVariable(jinja2.UndefinedError):
    """A name from outside that has no value."""

    def __init__(self, name: str, _message: str) -> None:
        super().__init__(name)
        self.name = name


class _Undefined(StrictUndefined):
    """Something that is not there; every use of it is an error."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: Callable[..., jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if obj is missing and name is not None and hint is None:
            exc = partial(_MissingVariable, name)
        super().__init__(hint, obj, name, exc)  # type: ignore[arg-type]

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        kinds: dict[type, str] = {dict: "the object", list: "the list", str: "the text"}
        kind = kinds.get(type(self._undefined_obj), "the value")
        return f"{kind} has no {self._undefined_name!r}"

    def __repr__(self) -> str:
        # A list prints its items by their repr: what is not there must not pass as text.
        return str(self)


class _Optional(_Undefined):
    """An optional variable without a value: false in a condition, an error anywhere else."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which data has keys and items, and nothing else."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, LoopContext) and attribute in LOOP_ATTRIBUTES:
            return getattr(obj, attribute)
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return obj[argument]
        if isinstance(obj, dict) or isinstance(argument, (int, slice)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget = budget_of(context)
        if operator == "+" and isinstance(left, (str, list)) and isinstance(right, (str, list)):
            size = len(left) + len(right)
            (budget.spend_characters if isinstance(left, str) else budget.spend_rounds)(size)
        elif not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            if isinstance(left, Undefined) or isinstance(right, Undefined):
                return left + right
            message = f"the operator {operator} works between numbers only"
            raise TypeError(message)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > _MAX_INTEGER_BITS:
            message = f"an integer of more than {_MAX_INTEGER_BITS} bits"
            raise ValueError(message)
        return result

    def is_safe_callable(self, obj: Any) -> bool:
        return obj is _range or getattr(obj, "__self__", None).__class__ is LoopContext


@jinja2.pass_context
def _range(context: Context, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    budget_of(context).spend_rounds(len(numbers))
    return list(numbers)


@jinja2.pass_context
def _count_rounds(context: Context, iterable: Any) -> Any:
    if isinstance(iterable, (list, dict, str, tuple)):
        budget_of(context).spend_rounds(len(iterable))
    return iterable


@jinja2.pass_context
def _concatenate(context: Context, items: list[Any]) -> str:
    texts = [str(item) for item in items]
    budget_of(context).spend_characters(sum(map(len, texts)))
    return "".join(texts)


@jinja2.pass_context
def _spend(context: Context, value: Any) -> Any:
    return spend(budget_of(context), value)


@jinja2.pass_context
def _look_up(context: Context, name: str) -> Any:
    value = context.resolve_or_missing(name)
    return context.environment.undefined(name=name) if value is missing else value


_INTERNAL_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    " count": _count_rounds,
    " join": _concatenate,
    " spend": _spend,
    " variable": _look_up,
    " text": to_text,
}
"""Filters that only the compiler puts in; the space keeps templates from naming them."""


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment = _Environment(
        undefined=_Undefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,
        cache_size=0,
    )
    environment.globals = {"range": _range}
    # Jinja2's own annotations of the two tables are narrower than what it takes.
    filters: Any = language_filters() | _INTERNAL_FILTERS
    tests: Any = language_tests()
    environment.filters, environment.tests = filters, tests
    return environment


class _Limiter(NodeTransformer):
    """Puts the counting of loops, joins, slices and searches into a syntax tree."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja2 calls it so
        self.generic_visit(node)
        node.iter = _filtered(node.iter, " count")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), " join")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " spend") if isinstance(node.arg, nodes.Slice) else node

    def visit_Operand(self, node: nodes.Operand) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.op in ("in", "notin"):
            node.expr = _filtered(node.expr, " spend")
        return node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, [], [], None, None, lineno=node.lineno)


class _Compiler:
    """Compiles one template with all that it includes."""

    def __init__(
        self, environment: _Environment, includes: Mapping[str, Source], limits: Limits
    ) -> None:
        self._environment = environment
        self._includes = includes
        self._limits = limits
        self._names: list[str | None] = []
        self._flat: set[str] = set()
        self._guarded: set[str] = set()

    def compile(self, source: Source) -> Template:
        tree = self.parse(source)
        try:
            direct = tuple(dict.fromkeys(_target(node) for node in _includes(tree)))
            self._splice(tree, (source.name or "this prompt",))
            tree = _Limiter().visit(tree)
            variables = frozenset(meta.find_undeclared_variables(tree) | self._flat)
            code = self._environment.compile(tree, filename=_FILENAME)
        except (RecursionError, SyntaxError, MemoryError, OverflowError) as error:
            raise _too_complicated(source) from error
        required = variables - self._guarded
        return _Jinja(self._environment, code, variables, required, direct, tuple(self._names))

    def parse(self, source: Source) -> nodes.Template:
        """Parse one text; its number among the texts goes into the line of each node."""
        base = len(self._names) * _STRIDE
        self._names.append(source.name)
        read = self._parse_jinja if source.kind == "jinja2" else self._parse_flat
        tree = read(source)
        for node in all_nodes(tree):
            node.lineno = base + (node.lineno or 1)
        return tree

    def _parse_jinja(self, source: Source) -> nodes.Template:
        text, carriage_return = _hide_carriage_returns(source.text)
        try:
            tree = self._environment.parse(text)
        except jinja2.TemplateSyntaxError as error:
            message = (error.message or "not a template").rstrip(".")
            raise TemplateSyntaxError(
                message=f"{message}.", line=error.lineno, template=source.name
            ) from error
        except RecursionError as error:
            raise _too_complicated(source) from error
        check_language(
            tree,
            name=source.name,
            filters=[name for name in self._environment.filters if name[0] != " "],
            tests=self._environment.tests,
            includes=find_includes(source),
        )
        if carriage_return:
            _show_carriage_returns(tree, carriage_return)
        self._guarded |= set(_guarded_names(tree))
        return tree

    def _parse_flat(self, source: Source) -> nodes.Template:
        """Make the syntax tree of an included text that is ``simple`` or ``none``."""
        pieces = split_simple(source.text) if source.kind == "simple" else [source.text]
        output: list[nodes.Expr] = []
        for index, piece in enumerate(pieces):
            if index % 2:
                self._flat.add(piece)
                output.append(_filtered(_filtered(nodes.Const(piece), " variable"), " text"))
            else:
                output.append(nodes.TemplateData(piece))
        tree = nodes.Template([nodes.Output(output, lineno=1)], lineno=1)
        tree.set_environment(self._environment)
        return tree

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
        name = _target(node)
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


class _Jinja(Template):
    """A compiled template with logic."""

    __slots__ = ("_names", "_template")

    def __init__(
        self,
        environment: _Environment,
        code: CodeType,
        variables: frozenset[str],
        required: frozenset[str],
        includes: tuple[str, ...],
        names: tuple[str | None, ...],
    ) -> None:
        self.variables = variables
        self.required = required
        self.includes = includes
        self._names = names
        self._template = jinja2.Template.from_code(environment, code, environment.globals)

    def render(
        self, values: Mapping[str, Any], *, optional: Collection[str], budget: Budget
    ) -> str:
        """Fill the template; see `Template.render`."""
        absent = {name: _Optional(name=name) for name in optional if name not in values}
        seen = {**self._template.globals, **absent, **values, BUDGET: budget}
        environment = self._template.environment
        context = Context(environment, seen, self._template.name, self._template.blocks)
        pieces: list[str] = []
        keep, spend_output = pieces.append, budget.spend_output
        try:
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
        if isinstance(error, _MissingVariable) and error.name in optional:
            message = f"{optional_message(error.name)}."
            raise RenderError(message=message, line=line, template=name) from error
        if isinstance(error, _MissingVariable):
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


def _too_complicated(source: Source) -> TemplateSyntaxError:
    return TemplateSyntaxError(
        message="the template is nested too deeply; split it up.", template=source.name
    )


def _includes(tree: nodes.Node) -> Iterator[nodes.Include]:
    return (node for node in all_nodes(tree) if isinstance(node, nodes.Include))


def _target(node: nodes.Node) -> str:
    target = getattr(node, "template", None)
    return target.value if isinstance(target, nodes.Const) else ""


def _guarded_names(tree: nodes.Node) -> Iterator[str]:
    """List the names that the template itself asks about before it uses them."""
    for node in all_nodes(tree):
        asks = (isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}) or (
            isinstance(node, nodes.Filter) and node.name in {"default", "d"}
        )
        if asks and isinstance(node.node, nodes.Name):  # type: ignore[attr-defined]
            yield node.node.name  # type: ignore[attr-defined]


def _hide_carriage_returns(text: str) -> tuple[str, str]:
    """Replace CR, which Jinja2 would turn into LF, by a character that the text does not hold."""
    if "\r" not in text:
        return text, ""
    stand_in = next(chr(code) for code in _PRIVATE_USE if chr(code) not in text)
    return text.replace("\r", stand_in), stand_in


def _show_carriage_returns(tree: nodes.Node, stand_in: str) -> None:
    for node in all_nodes(tree):
        if isinstance(node, nodes.TemplateData):
            node.data = node.data.replace(stand_in, "\r")
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            node.value = node.value.replace(stand_in, "\r")
