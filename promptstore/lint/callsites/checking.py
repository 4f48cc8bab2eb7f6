"""Python files and the prompts that there are → what is wrong with the calls."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from promptstore.errors import Problem, PromptFileError, TemplateError
from promptstore.lint import callsite_rules as rules
from promptstore.lint.callsites.calls import UNKNOWN, Call, Reader
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding
from promptstore.lint.ignores import Ignores
from promptstore.model.binding import fit
from promptstore.model.rendering import Signature, signature
from promptstore.model.values import UnfitValueError


@dataclass(slots=True)
class _Code:
    """What was found in Python files."""

    calls: list[Call] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    faults: list[tuple[str, Problem]] = field(default_factory=list)
    ignores: dict[str, Ignores] = field(default_factory=dict)


def check_code(
    context: LintContext, paths: Sequence[Path], *, unused: bool = False
) -> list[Finding]:
    """Check the calls in Python files.

    Args:
        context: The prompts.
        paths: Python files, and folders of them.
        unused: Whether prompts that nothing uses are told too.

    Returns:
        The findings, sorted by path, line and column.
    """
    code = _read_code(paths)
    found = [*code.faults]
    signature_of = cache(partial(_signature, context))
    for call in code.calls:
        found += ((call.path, problem) for problem in _problems(context, call, signature_of))
    findings = [
        _finding(context, path, problem, None)
        for path, problem in found
        if not (path in code.ignores and code.ignores[path].hides(problem))
    ]
    if unused:
        findings += _unused(context, code.words)
    return sorted(set(findings))


def _finding(context: LintContext, path: str, problem: Problem, name: str | None) -> Finding:
    return Finding(path, problem, name, context.settings.severity_of(problem.code))


def _read_code(paths: Sequence[Path]) -> _Code:
    code = _Code()
    for path in _python_files(paths):
        try:
            source = path.read_bytes()
            reader = Reader(str(path), _parsed(source))
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
                if not name.startswith(".")
                and name not in ("__pycache__", "node_modules")
                and not Path(folder, name, "pyvenv.cfg").exists()
            )
            yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _signature(context: LintContext, name: str) -> Signature | None:
    """Return what a prompt takes, or None where it cannot be rendered; that is told at its file."""
    try:
        return signature(context.complete(name))
    except (TemplateError, PromptFileError):
        return None


def _problems(
    context: LintContext, call: Call, signature_of: Callable[[str], Signature | None]
) -> Iterator[Problem]:
    for code, message in _faults(context, call, signature_of):
        if context.settings.wants(code, call.name):
            yield Problem(call.line, call.column, code, message)


def _faults(
    context: LintContext, call: Call, signature_of: Callable[[str], Signature | None]
) -> Iterator[tuple[str, str]]:
    if call.is_pinned:
        return  # What was there then cannot be told from what is there now.
    if call.name not in context.known:
        advice = context.hint(call.name, context.names)
        yield rules.UNKNOWN_NAME.code, f"There is no prompt {call.name!r}.{advice}"
        return
    document = context.document(call.name)
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
        yield from _value_faults(context, call, call.values, called)


def _value_faults(
    context: LintContext, call: Call, values: dict[str, Any], called: Signature
) -> Iterator[tuple[str, str]]:
    for name in called.required:
        if name not in values:
            message = f"{call.name!r} needs the variable {name!r}, which is not given."
            yield rules.MISSING_VALUE.code, message
    for name, value in values.items():
        variable = called.variables.get(name)
        if variable is None:
            message = (
                f"{call.name!r} has no variable {name!r}.{context.hint(name, called.variables)}"
            )
            yield rules.UNKNOWN_VALUE.code, message
        elif value is not UNKNOWN:
            try:
                fit(variable, value)
            except UnfitValueError as unfit:
                message = f"The variable {name!r} of {call.name!r} {unfit}."
                yield rules.WRONG_VALUE.code, message


def _unused(context: LintContext, words: set[str]) -> Iterator[Finding]:
    included = {name for found in context.raw_includes.values() for name in found}
    for name in context.names:
        document = context.document(name)
        if name in words or name in included or document is None or document.prompt.deleted:
            continue
        code = rules.UNUSED_PROMPT.code
        message = f"Nothing in the code that was read uses {name!r}."
        problem = Problem(1, 1, code, message)
        is_hidden = Ignores(context.source(name)).hides(problem)
        if context.settings.wants(code, name) and not is_hidden:
            yield _finding(context, document.path, problem, name)
