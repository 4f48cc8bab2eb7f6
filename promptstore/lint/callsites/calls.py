"""One file of Python code → the calls in it that ask for prompts."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from promptstore.lint.callsites.stores import (
    STORE_NAMES,
    assigned,
    find_others,
    find_stores,
    imports_promptstore,
    makes_a_store,
    spelled_as,
)

UNKNOWN: Final = object()
"""Stands for a value that is no literal."""


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


class _Given(NamedTuple):
    """What a name was given last.

    Attributes:
        block: The blocks around the place where it was given, outermost first.
        value: What it was given, or None where that is not known.
    """

    block: tuple[int, ...]
    value: ast.expr | None


class Reader(ast.NodeVisitor):
    """Finds the calls in one file: on what is known to be a store, and on prompts from one.

    A name that is given a prompt stands for it from there on, to the end of that block and as long
    as nothing else is given to it; in other functions only where it is given something only once.

    Args:
        path: The file's path.
        tree: What it holds.

    Attributes:
        calls: The calls, as far as their prompt is named by a literal.
        words: Every text in the file.
    """

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.calls: list[Call] = []
        self.words: set[str] = set()
        self._path = path
        self._imports_promptstore = any(map(imports_promptstore, ast.walk(tree)))
        self._stores = set(find_stores(tree))
        self._others = set(find_others(tree)) - self._stores
        self._given_once = self._find_given_once(tree)
        self._block: tuple[int, ...] = ()
        self._scope: dict[str, _Given] = {}
        self.visit(tree)

    def generic_visit(self, node: ast.AST) -> None:
        """Look at everything below, and keep in mind in which block it stands."""
        for _, value in ast.iter_fields(node):
            if isinstance(value, ast.AST):
                self.visit(value)
            elif isinstance(value, list):
                self._visit_all(value)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Keep every text: a name that stands anywhere may be used."""
        if isinstance(node.value, str):
            self.words.add(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Look at a function, whose names are its own."""
        self._visit_scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Look at a function, whose names are its own."""
        self._visit_scope(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Look at a function, whose names are its own."""
        self._visit_scope(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        """Look at the loops first: they give a value to the names in front of them."""
        self._visit_comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        """Look at the loops first."""
        self._visit_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        """Look at the loops first."""
        self._visit_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Look at the loops first."""
        self._visit_comprehension(node)

    def visit_arg(self, node: ast.arg) -> None:
        """Note a parameter, which may be anything."""
        self._scope[node.arg] = _Given(self._block, None)

    def visit_Name(self, node: ast.Name) -> None:
        """Note a name that is given something which is not known."""
        if not isinstance(node.ctx, ast.Load):
            self._scope[node.id] = _Given(self._block, None)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Note what is given to a name."""
        self.visit(node.value)
        self._visit_all(node.targets)
        for target in node.targets:
            self._give(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Note what is given to a name."""
        self.generic_visit(node)
        if node.value is not None:
            self._give(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Note what is given to a name."""
        self.generic_visit(node)
        self._give(node.target, node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """Look at one call."""
        self.generic_visit(node)
        function = node.func
        if not isinstance(function, ast.Attribute):
            return
        if self._is_get(node):
            self._add(node, node, None)
        elif function.attr == "render" and self._is_store(function.value):
            self._add(node, node, _mapping_of(node))
        elif function.attr == "render":
            got = self._got(function.value)
            if got is not None:
                self._add(node, got, _keywords_of(node))

    def _visit_all(self, nodes: list[Any]) -> None:
        outer = self._block
        if nodes and isinstance(nodes[0], ast.stmt):
            self._block = (*outer, id(nodes))
        for node in nodes:
            if isinstance(node, ast.AST):
                self.visit(node)
        self._block = outer

    def _visit_scope(self, node: ast.AST) -> None:
        outer, self._scope = self._scope, {}
        self.generic_visit(node)
        self._scope = outer

    def _visit_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        outer, self._scope = self._scope, dict(self._scope)
        self._visit_all(node.generators)
        self.generic_visit(node)
        self._scope = outer

    def _give(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._scope[target.id] = _Given(self._block, value)

    def _find_given_once(self, tree: ast.Module) -> dict[str, ast.expr]:
        """Find what is given a prompt, and nothing else anywhere in the file."""
        given: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            for target, value in assigned(node):
                given.setdefault(spelled_as(target), []).append(value)
        times = Counter(map(_bound, ast.walk(tree)))
        return {
            name: values[0]
            for name, values in given.items()
            if len(values) == 1 and times[name] <= 1 and self._is_get(values[0])
        }

    def _got(self, receiver: ast.expr) -> ast.Call | None:
        """Find the call that gave the prompt which something is called on."""
        name = spelled_as(receiver)
        given = self._scope.get(name)
        value: ast.expr | None = receiver
        if name in self._given_once:
            value = self._given_once[name]
        elif given is not None:
            value = given.value if self._block[: len(given.block)] == given.block else None
        return value if isinstance(value, ast.Call) and self._is_get(value) else None

    def _add(self, node: ast.Call, got: ast.Call, values: dict[str, Any] | None) -> None:
        name = _name_of(got)
        if name is None:
            return
        keywords = {key.arg for key in got.keywords}
        pinned = bool(keywords & {"version", "label", "rev", None})
        place = node.lineno, node.col_offset + 1
        call = Call(self._path, *place, name, values, pinned, "deleted" in keywords)
        self.calls.append(call)

    def _is_get(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "read")
            and self._is_store(node.func.value)
        )

    def _is_store(self, node: ast.expr) -> bool:
        if makes_a_store(node):
            return True
        spelled = spelled_as(node)
        if spelled in self._stores:
            return True
        if spelled in self._others:
            return False
        return self._imports_promptstore and spelled.rpartition(".")[2].lstrip("_") in STORE_NAMES


def _bound(node: ast.AST) -> str | None:
    """Return the name that a part of the code gives a value to, if it is one that does."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return node.id
    return None


def _name_of(call: ast.Call) -> str | None:
    named = [key.value for key in call.keywords if key.arg == "name"]
    first = call.args[0] if call.args else named[0] if named else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return None


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
