"""Everything that would break a prompt at run time or mislead its readers, found beforehand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from promptstore.errors import Problem, PromptStoreError
from promptstore.history.labels import BRANCH
from promptstore.lint import RULES, Finding, Library, Settings, severity_of
from promptstore.lint.ignores import Ignores
from promptstore.lint.naming import LOST_LABEL, strays
from promptstore.lint.registry import CHECKS, SOURCE_CHECKS
from promptstore.model.names import SUFFIX
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

__all__ = ["Finding", "check", "check_labels", "check_strays"]


def check(
    snapshot: Snapshot,
    settings: Settings | None = None,
    *,
    only: Collection[str] | None = None,
) -> list[Finding]:
    """Find the problems of all prompts of a snapshot.

    Args:
        snapshot: The prompts, as of a commit or of a folder on disk.
        settings: Which rules are looked for, and how bad each is; None for the defaults.
        only: The names of the prompts to look at, such as those that a range of commits touches.
            Others are read only as far as these need them. None for all.

    Returns:
        The problems, sorted by path, line and column.
    """
    library = Library(snapshot, settings or Settings(), only)
    findings: set[Finding] = set()
    for name in library.names if only is None else sorted(library.known & set(only)):
        findings |= set(_of_prompt(library, name))
    if only is None:
        findings |= set(check_strays(snapshot, library.settings))
    return sorted(findings, key=lambda found: (found.path, found.problem))


def check_strays(snapshot: Snapshot, settings: Settings) -> list[Finding]:
    """Find the files that look like prompts and have no name that can be asked for.

    Args:
        snapshot: The prompts.
        settings: Whether they are looked for, and how bad it is.

    Returns:
        The problems, sorted by path.
    """
    return [
        _finding(settings, path, problem, None)
        for path, problem in sorted(strays(Library(snapshot, settings)))
        if _wants(settings, problem.code, None)
    ]


def check_labels(store: PromptStore, settings: Settings | None = None) -> list[Finding]:
    """Find the labels that point nowhere, by reading each.

    Args:
        store: The store.
        settings: Whether they are looked for, and how bad it is; None for the defaults.

    Returns:
        The problems, sorted by label and name. Their path is that of the label's file on its
        branch.
    """
    settings = settings or Settings()
    if not _wants(settings, LOST_LABEL.code, None):
        return []
    table = store.labels()
    found = [
        (label, f"The label {label!r} cannot be read: {error}")
        for label, error in table.broken.items()
    ]
    for label, targets in table.targets.items():
        found += ((label, message) for message in _lost_targets(store, label, targets))
    return [
        _finding(settings, f"{BRANCH}:{label}{SUFFIX}", Problem(1, 1, LOST_LABEL.code, text), None)
        for label, text in sorted(found)
    ]


def _of_prompt(library: Library, name: str) -> Iterator[Finding]:
    ignores = Ignores(library.source(name))
    # A comment cannot make a file readable, so it hides no fault of reading.
    told = (problem for problem in _problems(library, name) if not ignores.hides(problem))
    for problem in (*library.faults(name), *told):
        if _wants(library.settings, problem.code, name):
            yield _finding(library.settings, library.file(name).path, problem, name)


def _problems(library: Library, name: str) -> Iterator[Problem]:
    checks = SOURCE_CHECKS if library.document(name) is None else (*SOURCE_CHECKS, *CHECKS)
    for rules, find in checks:
        if any(_wants(library.settings, rule.code, name) for rule in rules):
            yield from find(library, name)


def _lost_targets(store: PromptStore, label: str, names: Iterable[str]) -> Iterator[str]:
    for name in sorted(names):
        try:
            store.get(name, label=label, deleted=True)
        except PromptStoreError as error:
            yield f"The label {label!r} cannot be read for {name!r}: {error}"


def _wants(settings: Settings, code: str, name: str | None) -> bool:
    return settings.wants(code, name, by_default=RULES[code].is_on)


def _finding(settings: Settings, path: str, problem: Problem, name: str | None) -> Finding:
    return Finding(path, problem, name, severity_of(problem.code, settings))
