"""``promptstore list``: the prompts there are.

With ``--json`` one array of objects: the keys of `promptstore.cli.output.identity`, `description`
and `tags`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from promptstore.cli.opening import Worktree, complete_name, opened
from promptstore.cli.output import (
    identity,
    print_error,
    print_json,
    print_table,
    version_text,
    when,
)
from promptstore.model.prompt import Prompt
from promptstore.model.versions import PromptInfo
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore


def list_prompts(
    context: typer.Context,
    prefix: Annotated[
        str,
        typer.Argument(help="Only names that start with this.", autocompletion=complete_name),
    ] = "",
    tag: Annotated[str | None, typer.Option(help="Only prompts with this tag.")] = None,
    search: Annotated[
        str | None,
        typer.Option(help="Only prompts whose name, description, tags or texts hold it."),
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted prompts too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    worktree: Worktree = False,
) -> None:
    """List the prompts.

    Each with its version, labels, time of change and description. A broken file hides no other
    prompt: it is told on stderr, and the exit code is 1.
    """
    with opened(context, worktree=worktree) as store:
        snapshot = store.snapshot()
        prompts, broken = snapshot.list_readable(prefix, tag=tag, search=search, deleted=deleted)
        infos = snapshot.infos([prompt.name or "" for prompt in prompts])
        pairs = [(prompt, infos[prompt.name or ""]) for prompt in prompts]
        rows = [_row(*pair) for pair in pairs] if as_json else []
        cells = [] if as_json else [_cells(*pair) for pair in pairs]
    if as_json:
        print_json(rows)
    else:
        print_table(("NAME", "VERSION", "LABELS", "UPDATED", "DESCRIPTION"), cells)
    if not prompts and not broken:
        print_error(_nothing(store, snapshot, worktree=worktree))
    for error in broken:
        print_error(f"error: {error}")
    if broken:
        raise typer.Exit(1)


def _nothing(store: PromptStore, snapshot: Snapshot, *, worktree: bool) -> str:
    """Return why nothing is listed, and where uncommitted files are."""
    if snapshot.names():
        return f"no prompt in {snapshot.place} is like that"
    folder = f" under {store.root!r}" if store.root else ""
    none = f"no prompts{folder} in {snapshot.place}"
    if worktree or not store.has_files or not store.working_snapshot().names():
        return none
    return f"{none}; there are some on disk that are not committed: add --worktree"


def _row(prompt: Prompt, info: PromptInfo) -> dict[str, Any]:
    return identity(prompt, info) | {"description": prompt.description, "tags": list(prompt.tags)}


def _cells(prompt: Prompt, info: PromptInfo) -> tuple[str, ...]:
    mark = "(deleted) " if prompt.deleted else ""
    return (
        prompt.name or "",
        version_text(prompt.version),
        ", ".join(info.labels),
        when(info.updated_at),
        mark + (prompt.description or ""),
    )
