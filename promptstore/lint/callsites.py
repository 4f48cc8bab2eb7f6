"""Python files and the prompts that there are → what is wrong with the calls."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from promptstore.errors import Problem, PromptFileError, TemplateError
from promptstore.lint.calls import UNKNOWN, Call, read_calls
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding, Ignores, Rule
from promptstore.model.rendering import Signature, signature
from promptstore.model.values import UnfitValueError
from promptstore.model.variables import fit

UNKNOWN_NAME: Final = Rule("PS601")
DELETED_NAME: Final = Rule("PS602")
MISSING_VALUE: Final = Rule("PS603")
UNKNOWN_VALUE: Final = Rule("PS604")
WRONG_VALUE: Final = Rule("PS605")
UNUSED_PROMPT: Final = Rule("PS606", severity="warning")
UNREADABLE: Final = Rule("PS607")

RULES: Final = (
    UNKNOWN_NAME,
    DELETED_NAME,
    MISSING_VALUE,
    UNKNOWN_VALUE,
    WRONG_VALUE,
    UNUSED_PROMPT,
    UNREADABLE,
)


def check_code(
    context: LintContext, paths: Sequence[Path], *, unused: bool = False
) -> list[Finding]:
    """Check the calls in Python files.

    Args:
        context: The prompts.
        paths: Python files, and folders of them.
        unused: Whether prompts that nothing uses are reported too.

    Returns:
        The findings, sorted by path, line and column.
    """
    settings = context.settings
    found: set[Finding] = set()
    used: set[str] = set()
    checker = _Checker(context)
    for path in _python_files(paths):
        try:
            source = path.read_bytes()
            with warnings.catch_warnings():
                # What is odd about the code, such as an unknown escape, is for its own linter.
                warnings.simplefilter("ignore")
                calls, words = read_calls(str(path), source)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 1
            reason = getattr(error, "strerror", None) or getattr(error, "msg", None) or error
            problem = Problem(line, 1, UNREADABLE.code, f"The file cannot be read: {reason}.")
            found.add(settings.finding(str(path), problem, None))
            continue
        used |= words
        ignores = Ignores(source.decode(errors="replace"))
        found |= {
            settings.finding(call.path, problem, None)
            for call in calls
            for problem in checker.problems(call)
            if settings.wants(problem.code, call.name) and not ignores.hides(problem)
        }
    return sorted(found | set(_unused(context, used) if unused else ()))


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


class _Checker:
    """Compares calls with the prompts of a context."""

    def __init__(self, context: LintContext) -> None:
        self._context = context
        self._signature = cache(partial(_signature, context))

    def problems(self, call: Call) -> Iterator[Problem]:
        for rule, message in self._faults(call):
            yield Problem(call.line, call.column, rule.code, message)

    def _faults(self, call: Call) -> Iterator[tuple[Rule, str]]:
        context, name = self._context, call.name
        if call.is_pinned:
            return  # What was there then cannot be told from what is there now.
        if name not in context.known:
            hint = context.hint(name, context.names)
            yield UNKNOWN_NAME, f"There is no prompt {name!r}.{hint}"
            return
        document = context.document(name)
        if document is None:
            return  # The file's own problems are reported at the file.
        if document.prompt.deleted:
            instead = document.prompt.replaced_by
            if not call.takes_deleted:
                use = f" Use {instead!r} instead." if instead else ""
                yield DELETED_NAME, f"The prompt {name!r} is deleted.{use}"
            return
        called = self._signature(name) if call.values is not None else None
        if call.values is not None and called is not None:
            yield from self._value_faults(name, call.values, called)

    def _value_faults(
        self, prompt: str, values: dict[str, Any], called: Signature
    ) -> Iterator[tuple[Rule, str]]:
        for name in called.required:
            if name not in values:
                yield (
                    MISSING_VALUE,
                    f"{prompt!r} needs the variable {name!r}, which is not given.",
                )
        for name, value in values.items():
            variable = called.variables.get(name)
            if variable is None:
                hint = self._context.hint(name, called.variables)
                yield UNKNOWN_VALUE, f"{prompt!r} has no variable {name!r}.{hint}"
            elif value is not UNKNOWN:
                try:
                    fit(value, variable.type, variable.enum)
                except UnfitValueError as unfit:
                    yield WRONG_VALUE, f"The variable {name!r} of {prompt!r} {unfit}."


def _signature(context: LintContext, name: str) -> Signature | None:
    """Return what a prompt takes, or None where it cannot be rendered; its file reports that."""
    try:
        return signature(context.complete(name))
    except (TemplateError, PromptFileError):
        return None


def _unused(context: LintContext, words: set[str]) -> Iterator[Finding]:
    used = words.union(*context.raw_includes.values())
    for name in context.names:
        document = context.document(name)
        if name in used or document is None or document.prompt.deleted:
            continue
        message = f"Nothing in the code that was read uses {name!r}."
        problem = Problem(1, 1, UNUSED_PROMPT.code, message)
        is_hidden = Ignores(context.source(name)).hides(problem)
        if context.settings.wants(problem.code, name) and not is_hidden:
            yield context.settings.finding(context.file(name).path, problem, name)
