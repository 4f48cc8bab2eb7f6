"""Templates with logic: the data-only part of Jinja2, in its immutable sandbox, with limits."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, NoReturn

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import Context

from promptstore.errors import IncludeError, RenderError, TemplateSyntaxError, VariableError
from promptstore.template.filters import FILTERS, TESTS, write_flat
from promptstore.template.language import (
    MAX_PARTS,
    TOO_LARGE,
    add_limits,
    all_nodes,
    check_language,
    count_steps,
    filtered,
)
from promptstore.template.methods import METHOD_NAMES, call_method
from promptstore.template.sandbox import (
    BUDGET,
    Environment,
    MissingVariable,
    OptionalUndefined,
)
from promptstore.template.source import (
    Budget,
    Limits,
    Reference,
    References,
    Source,
    Template,
    is_variable_name,
    optional_message,
    split_simple,
)

_FILENAME: Final = "<promptstore template>"
_STRIDE: Final = 1 << 21
_MAX_CHARACTERS: Final = _STRIDE - 1  # so that no text has more lines than a stride
_MAX_INCLUDES: Final = 500
_LONG_NUMBER: Final = re.compile(r"\d[\d_]{999}")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_TOO_DEEP: Final = "the template is nested too deeply; split it up"
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


def find_jinja_references(source: Source) -> References:
    """Return the names and the includes of one template by its syntax tree.

    Raises:
        TemplateSyntaxError: The text is not a template of the language.
    """
    tree = _Compiler({}, Limits()).parse(source)
    outer = meta.find_undeclared_variables(tree)
    functions = {id(node.node) for node in all_nodes(tree) if isinstance(node, nodes.Call)}
    names = [
        Reference(node.name, node.lineno)
        for node in all_nodes(tree)
        if isinstance(node, nodes.Name) and node.name in outer and id(node) not in functions
    ]
    return References(names, [Reference(_target(node), node.lineno) for node in _includes(tree)])


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Return the one environment that compiles and runs all templates."""
    return Environment(FILTERS | {" method": call_method, " text": write_flat}, TESTS)


class _Compiler:
    """Compiles one template with all that it includes."""

    def __init__(self, includes: Mapping[str, Source], limits: Limits) -> None:
        self._environment = _environment()
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
            direct = tuple(dict.fromkeys(_target(node) for node in _includes(tree)))
            self._splice(tree, (source.name or "this prompt",))
            steps = count_steps(tree)
            tree = add_limits(tree)
            variables = frozenset(meta.find_undeclared_variables(tree) | self._flat)
            code = self._environment.compile(tree, filename=_FILENAME)
        except (RecursionError, SyntaxError, MemoryError, OverflowError) as error:
            raise _fault(source, _TOO_DEEP) from error
        required = variables - self._guarded
        template = jinja2.Template.from_code(self._environment, code, {})
        return _Jinja(template, steps, variables, required, direct, tuple(self._names))

    def parse(self, source: Source) -> nodes.Template:
        """Parse one text; its number among the texts goes into the line of each node."""
        base = len(self._names) * _STRIDE
        self._names.append(source.name)
        self._characters += len(source.text)
        if self._characters > _MAX_CHARACTERS:
            raise _fault(source, f"the template has more than {_MAX_CHARACTERS:,} characters")
        tree = self._parse_jinja(source) if source.kind == "jinja2" else self._parse_flat(source)
        for node in all_nodes(tree):
            self._parts += 1
            node.lineno = base + (node.lineno or 1)
        if self._parts > MAX_PARTS:
            raise _fault(source, TOO_LARGE)
        return tree

    def _parse_jinja(self, source: Source) -> nodes.Template:
        tree = self._parse_text(source)
        check_language(tree, source, filters=FILTERS, tests=TESTS, methods=METHOD_NAMES)
        if "\r" in source.text:
            line = _find_quoted_line_end(self._environment.lex(source.text), source.text)
            if line is not None:
                raise _fault(source, r"a line end within quotes is written as \r\n", line)
            _restore_line_ends(tree, source.text)
        self._guarded |= set(_guarded_names(tree))
        return tree

    def _parse_text(self, source: Source) -> nodes.Template:
        try:
            return self._environment.parse(source.text)
        except jinja2.TemplateSyntaxError as error:
            message = (error.message or "not a template").rstrip(".")
            raise _fault(source, message, error.lineno) from error
        except RecursionError as error:
            raise _fault(source, _TOO_DEEP) from error
        except ValueError as error:
            # Python refuses to read numbers of thousands of digits.
            number = _LONG_NUMBER.search(source.text)
            line = source.text.count("\n", 0, number.start()) + 1 if number else 1
            raise _fault(source, "the number is too large", line) from error

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
            return filtered(nodes.Name(name, "load"), " text")
        # Jinja2 has no such names, so nothing in the text around it can have set one.
        self._flat.add(name)
        return filtered(filtered(nodes.Const(name), " variable"), " text")

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


def _fault(source: Source, message: str, line: int = 1) -> TemplateSyntaxError:
    return TemplateSyntaxError(message=f"{message}.", line=line, template=source.name)


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
