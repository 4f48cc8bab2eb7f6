"""``promptstore log``: the versions of a prompt.

With ``--json`` one array of objects: `number`, `commit`, `author`, `committed_at` (ISO 8601 with a
zone), `message`, `blob` (null where the commit removed the file), `deleted` and `labels`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from promptstore.cli.opening import complete_name, opened
from promptstore.cli.output import print_json, print_table, when
from promptstore.model.versions import Version


def log(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The prompt's name.", autocompletion=complete_name)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the versions of a prompt, newest first."""
    with opened(context) as store:
        history = store.history(name)
    if as_json:
        print_json([_row(version) for version in history])
        return
    heads = ("VERSION", "COMMIT", "TIME", "AUTHOR", "LABELS", "SUBJECT")
    print_table(heads, [_cells(version) for version in history])


def _row(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "commit": version.commit,
        "author": version.author,
        "committed_at": when(version.committed_at),
        "message": version.message,
        "blob": version.blob,
        "deleted": version.deleted,
        "labels": list(version.labels),
    }


def _cells(version: Version) -> tuple[str, ...]:
    removed = "(removed) " if version.blob is None else "(deleted) "
    mark = removed if version.deleted else ""
    return (
        str(version.number),
        version.commit[:7],
        when(version.committed_at),
        version.author,
        ", ".join(version.labels),
        mark + version.subject,
    )
