"""Which names in Python code hold a store."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Final

STORE_NAMES: Final = ("store", "prompts", "prompt_store", "promptstore")
"""What a store is called where nothing else tells what a name holds."""

_STORE_CLASSES: Final = ("PromptStore", "Snapshot")
_STUB_CLASS: Final = "Prompts"
_DISPLAYS: Final = (
    ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple, ast.JoinedStr,
)  # fmt: skip


def find_others(tree: ast.Module) -> Iterator[str]:
    """Find the names that hold no store: a dictionary, a list, or the `Prompts` of PostHog's SDK.

    The `Prompts` of the stubs is there for type checkers only, so nobody makes one.
    """
    for node in ast.walk(tree):
        for target, value in assigned(node):
            made = _last_word(value.func) if isinstance(value, ast.Call) else ""
            if isinstance(value, _DISPLAYS) or made == _STUB_CLASS:
                yield spelled_as(target)


def find_stores(tree: ast.Module) -> Iterator[str]:
    """Find the names that hold a store: by what they are given, or by their annotation."""
    nodes = list(ast.walk(tree))
    types = _STORE_CLASSES if any(map(_is_of_posthog, nodes)) else (*_STORE_CLASSES, _STUB_CLASS)
    for node in nodes:
        for target, value in assigned(node):
            if makes_a_store(value) or _is_cast(value, types):
                yield spelled_as(target)
        if isinstance(node, ast.AnnAssign) and _is_store_type(node.annotation, types):
            yield spelled_as(node.target)
        if (
            isinstance(node, ast.arg)
            and node.annotation is not None
            and _is_store_type(node.annotation, types)
        ):
            yield node.arg


def assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Return what is given a value by a part of the code, each with that value."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr


def makes_a_store(node: ast.expr) -> bool:
    """Return whether an expression makes a store: opens it, or takes a snapshot of it."""
    if not isinstance(node, ast.Call):
        return False
    spelled = spelled_as(node.func).split(".")
    if spelled[-1] in ("snapshot", "working_snapshot") and len(spelled) > 1:
        return spelled[-2].lstrip("_") in STORE_NAMES
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
    """Return whether `Prompts` is imported from PostHog's SDK here."""
    return (
        isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] == "posthog"
        and any(name.name == _STUB_CLASS for name in node.names)
    )


def _last_word(node: ast.expr) -> str:
    return spelled_as(node).rpartition(".")[2]


def spelled_as(node: ast.expr) -> str:
    """Spell ``a.b.c``; anything else is spelled as nothing that a name could be."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{spelled_as(node.value)}.{node.attr}"
    return "?"


def imports_promptstore(node: ast.AST) -> bool:
    """Return whether this is an import of promptstore."""
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "promptstore"
    return isinstance(node, ast.Import) and any(
        name.name.split(".")[0] == "promptstore" for name in node.names
    )
