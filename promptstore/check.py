"""Everything that would break a prompt at run time or mislead its readers, found beforehand."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from promptstore.errors import Problem
from promptstore.labels import LabelTable
from promptstore.lint import RULES, Finding, Library, Settings, severity_of
from promptstore.lint.ignores import Ignores
from promptstore.lint.naming import lost_labels, strays
from promptstore.lint.registry import CHECKS, SOURCE_CHECKS
from promptstore.snapshot import Snapshot

__all__ = ["Finding", "check"]


def check(
    snapshot: Snapshot,
    settings: Settings | None = None,
    *,
    labels: LabelTable | None = None,
    only: Collection[str] | None = None,
) -> list[Finding]:
    """Find the problems of all prompts of a snapshot.

    Args:
        snapshot: The prompts, as of a commit or of a folder on disk.
        settings: Which rules are looked for, and how bad each is; None for the defaults.
        labels: The labels, where they are to be checked too.
        only: The names of the prompts to look at, such as those that a range of commits touches.
            Others are read only as far as these need them. None for all.

    Returns:
        The problems, sorted by path, line and column.
    """
    library = Library(snapshot, settings or Settings())
    findings: set[Finding] = set()
    for name in library.names if only is None else sorted(library.known & set(only)):
        findings |= set(_of_prompt(library, name))
    if only is None:
        findings |= set(_of_all(library, labels))
    return sorted(findings, key=lambda found: (found.path, found.problem))


def _of_prompt(library: Library, name: str) -> Iterator[Finding]:
    ignores = Ignores(library.source(name))
    for problem in _problems(library, name):
        if _wants(library.settings, problem.code, name) and not ignores.hides(problem):
            yield _finding(library.settings, library.file(name).path, problem, name)


def _problems(library: Library, name: str) -> Iterator[Problem]:
    yield from library.faults(name)
    for rule, find in SOURCE_CHECKS:
        if _wants(library.settings, rule.code, name):
            yield from find(library, name)
    if library.document(name) is None:
        return
    for only_rule, find in CHECKS:
        if only_rule is None or _wants(library.settings, only_rule.code, name):
            yield from find(library, name)


def _of_all(library: Library, labels: LabelTable | None) -> Iterator[Finding]:
    found = [*strays(library), *(lost_labels(labels, library) if labels else ())]
    for path, problem in found:
        if _wants(library.settings, problem.code, None):
            yield _finding(library.settings, path, problem, None)


def _wants(settings: Settings, code: str, name: str | None) -> bool:
    return settings.wants(code, name, by_default=RULES[code].is_on)


def _finding(settings: Settings, path: str, problem: Problem, name: str | None) -> Finding:
    return Finding(path, problem, name, severity_of(problem.code, settings))
