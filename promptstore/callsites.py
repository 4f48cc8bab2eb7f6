"""The calls in Python code that ask for prompts, checked against the prompts that there are.

Only the syntax tree is read: nothing is imported and nothing is run.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from promptstore.errors import Problem, PromptFileError, TemplateError
from promptstore.lint import RULES, Finding, Library, severity_of
from promptstore.lint import callsites as rules
from promptstore.lint.ignores import Ignores
from promptstore.lint.library import hint
from promptstore.model import Signature, signature
from promptstore.variables import UnfitValueError, fit

_STORE_CLASSES: Final = ("PromptStore", "Snapshot")
_STUB_CLASS: Final = "Prompts"
_DISPLAYS: Final = (
    ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple, ast.JoinedStr,
)  # fmt: skip
_STORE_NAMES: Final = ("store", "prompts", "prompt_store", "promptstore")
_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True)
class Call:
    """A place in code that asks for a prompt.

    Attributes:
        path: The file.
        line: The line, from 1.
        column: The column, from 1.
        name: The prompt's name.
        values: The values that it is rendered with where they stand in the call: literals by
            variable name, `_UNKNOWN` for what is no literal. None where nothing is rendered, or
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


@dataclass(slots=True)
class _Code:
    """What was found in Python files."""

    calls: list[Call] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    faults: list[tuple[str, Problem]] = field(default_factory=list)
    ignores: dict[str, Ignores] = field(default_factory=dict)


def check_code(library: Library, paths: Sequence[Path], *, unused: bool = False) -> list[Finding]:
    """Check the calls in Python files.

    Args:
        library: The prompts.
        paths: Python files, and folders of them.
        unused: Whether prompts that nothing uses are told too.

    Returns:
        The findings, sorted by path, line and column.
    """
    code = _read_code(paths)
    found = [*code.faults]
    signature_of = cache(partial(_signature, library))
    for call in code.calls:
        found += ((call.path, problem) for problem in _problems(library, call, signature_of))
    findings = [
        _finding(library, path, problem, None)
        for path, problem in found
        if not (path in code.ignores and code.ignores[path].hides(problem))
    ]
    if unused:
        findings += _unused(library, code.words)
    return sorted(set(findings), key=lambda one: (one.path, one.problem))


def _finding(library: Library, path: str, problem: Problem, name: str | None) -> Finding:
    return Finding(path, problem, name, severity_of(problem.code, library.settings))


def _read_code(paths: Sequence[Path]) -> _Code:
    code = _Code()
    for path in _python_files(paths):
        try:
            source = path.read_bytes()
            reader = _Reader(str(path), _parsed(source))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 1
            reason = getattr(error, "strerror", None) or getattr(error, "msg", None) or error
            message = f"The file cannot be read: {reason}."
            problem = Problem(line, 1, rules.UNREADABLE.code, message)
            code.faults.append((str(path), problem))
            continue
        code.calls += reader.calls
        code.words |= reader.words
        code.ignores[str(path)] = Ignores(source.decode(errors="replace"))
    return code


def _parsed(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        # What is odd about the code, such as an unknown escape, its own linter tells.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _python_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and name not in ("__pycache__", "node_modules")
            )
            yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


class _Reader(ast.NodeVisitor):
    """Finds the calls in one file: on what is known to be a store, and on prompts from one.

    A name that is given a prompt stands for it from there on, to the end of that block and as long
    as nothing else is given to it; in other functions only where it is given something only once.
    """

    def __init__(self, path: str, tree: ast.Module) -> None:
        self.calls: list[Call] = []
        self.words: set[str] = set()
        self._path = path
        self._imports_promptstore = any(map(_is_import_of_promptstore, ast.walk(tree)))
        self._stores = set(_stores(tree))
        self._others = set(_others(tree)) - self._stores
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
            for target, value in _assigned(node):
                given.setdefault(_spelled(target), []).append(value)
        times = Counter(map(_bound, ast.walk(tree)))
        return {
            name: values[0]
            for name, values in given.items()
            if len(values) == 1 and times[name] <= 1 and self._is_get(values[0])
        }

    def _got(self, receiver: ast.expr) -> ast.Call | None:
        """Find the call that gave the prompt which something is called on."""
        name = _spelled(receiver)
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
        if _makes_a_store(node):
            return True
        spelled = _spelled(node)
        if spelled in self._stores:
            return True
        if spelled in self._others:
            return False
        return self._imports_promptstore and spelled.rpartition(".")[2].lstrip("_") in _STORE_NAMES


class _Given(NamedTuple):
    """What a name was given last.

    Attributes:
        block: The blocks around the place where it was given, outermost first.
        value: What it was given, or None where that is not known.
    """

    block: tuple[int, ...]
    value: ast.expr | None


def _bound(node: ast.AST) -> str | None:
    """Give the name that a part of the code gives a value to, if it is one that does."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return node.id
    return None


def _others(tree: ast.Module) -> Iterator[str]:
    """Find the names that hold no store: a dictionary, a list, or the `Prompts` of PostHog's SDK.

    The `Prompts` of the stubs is there for type checkers only, so nobody makes one.
    """
    for node in ast.walk(tree):
        for target, value in _assigned(node):
            made = _last_word(value.func) if isinstance(value, ast.Call) else ""
            if isinstance(value, _DISPLAYS) or made == _STUB_CLASS:
                yield _spelled(target)


def _stores(tree: ast.Module) -> Iterator[str]:
    """Find the names that hold a store: by what they are given, or by their annotation."""
    nodes = list(ast.walk(tree))
    types = _STORE_CLASSES if any(map(_is_of_posthog, nodes)) else (*_STORE_CLASSES, _STUB_CLASS)
    for node in nodes:
        for target, value in _assigned(node):
            if _makes_a_store(value) or _is_cast(value, types):
                yield _spelled(target)
        if isinstance(node, ast.AnnAssign) and _is_store_type(node.annotation, types):
            yield _spelled(node.target)
        if (
            isinstance(node, ast.arg)
            and node.annotation is not None
            and _is_store_type(node.annotation, types)
        ):
            yield node.arg


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr


def _makes_a_store(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    spelled = _spelled(node.func).split(".")
    if spelled[-1] in ("snapshot", "working_snapshot") and len(spelled) > 1:
        return spelled[-2].lstrip("_") in _STORE_NAMES
    return spelled[-1] in _STORE_CLASSES or (
        spelled[-1] == "open" and spelled[-2:-1] == ["PromptStore"]
    )


def _is_store_type(node: ast.expr, types: Collection[str]) -> bool:
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


def _is_of_posthog(node: ast.AST) -> bool:
    """Tell whether `Prompts` is imported from PostHog's SDK here."""
    return (
        isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] == "posthog"
        and any(name.name == _STUB_CLASS for name in node.names)
    )


def _last_word(node: ast.expr) -> str:
    return _spelled(node).rpartition(".")[2]


def _spelled(node: ast.expr) -> str:
    """Spell ``a.b.c``; anything else is spelled as nothing that a name could be."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_spelled(node.value)}.{node.attr}"
    return "?"


def _is_import_of_promptstore(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "promptstore"
    return isinstance(node, ast.Import) and any(
        name.name.split(".")[0] == "promptstore" for name in node.names
    )


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
        return {} if is_whole and len(call.args) == 1 else None
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
        return _UNKNOWN


def _signature(library: Library, name: str) -> Signature | None:
    """Tell what a prompt takes, or None where it cannot be rendered; that is told at its file."""
    try:
        return signature(library.complete(name))
    except (TemplateError, PromptFileError):
        return None


def _problems(
    library: Library, call: Call, signature_of: Callable[[str], Signature | None]
) -> Iterator[Problem]:
    for code, message in _faults(library, call, signature_of):
        if library.settings.wants(code, call.name, by_default=RULES[code].is_on):
            yield Problem(call.line, call.column, code, message)


def _faults(
    library: Library, call: Call, signature_of: Callable[[str], Signature | None]
) -> Iterator[tuple[str, str]]:
    if call.is_pinned:
        return  # What was there then cannot be told from what is there now.
    if call.name not in library.known:
        advice = hint(call.name, library.names)
        yield rules.UNKNOWN_NAME.code, f"There is no prompt {call.name!r}.{advice}"
        return
    document = library.document(call.name)
    if document is None:
        return  # The file's own problems are told at the file.
    if document.prompt.deleted:
        if call.takes_deleted:
            return
        instead = document.prompt.replaced_by
        use = f" Use {instead!r} instead." if instead else ""
        yield rules.DELETED_NAME.code, f"The prompt {call.name!r} is deleted.{use}"
        return
    called = signature_of(call.name) if call.values is not None else None
    if call.values is not None and called is not None:
        yield from _value_faults(call, call.values, called)


def _value_faults(
    call: Call, values: dict[str, Any], called: Signature
) -> Iterator[tuple[str, str]]:
    for name in called.required:
        if name not in values:
            message = f"{call.name!r} needs the variable {name!r}, which is not given."
            yield rules.MISSING_VALUE.code, message
    for name, value in values.items():
        variable = called.variables.get(name)
        if variable is None:
            message = f"{call.name!r} has no variable {name!r}.{hint(name, called.variables)}"
            yield rules.UNKNOWN_VALUE.code, message
        elif value is not _UNKNOWN:
            try:
                fit(variable, value)
            except UnfitValueError as unfit:
                message = f"The variable {name!r} of {call.name!r} {unfit}."
                yield rules.WRONG_VALUE.code, message


def _unused(library: Library, words: set[str]) -> Iterator[Finding]:
    included = {name for found in library.raw_includes.values() for name in found}
    for name in library.names:
        document = library.document(name)
        if name in words or name in included or document is None or document.prompt.deleted:
            continue
        code = rules.UNUSED_PROMPT.code
        message = f"Nothing in the code that was read uses {name!r}."
        problem = Problem(1, 1, code, message)
        is_hidden = Ignores(library.source(name)).hides(problem)
        if library.settings.wants(code, name, by_default=True) and not is_hidden:
            yield _finding(library, document.path, problem, name)
