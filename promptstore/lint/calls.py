"""One file of Python code → the calls in it that ask for prompts.

Only the syntax tree is read: nothing is imported and nothing is run.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = object()
"""Stands for a value that is no literal."""

_STORE_NAMES: Final = ("store", "prompts", "prompt_store", "promptstore")
"""What a store is called, where nothing else shows what a name holds."""

_STORE_CLASSES: Final = ("PromptStore", "Snapshot")
_STUB_CLASS: Final = "Prompts"
"""A store in the stubs, for type checkers only, so nobody makes one; and a class of PostHog's."""

_DISPLAYS: Final = (
    ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple, ast.JoinedStr,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A place in code that asks for a prompt.

    Attributes:
        path: The file.
        line: The line, from 1.
        column: The column, from 1.
        name: The prompt's name.
        values: The values that it is rendered with where they stand in the call: literals by
            variable name, `UNKNOWN` for what is no literal. None where nothing is rendered, or
            where not all values can be seen.
        is_pinned: Whether a version, label or rev is asked for, which may be another prompt than
            the one that is there now.
        takes_deleted: Whether a deleted prompt is given too.
    """

    path: str
    line: int
    column: int
    name: str
    values: dict[str, Any] | None
    is_pinned: bool
    takes_deleted: bool


def read_calls(path: str, source: bytes) -> tuple[list[Call], set[str]]:
    """Find the calls in one file: on what is known to be a store, and on prompts from one.

    Args:
        path: The file's path.
        source: Its content.

    Returns:
        The calls, as far as their prompt is named by a literal, and every string in the file.

    Raises:
        SyntaxError: It is no Python, or one of the other errors of `ast.parse`.
    """
    reader = _Reader(path, ast.parse(source))
    return reader.calls, reader.words


class _Reader(ast.NodeVisitor):
    """Walks through one file.

    A name that is given a prompt stands for it from there on, to the end of that block and as long
    as nothing else is given to it; in other functions only where it is given something only once.
    """

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.calls: list[Call] = []
        self.words: set[str] = set()
        self._path = path
        nodes = [*ast.walk(tree)]
        self._imports_promptstore = any(_imports(node, "promptstore") for node in nodes)
        self._stores, self._others = _find_stores(nodes)
        self._given_once = self._find_given_once(nodes)
        self._block: tuple[int, ...] = ()
        # The value of each name, None where it is not known, and the blocks around that place.
        self._scope: dict[str, tuple[tuple[int, ...], ast.expr | None]] = {}
        self.visit(tree)

    def generic_visit(self, node: ast.AST) -> None:
        for _, value in ast.iter_fields(node):
            self._visit_all(value if isinstance(value, list) else [value])

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.words.add(node.value)

    def visit_FunctionDef(self, node: ast.AST) -> None:
        outer, self._scope = self._scope, {}
        self.generic_visit(node)
        self._scope = outer

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # noqa: N815

    def visit_ListComp(self, node: Any) -> None:
        # The loops first: they give a value to the names in front of them.
        outer, self._scope = self._scope, dict(self._scope)
        self._visit_all(node.generators)
        self.generic_visit(node)
        self._scope = outer

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_arg(self, node: ast.arg) -> None:
        self._scope[node.arg] = self._block, None

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._scope[node.id] = self._block, None

    def visit_Assign(self, node: Any) -> None:
        # The value first: it may use what the name stood for before.
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        self._visit_all([node.value, *targets, getattr(node, "annotation", None)])
        for target in targets:
            if isinstance(target, ast.Name):
                self._scope[target.id] = self._block, node.value

    visit_AnnAssign = visit_NamedExpr = visit_Assign  # noqa: N815

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = node.func
        if self._is_get(node):
            self._add(node, node, None)
        elif not isinstance(function, ast.Attribute) or function.attr != "render":
            return
        elif self._is_store(function.value):
            self._add(node, node, _mapping_of(node))
        elif got := self._got(function.value):
            self._add(node, got, _keywords_of(node))

    def _visit_all(self, nodes: list[Any]) -> None:
        outer = self._block
        if nodes and isinstance(nodes[0], ast.stmt):
            self._block = (*outer, id(nodes))
        for node in nodes:
            if isinstance(node, ast.AST):
                self.visit(node)
        self._block = outer

    def _find_given_once(self, nodes: list[ast.AST]) -> dict[str, ast.expr]:
        """Find what is given a prompt, and nothing else anywhere in the file."""
        given: dict[str, list[ast.expr]] = {}
        for node in nodes:
            for target, value in _assigned(node):
                given.setdefault(_dotted(target), []).append(value)
        times = Counter(map(_bound, nodes))
        return {
            name: values[0]
            for name, values in given.items()
            if len(values) == 1 and times[name] <= 1 and self._is_get(values[0])
        }

    def _got(self, receiver: ast.expr) -> ast.Call | None:
        """Find the call that gave the prompt which something is called on."""
        name = _dotted(receiver)
        value: ast.expr | None = self._given_once.get(name, receiver)
        if name not in self._given_once and name in self._scope:
            block, given = self._scope[name]
            value = given if self._block[: len(block)] == block else None
        return value if isinstance(value, ast.Call) and self._is_get(value) else None

    def _add(self, node: ast.Call, got: ast.Call, values: dict[str, Any] | None) -> None:
        keywords = {key.arg: key.value for key in got.keywords}
        first = got.args[0] if got.args else keywords.get("name")
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            pinned = not keywords.keys().isdisjoint(("version", "label", "rev", None))
            place = node.lineno, node.col_offset + 1
            call = Call(self._path, *place, first.value, values, pinned, "deleted" in keywords)
            self.calls.append(call)

    def _is_get(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "read")
            and self._is_store(node.func.value)
        )

    def _is_store(self, node: ast.expr) -> bool:
        name = _dotted(node)
        if _makes_a_store(node) or name in self._stores:
            return True
        is_called_so = _last_word(node).lstrip("_") in _STORE_NAMES
        return self._imports_promptstore and is_called_so and name not in self._others


def _find_stores(nodes: list[ast.AST]) -> tuple[set[str], set[str]]:
    """Find the names that hold a store, by value or annotation, and those that hold none."""
    is_of_posthog = any(_imports(node, "posthog", _STUB_CLASS) for node in nodes)
    types = _STORE_CLASSES if is_of_posthog else (*_STORE_CLASSES, _STUB_CLASS)
    stores: set[str] = set()
    others: set[str] = set()
    for node in nodes:
        for target, value in _assigned(node):
            if _makes_a_store(value) or _is_cast(value, types):
                stores.add(_dotted(target))
            elif isinstance(value, _DISPLAYS) or (
                isinstance(value, ast.Call) and _last_word(value.func) == _STUB_CLASS
            ):
                others.add(_dotted(target))
        if isinstance(node, ast.AnnAssign) and _is_store_type(node.annotation, types):
            stores.add(_dotted(node.target))
        elif isinstance(node, ast.arg) and _is_store_type(node.annotation, types):
            stores.add(node.arg)
    return stores, others - stores


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what is given a value by a part of the code, each with that value."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr


def _bound(node: ast.AST) -> str | None:
    """Return the name that a part of the code gives a value to, if it is one that does."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return node.id
    return None


def _makes_a_store(node: ast.expr) -> bool:
    """Return whether an expression makes a store: opens it, or takes a snapshot of it."""
    if not isinstance(node, ast.Call):
        return False
    *_, before, last = ["", *_dotted(node.func).split(".")]
    if last in ("snapshot", "working_snapshot"):
        return before.lstrip("_") in _STORE_NAMES
    return last in _STORE_CLASSES or (before, last) == ("PromptStore", "open")


def _is_store_type(node: ast.expr | None, types: Collection[str]) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(".")[2] in types
    if isinstance(node, ast.BinOp):
        return _is_store_type(node.left, types) or _is_store_type(node.right, types)
    if isinstance(node, ast.Subscript):
        return _last_word(node.value) == "Optional" and _is_store_type(node.slice, types)
    return _last_word(node) in types


def _is_cast(node: ast.expr, types: Collection[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and _last_word(node.func) == "cast"
        and len(node.args) == 2
        and _is_store_type(node.args[0], types)
    )


def _imports(node: ast.AST, package: str, wanted: str | None = None) -> bool:
    """Return whether this imports from a package: anything, or one name."""
    if isinstance(node, ast.ImportFrom):
        is_from = (node.module or "").split(".")[0] == package
        return is_from and (not wanted or any(name.name == wanted for name in node.names))
    return (
        isinstance(node, ast.Import)
        and not wanted
        and any(name.name.split(".")[0] == package for name in node.names)
    )


def _dotted(node: ast.expr | None) -> str:
    """Return ``a.b.c`` as a string; anything else as nothing that a name could be."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return "?"


def _last_word(node: ast.expr | None) -> str:
    return _dotted(node).rpartition(".")[2]


def _mapping_of(call: ast.Call) -> dict[str, Any] | None:
    """Read the values of ``store.render("name", {…})``."""
    given = call.args[1:2] or [key.value for key in call.keywords if key.arg == "variables"]
    if not given:
        is_whole = all(key.arg is not None for key in call.keywords)
        return {} if is_whole and len(call.args) < 2 else None
    mapping = given[0]
    if not isinstance(mapping, ast.Dict):
        return None
    values: dict[str, Any] = {}
    for key, value in zip(mapping.keys, mapping.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        values[key.value] = _literal(value)
    return values


def _keywords_of(call: ast.Call) -> dict[str, Any] | None:
    """Read the values of ``prompt.render(name=…)``."""
    if call.args or any(key.arg is None for key in call.keywords):
        return None
    return {key.arg: _literal(key.value) for key in call.keywords if key.arg}


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN
