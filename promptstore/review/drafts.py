"""The problems that a change brings: of a draft, of a range of commits, of what is fetched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from promptstore.errors import InvalidArgumentError
from promptstore.git.reading import blob_id
from promptstore.history.sources import File
from promptstore.lint.check import (
    FILE,
    OWN_FILE,
    Settings,
    check,
    check_unrecognized_files,
    checked_codes,
    parse_settings,
    read_settings,
)
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding
from promptstore.model.values import SUFFIX, check_name
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

if TYPE_CHECKING:
    from promptstore.posthog.sync.remote import SyncRules
    from promptstore.review.ranges import RangeDiff


def settings_of(
    store: PromptStore,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
) -> Settings:
    """Read the settings of a check.

    Args:
        store: The store; the defaults count where it has no files.
        select: Codes to look for instead of those that are set.
        ignore: Codes to leave out besides.

    Returns:
        The settings.

    Raises:
        InvalidArgumentError: A setting or a code means nothing.
    """
    settings = read_settings(store.path) if store.has_files else Settings()
    if settings.has_remotes or (store.path / OWN_FILE).exists():
        from promptstore.posthog.sync.settings import load_remotes  # most repositories have none

        remotes = load_remotes(store.path)
        encoders = {name: _name_encoder(remote.rules) for name, remote in remotes.items()}
        settings = replace(settings, name_encoders=encoders)
    if select:
        chosen = checked_codes(select, "--select")
        settings = replace(settings, select=chosen, extend_select=())
    left_out = checked_codes(ignore or (), "--ignore")
    return replace(settings, ignore=(*settings.ignore, *left_out))


def overlay(base: Snapshot, root: str, files: Mapping[str, bytes]) -> Snapshot:
    """Return the prompts as they would be with some files, which may be broken.

    Args:
        base: The prompts as they are.
        root: The prompts' folder in the repository.
        files: The new files by prompt name.
    """
    folder = f"{root}/" if root else ""
    paths = {name: f"{folder}{check_name(name)}{SUFFIX}" for name in files}
    return base.overlaid(
        {
            name: File(paths[name], blob_id(data), partial(bytes, data))
            for name, data in files.items()
        }
    )


def new_problems(
    base: Snapshot, after: Snapshot, names: Collection[str], settings: Settings
) -> list[Finding]:
    """Find the problems that a change brings; those that were there before are left out.

    Args:
        base: The prompts before it.
        after: The prompts after it.
        names: The prompts that it is about.
        settings: What is looked for.

    Returns:
        The problems of these prompts and of those that include them or are replaced by them.
    """
    context = LintContext(after, settings)
    context.only = context.dependents(names)
    found = check(context)
    if not found:
        return []
    before = check(LintContext(base, settings, context.only))
    known = {_without_place(finding) for finding in before}
    return [finding for finding in found if _without_place(finding) not in known]


def check_changes(
    store: PromptStore, before: Snapshot, after: Snapshot, found: RangeDiff
) -> list[Finding]:
    """Find the problems of what a range changes, and of what includes it.

    Args:
        store: The store.
        before: The prompts at the start of the range.
        after: The prompts at its end.
        found: What changed.

    Returns:
        The problems.
    """
    context = LintContext(after, settings_of(store))
    touched = {name for change in found.changes for name in (change.name, change.old_name) if name}
    context.only = context.dependents(touched)
    old = set(before.unrecognized())
    came = (found for found in check_unrecognized_files(context) if found.path not in old)
    return sorted({*check(context), *came})


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
    except InvalidArgumentError as error:
        return [str(error)]
    if only is None and before is not None:
        context.only = context.dependents(_changed(before, after))
    return [str(finding) for finding in check(context) if finding.severity == "error"]


def _name_encoder(rules: SyncRules) -> Callable[[str], object]:
    """Return what encodes the names that take part in a sync, and leaves the others alone."""
    return lambda name: rules.to_remote(name) if rules.takes(name) else name


def _without_place(finding: Finding) -> tuple[str, str, str]:
    """Return what a problem is, without the line that an edit may have moved it to."""
    return finding.path, finding.problem.code, finding.problem.message


def _changed(before: Snapshot, after: Snapshot) -> set[str]:
    """Return the names of prompts that differ, removed ones too."""
    old, new = ({name: one.file(name).blob for name in one.names()} for one in (before, after))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}
