"""Opening the store that a command works on, and completing what a person types."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.place import Place, opened_at
from promptstore.errors import PromptStoreError
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import DEFAULT_ROOT, PromptStore

Worktree = Annotated[
    bool, typer.Option("--worktree", help="Read the files on disk, uncommitted edits included.")
]


@contextmanager
def opened(context: typer.Context, *, worktree: bool = False) -> Iterator[PromptStore]:
    """Open the store for one command."""
    place: Place = context.obj
    with opened_at(place, worktree=worktree) as store:
        yield store


@contextmanager
def opened_to_write(context: typer.Context) -> Iterator[tuple[PromptStore, Snapshot]]:
    """Open the store for a command that writes prompts, and give the prompts as they are.

    Raises:
        ReadOnlyError: There is no branch to write to; better said before a person has typed.
    """
    with opened(context) as store:
        _ = store.writable_branch
        yield store, store.snapshot()


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a prompt, and what may stand behind its ``@``."""
    place = context.obj if isinstance(context.obj, Place) else _place_of(context)
    try:
        store = PromptStore.open(place.repo, root=place.root, branch=place.branch)
        name, at, _ = incomplete.partition("@")
        if not at:
            return store.names(incomplete)
        numbers = [str(version.number) for version in store.history(name)]
        labels = sorted(label for label, names in store.labels().targets.items() if name in names)
        return [f"{name}@{selector}" for selector in [*labels, *numbers]]
    except PromptStoreError:
        return []


def complete_label(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a label."""
    place = context.obj if isinstance(context.obj, Place) else _place_of(context)
    try:
        labels = PromptStore.open(place.repo, root=place.root).labels().targets
    except PromptStoreError:
        return []
    return [label for label in sorted(labels) if label.startswith(incomplete)]


def _place_of(context: typer.Context) -> Place:
    """Read the common options where the shell asks before they were handled."""
    options = context.find_root().params
    repo = options.get("repo") or "."
    return Place(Path(repo), options.get("root") or DEFAULT_ROOT, options.get("branch"))
