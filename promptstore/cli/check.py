"""``promptstore check``: the problems of all prompts.

With ``--json`` one array of objects: `path`, `name` (null for a file that has none), `line`,
`column`, `code` and `message`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from promptstore.check import Finding
from promptstore.check import check as find_problems
from promptstore.cli.opening import Worktree, opened
from promptstore.cli.output import print_error, print_json, print_lines
from promptstore.errors import InvalidArgumentError


def check(
    context: typer.Context,
    rev: Annotated[
        str | None, typer.Option(help="Check the prompts as of this rev.", metavar="REV")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    worktree: Worktree = False,
) -> None:
    """Find the problems of all prompts.

    On disk where there is a working tree, else in the branch. The exit code is 1 when there are
    any.
    """
    if rev is not None and worktree:
        raise InvalidArgumentError(message="--rev and --worktree exclude each other")
    with opened(context, worktree=worktree) as store:
        reads_files = rev is None and store.branch is None and store.has_files
        snapshot = store.working_snapshot() if reads_files else store.snapshot(rev)
        findings = find_problems(snapshot)
        count = len(snapshot.names())
    if as_json:
        print_json([_row(finding) for finding in findings])
    else:
        for finding in findings:
            print_lines(str(finding))
    files = "1 prompt" if count == 1 else f"{count} prompts"
    problems = "1 problem" if len(findings) == 1 else f"{len(findings)} problems"
    print_error(f"{files} in {snapshot.place}: {problems}")
    if findings:
        raise typer.Exit(1)


def _row(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "path": finding.path,
        "name": finding.name,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
    }
