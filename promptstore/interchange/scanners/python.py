"""Prompts in Python, by its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

from promptstore.interchange.scanners.common import (
    KEYWORDS,
    NAMED,
    PROMPT_ID,
    Found,
    looks_like_prose,
    prompt_object,
    variable_name,
)
from promptstore.model.parts import ROLES

_Pieces: TypeAlias = tuple[str, ...]


def scan_python(text: str, path: str) -> list[Found]:
    """Find the prompts of one file; one that Python cannot parse has none.

    Args:
        text: The source.
        path: Its path, for the report.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    scanner = _Scanner(path)
    scanner.visit(tree)
    return sorted(scanner.found, key=lambda one: one.line)


class _Scanner(ast.NodeVisitor):
    def __init__(self, path: str) -> None:
        self.found: list[Found] = []
        self._path = path
        self._inside: list[str] = []
        self._taken: set[int] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within(node.name, node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._within(node.name, node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within(node.name, node)

    def _within(self, name: str, node: ast.AST) -> None:
        self._inside.append(name)
        self.generic_visit(node)
        self._inside.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._named(target.id, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name) and node.value is not None:
            self._named(node.target.id, node.value)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        self._argument(node.arg or "", node.value)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._argument(key.value, value)
        self.generic_visit(node)

    def visit_List(self, node: ast.List) -> None:
        self._messages(node)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and PROMPT_ID.fullmatch(node.value):
            self.found.append(prompt_object(self._path, node.lineno, node.value, "python"))

    def _named(self, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.List):
            self._messages(value, name.lower())
        elif NAMED.search(name):
            self._text(name.lower(), None, value)

    def _argument(self, name: str, value: ast.expr) -> None:
        if name in KEYWORDS:
            where = self._inside[-1] if self._inside else "main"
            self._text(f"{where}-{name}" if name != "prompt" else where, KEYWORDS[name], value)

    def _text(self, name: str, role: str | None, value: ast.expr) -> None:
        if id(value) in self._taken:
            return
        read = _read(value)
        if read is None or not looks_like_prose("".join(read[0])):
            return
        self._add(name, value, [(role, read[0])], read[1])

    def _messages(self, node: ast.List, name: str = "") -> None:
        """Take a list of messages, all of whose texts are known."""
        if id(node) in self._taken or not node.elts:
            return
        messages: list[tuple[str | None, _Pieces]] = []
        values: dict[str, str] = {}
        left_out = 0
        for item in node.elts:
            role, content = _message(item)
            if role is None or content is None:
                left_out += 1
                continue
            read = _read(content, whole=True)
            if read is None:
                left_out += 1
                continue
            if any(values.get(key, code) != code for key, code in read[1].items()):
                return
            messages.append((role, read[0]))
            values |= read[1]
            self._taken.add(id(content))
        spoken = "".join("".join(pieces[::2]) for _, pieces in messages)
        if not messages or not looks_like_prose(spoken, is_message=True):
            return
        note = (
            f"{left_out} items of the list are made at run time: add them as inserts"
            if left_out
            else ""
        )
        where = name or (self._inside[-1] if self._inside else "messages")
        self._add(where, node, messages, values, note)

    def _add(
        self,
        name: str,
        node: ast.expr,
        messages: list[tuple[str | None, _Pieces]],
        values: dict[str, str],
        note: str = "",
    ) -> None:
        self._taken.add(id(node))
        self.found.append(
            Found(self._path, node.lineno, name, "python", tuple(messages), values, "", note)
        )


def _message(item: ast.expr) -> tuple[str | None, ast.expr | None]:
    if not isinstance(item, ast.Dict):
        return None, None
    found = {
        key.value: value
        for key, value in zip(item.keys, item.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    role = found.get("role")
    is_role = isinstance(role, ast.Constant) and role.value in ROLES
    return (str(role.value) if is_role and isinstance(role, ast.Constant) else None,
            found.get("content"))  # fmt: skip


def _read(node: ast.expr, *, whole: bool = False) -> tuple[_Pieces, dict[str, str]] | None:
    """Read a string, an f-string, or strings put together.

    Args:
        node: The expression.
        whole: Whether a value alone, such as ``question``, is a string too.

    Returns:
        The pieces, and the code of each variable; None where it is something else.
    """
    pieces = [""]
    values: dict[str, str] = {}
    for kind, text in _parts(node, whole=whole):
        if kind == "text":
            pieces[-1] += text
        elif kind == "value":
            name = variable_name(text, values)
            values[name] = text
            pieces += [name, ""]
        else:
            return None
    return tuple(pieces), values


def _parts(node: ast.expr, *, whole: bool) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield "text", node.value
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                plain = part.conversion == -1 and part.format_spec is None
                yield ("value" if plain else "other"), ast.unparse(part.value)
            elif isinstance(part, ast.Constant):
                yield "text", str(part.value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _parts(node.left, whole=True)
        yield from _parts(node.right, whole=True)
    elif whole and isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        yield "value", ast.unparse(node)
    else:
        yield "other", ""
