"""``BASE..HEAD``: two revs whose prompts are compared, in each form that a reader wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from promptstore.cli.differences import print_prompt_diff
from promptstore.cli.inputs import read_file
from promptstore.cli.opening import settings_of
from promptstore.cli.output import print_command, print_diff, print_exactly, print_json, print_lines
from promptstore.compare.texts import unified
from promptstore.errors import InvalidArgumentError
from promptstore.lint.check import check, check_unrecognized_files
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Finding
from promptstore.model.names import is_name, near_matches
from promptstore.review.annotations import annotation, change_annotation
from promptstore.review.markdown import comment
from promptstore.review.ranges import PromptChange, RangeDiff, compare
from promptstore.review.reports import finding_as_json, range_as_json
from promptstore.review.sarif import sarif
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

FORMATS: Final = ("terminal", "markdown", "json", "github", "sarif")


def is_range(store: PromptStore, text: str) -> bool:
    """Return whether a text is a range of commits: a prompt of that name comes first."""
    return ".." in text and not (is_name(text) and text in store.names())


def ends(store: PromptStore, text: str) -> tuple[Snapshot, Snapshot]:
    """Return the prompts at the two ends of a range.

    Args:
        store: The store.
        text: ``BASE..HEAD``, or ``BASE...HEAD`` for what HEAD changed since it left BASE. An end
            that is left out is HEAD.

    Returns:
        The prompts at its start and at its end.

    Raises:
        RevisionNotFoundError: Git cannot resolve an end.
    """
    base, dots, head = text.partition("...") if "..." in text else text.partition("..")
    base, head = base or "HEAD", head or "HEAD"
    if len(dots) == 3:
        base = store.common_ancestor(base, head)
    return store.snapshot(base), store.snapshot(head)


def compare_ends(before: Snapshot, after: Snapshot, examples: str | None) -> RangeDiff:
    """Find what a range changes.

    Args:
        before: The prompts at its start.
        after: The prompts at its end.
        examples: A file of values to compare renders with, ``-`` for stdin; None for none.

    Returns:
        The changes.

    Raises:
        InvalidArgumentError: The file names a prompt that is on neither side.
    """
    values = read_file(examples) if examples else {}
    known = {*before.names(), *after.names()}
    for name in values:
        if name not in known:
            near = near_matches(name, known)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            message = f"{examples}: there is no prompt {name!r} to render.{advice}"
            raise InvalidArgumentError(message=message)
    return compare(before, after, values)


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
    old = set(before.strays())
    came = (found for found in check_unrecognized_files(context) if found.path not in old)
    return sorted({*check(context), *came})


def check_format(output: str) -> None:
    """Refuse a format that there is not.

    Raises:
        InvalidArgumentError: There is none of that name.
    """
    if output not in FORMATS:
        raise InvalidArgumentError(message=f"--format takes one of {', '.join(FORMATS)}")


def print_range(found: RangeDiff, findings: Sequence[Finding], output: str) -> None:
    """Print what a range changes.

    Args:
        found: What changed.
        findings: The problems to print beside it.
        output: One of `FORMATS`.
    """
    if output == "markdown":
        print_exactly(comment(found, findings))
    elif output == "json":
        print_json(_as_json(found, findings))
    elif output == "sarif":
        print_json(sarif(findings, found.changes))
    elif output == "github":
        for line in (*map(change_annotation, found.changes), *map(annotation, findings)):
            print_command(line)
    else:
        _print_text(found, findings)


def _as_json(found: RangeDiff, findings: Sequence[Finding]) -> dict[str, Any]:
    return {**range_as_json(found), "findings": [finding_as_json(item) for item in findings]}


def _print_text(found: RangeDiff, findings: Sequence[Finding]) -> None:
    if not found.changes:
        print_lines("no prompt changed")
    for change in found.changes:
        _print_change(change)
    for finding in findings:
        print_lines(str(finding))


def _print_change(change: PromptChange) -> None:
    name = f"{change.old_name} → {change.name}" if change.old_name else change.name
    why = "; ".join(change.judgement.reasons)
    print_lines(f"{change.judgement.impact}: {name} {change.kind} ({why})")
    if change.via:
        print_lines(f"  by {' → '.join(change.via)}")
        return
    for problem in change.problems:
        print_lines(f"  line {problem.line}: {problem.code} {problem.message}")
    print_prompt_diff(change.diff, nothing="")
    for render in change.renders:
        print_lines(f"\n{render.title}:")
        print_diff(unified(render.before, render.after) if render.differs else f" {render.before}")
    print_lines("")
