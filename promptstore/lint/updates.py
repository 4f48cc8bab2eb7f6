"""What is wrong with an update that somebody is about to serve."""

from __future__ import annotations

from collections.abc import Collection

from promptstore.errors import InvalidArgumentError
from promptstore.lint.check import check
from promptstore.lint.context import LintContext
from promptstore.lint.settings import FILE, parse_settings
from promptstore.store.snapshot import Snapshot


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


def _changed(before: Snapshot, after: Snapshot) -> set[str]:
    """Return the names of prompts that differ, removed ones too."""
    old, new = ({name: one.file(name).blob for name in one.names()} for one in (before, after))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}
