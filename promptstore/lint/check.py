"""Everything that would break a prompt at run time or mislead its readers, found beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from promptstore.errors import InvalidArgumentError, Problem, PromptStoreError
from promptstore.history.labels import BRANCH
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Breach, Finding, Ignores
from promptstore.lint.names import LOST_LABEL, unrecognized_files
from promptstore.lint.registry import CHECKS, SOURCE_CHECKS
from promptstore.lint.settings import FILE, Settings, parse_settings
from promptstore.model.names import SUFFIX
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

MAX_SHOWN: Final = 50
"""How many findings of one code are shown of one file; how many more there are is said."""

_MAX_LOCATED: Final = 1_000
"""How many are looked up in a file with comments that may hide them."""


def check(context: LintContext) -> list[Finding]:
    """Find the problems of the prompts that are looked at, or of all.

    Others are read only as far as these need them.

    Args:
        context: The prompts, as of a commit or of a folder on disk.

    Returns:
        The problems, sorted by path, line and column. Files without a usable name are among them
        when all prompts are looked at.
    """
    findings: set[Finding] = set()
    for name in context.chosen:
        findings |= set(_of_prompt(context, name))
    if context.only is None:
        findings |= set(check_unrecognized_files(context))
    return sorted(findings)


def check_unrecognized_files(context: LintContext) -> list[Finding]:
    """Find the files that look like prompts and have no name that can be asked for.

    Args:
        context: The prompts.

    Returns:
        The problems, sorted by path.
    """
    settings = context.settings
    return [
        settings.finding(path, Problem(1, 1, breach.rule.code, breach.message), None)
        for path, breach in sorted(unrecognized_files(context))
        if settings.wants(breach.rule.code, None)
    ]


def errors_of_update(
    before: Snapshot | None, after: Snapshot, settings: str, only: Collection[str] | None = None
) -> list[str]:
    """Find the errors, not the mere warnings, that an update brings.

    Args:
        before: The prompts as they are served; None where none are.
        after: The prompts as they would be.
        settings: The text of the repository's pyproject.toml then.
        only: The names that are looked at; None for those that differ, and what includes them.

    Returns:
        The errors, as lines with path and place.
    """
    try:
        context = LintContext(after, parse_settings(settings, FILE), only)
        if only is None and before is not None:
            context.only = context.dependents(_changed(before, after))
        found = check(context)
    except InvalidArgumentError as error:
        return [str(error)]
    return [str(finding) for finding in found if finding.severity == "error"]


def _changed(before: Snapshot, after: Snapshot) -> set[str]:
    """Return the names of prompts that differ, removed ones too."""
    old, new = ({name: one.file(name).blob for name in one.names()} for one in (before, after))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def check_labels(store: PromptStore, settings: Settings) -> list[Finding]:
    """Find the labels that point nowhere, by reading each.

    Args:
        store: The store.
        settings: Whether they are looked for, and how bad it is.

    Returns:
        The problems, sorted by label and name. Their path is that of the label's file on its
        branch.
    """
    if not settings.wants(LOST_LABEL.code, None):
        return []
    table = store.labels()
    found = [
        (label, f"The label {label!r} cannot be read: {error}")
        for label, error in table.broken.items()
    ]
    for label, targets in table.targets.items():
        found += ((label, message) for message in _lost_targets(store, label, targets))
    return [
        settings.finding(f"{BRANCH}:{label}{SUFFIX}", Problem(1, 1, LOST_LABEL.code, text), None)
        for label, text in sorted(found)
    ]


def _of_prompt(context: LintContext, name: str) -> Iterator[Finding]:
    source, settings = context.source(name), context.settings
    ignores = Ignores(source) if "promptstore:" in source else None
    # A comment cannot make a file readable, so it hides no fault of reading.
    for problem in (*context.faults(name), *_problems(context, name, ignores)):
        if settings.wants(problem.code, name):
            yield settings.finding(context.file(name).path, problem, name)


def _problems(context: LintContext, name: str, ignores: Ignores | None) -> Iterator[Problem]:
    """Locate the breaches of a prompt, at most so many of each code, and how many more."""
    shown, located, left_out = Counter[str](), Counter[str](), Counter[str]()
    last: dict[str, Problem] = {}
    for breach in _breaches(context, name):
        code = breach.rule.code
        located[code] += 1
        if shown[code] == MAX_SHOWN or located[code] > _MAX_LOCATED:
            left_out[code] += 1
            continue
        problem = Problem(*context.locate(name, breach), code, breach.message)
        if ignores is None or not ignores.hides(problem):
            shown[code] += 1
            last[code] = problem
            yield problem
    for code, count in left_out.items():
        place = (last[code].line, last[code].column) if code in last else (1, 1)
        yield Problem(*place, code, f"And {count} more in this file.")


def _breaches(context: LintContext, name: str) -> Iterator[Breach]:
    checks = SOURCE_CHECKS if context.document(name) is None else (*SOURCE_CHECKS, *CHECKS)
    for find, rules in checks:
        if any(context.settings.wants(rule.code, name) for rule in rules):
            yield from find(context, name)


def _lost_targets(store: PromptStore, label: str, names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        try:
            store.get(name, label=label, deleted=True)
        except PromptStoreError as error:
            yield f"The label {label!r} cannot be read for {name!r}: {error}"
