"""``promptstore check``, ``explain`` and ``format``: problems of prompts, and what mends them.

With ``--format json`` (or ``--json``) one array of objects: `path`, `name` (null for a file that
has none), `line`, `column`, `code`, `severity` and `message`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.app import AsJson, Worktree, check_choice, opened
from promptstore.cli.inputs import near_files, write_back
from promptstore.cli.output import (
    counted,
    print_command,
    print_error,
    print_exactly,
    print_json,
    print_lines,
    print_table,
)
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.lint.callsites import check_code
from promptstore.lint.check import RULES, Settings, check_labels, check_unrecognized_files
from promptstore.lint.check import check as find_problems
from promptstore.lint.check import explain as page_of
from promptstore.lint.contents import NOT_CANONICAL
from promptstore.lint.context import LintContext
from promptstore.lint.findings import SEVERITIES, Finding, all_pages
from promptstore.promptfile import codes
from promptstore.promptfile.formatter import fix_keys, format_file
from promptstore.review.drafts import settings_of
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

_FORMATS = ("text", "json", "github", "sarif")


def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Only the prompts in these files and folders.", metavar="PATH"),
    ] = None,
    rev: Annotated[
        str | None, typer.Option(help="Check the prompts as of this rev.", metavar="REV")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only prompts that differ from this rev, and what includes them.", metavar="REV"
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Fix what can be fixed safely.")] = False,
    code: Annotated[
        list[Path] | None,
        typer.Option(help="Check the calls in these Python files too.", metavar="PATH"),
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="With --code: report prompts that nothing uses.")
    ] = False,
    select: Annotated[
        list[str] | None, typer.Option(help="Look for these codes only.", metavar="CODE")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Leave these codes out.", metavar="CODE")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help="The least severity that fails: error, warning or note.")
    ] = "warning",
    output: Annotated[str, typer.Option("--format", help="text, json, github or sarif.")] = "text",
    as_json: AsJson = False,
    worktree: Worktree = False,
) -> None:
    """Find the problems of all prompts.

    Reads the files on disk, uncommitted edits included; a bare repository, --branch and --rev have
    commits only. The exit code is 1 when there are errors or warnings (see --fail-on);
    `promptstore explain CODE` says what each means.
    """
    _refuse_contradictions(rev, worktree=worktree, fix=fix, unused=unused, code=code)
    check_choice("--format", output, _FORMATS)
    check_choice("--fail-on", fail_on, SEVERITIES)
    with opened(context, worktree=worktree) as store:
        named = _resolved(store, paths) if paths else None
        settings = settings_of(store, select, ignore)
        reads_files = rev is None and store.branch is None and store.has_files
        snapshot = store.working_snapshot() if reads_files else store.snapshot(rev)
        chosen = _chosen(store, snapshot, since, named)
        if fix:
            if not reads_files:
                raise InvalidArgumentError(
                    message="--fix needs files on disk to write: leave --branch out, or run it in "
                    "a clone that has files"
                )
            _fix(snapshot, store, settings, snapshot.names() if chosen is None else chosen)
            snapshot = store.working_snapshot()
        looked_at = LintContext(snapshot, settings)
        if chosen is not None:
            looked_at.only = looked_at.dependents(chosen)
        findings = set(find_problems(looked_at))
        if chosen is None:
            findings |= set(check_labels(store, settings))
        else:
            before = () if since is None else store.snapshot(since).unrecognized()
            findings |= {
                finding
                for finding in check_unrecognized_files(looked_at)
                if (named is not None and _is_in(store.path / finding.path, named))
                or (since is not None and finding.path not in before)
            }
        if code:
            findings |= set(check_code(looked_at, code, unused=unused))
    found = sorted(findings)
    _print(found, "json" if as_json else output)
    files = counted(len(looked_at.chosen), "prompt")
    print_error(f"{files} in {snapshot.place}: {counted(len(found), 'problem')}")
    weights: dict[str, int] = {severity: number for number, severity in enumerate(SEVERITIES)}
    if any(weights[finding.severity] <= weights[fail_on] for finding in found):
        raise typer.Exit(1)


def _refuse_contradictions(
    rev: str | None, *, worktree: bool, fix: bool, unused: bool, code: Sequence[Path] | None
) -> None:
    if rev is not None and worktree:
        raise InvalidArgumentError(message="--rev and --worktree exclude each other")
    if rev is not None and fix:
        raise InvalidArgumentError(message="--rev and --fix exclude each other: git keeps commits")
    if unused and not code:
        raise InvalidArgumentError(message="--unused needs --code: where would a use be found?")


def _resolved(store: PromptStore, paths: Sequence[Path]) -> set[Path]:
    """Resolve the files and folders that were named; each must be there."""
    for path in paths:
        if not path.exists():
            raise InvalidArgumentError(
                message=f"{path}: there is no such file or folder.{near_files(store, path)}"
            )
    return {path.resolve() for path in paths}


def _is_in(file: Path, named: set[Path]) -> bool:
    """Return whether a file was named, or a folder that it is in."""
    found = file.resolve()
    return not named.isdisjoint((found, *found.parents))


def _chosen(
    store: PromptStore, snapshot: Snapshot, since: str | None, named: set[Path] | None
) -> set[str] | None:
    """Return the names that were asked for, removed ones too: of some files, or that differ."""
    if since is None and named is None:
        return None
    names = snapshot.names()
    chosen: set[str] = set()
    if since is not None:
        before = store.snapshot(since)
        chosen |= {
            name
            for name in names
            if (old := before.find(name)) is None or old.blob != snapshot.file(name).blob
        }
        chosen |= set(before.names()) - set(names)
    if named is not None:
        chosen |= {name for name in names if _is_in(store.path / snapshot.file(name).path, named)}
    return chosen


def _fix(
    snapshot: Snapshot, store: PromptStore, settings: Settings, names: Collection[str]
) -> None:
    for name in snapshot.names():
        if name not in names:
            continue
        file = snapshot.file(name)
        before = after = file.read()
        if settings.wants(codes.UNKNOWN_KEY, name):
            after = fix_keys(after, file.path)
        if settings.wants(NOT_CANONICAL.code, name):
            with suppress(PromptFileError):
                after = format_file(after, file.path)
        if after != before:
            write_back(store.path / file.path, after)
            print_error(f"{file.path}: fixed")


def _print(findings: Sequence[Finding], output: str) -> None:
    if output == "text":
        for finding in findings:
            print_lines(str(finding))
        return
    from promptstore.review import reports  # only a machine reads these

    if output == "json":
        print_json([reports.finding_as_json(finding) for finding in findings])
    elif output == "sarif":
        print_json(reports.sarif(findings))
    else:
        for finding in findings:
            print_command(reports.annotation(finding))


def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="A code such as PS203; all in a table when left out.", metavar="CODE"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every page, as Markdown.")
    ] = False,
) -> None:
    """Explain a code of `promptstore check`, or list all codes."""
    if everything:
        print_exactly(all_pages())
        return
    if code is not None:
        print_exactly(page_of(code))
        return
    rows = [
        [rule.code, rule.severity if rule.is_on else "off", rule.title] for rule in RULES.values()
    ]
    print_table(["code", "severity", "what is wrong"], rows)


def format_files(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Only these files and folders; all prompts when left out.", metavar="PATH"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when a file would change.")
    ] = False,
) -> None:
    """Write every prompt file in canonical form.

    Keys get one order and values one style; comments and meaning stay. A broken file is reported
    and left alone.
    """
    with opened(context) as store:
        named = _resolved(store, paths) if paths else None
        if not store.has_files:
            raise InvalidArgumentError(
                message="format needs files on disk to write: run it in a clone that has files"
            )
        snapshot = store.working_snapshot()
        files = [snapshot.file(name) for name in snapshot.names()]
        top = store.path
    changed = broken = 0
    for file in files:
        if named is not None and not _is_in(top / file.path, named):
            continue
        data = file.read()
        try:
            formatted = format_file(data, file.path)
        except PromptFileError as error:
            broken += 1
            print_error(f"error: {error}")
            continue
        if formatted != data:
            changed += 1
            print_lines(f"{'would change' if check else 'changed'} {file.path}")
            if not check:
                write_back(top / file.path, formatted)
    if broken or (check and changed):
        raise typer.Exit(1)
