"""Opening the store that a command works on, with progress where it takes long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptstore.errors import PromptStoreError
from promptstore.snapshot import Snapshot
from promptstore.store import DEFAULT_ROOT, PromptStore

if TYPE_CHECKING:
    from rich.progress import Progress

_WORTH_SHOWING = 1_000

Worktree = Annotated[
    bool, typer.Option("--worktree", help="Read the files on disk, uncommitted edits included.")
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is: the options that stand before the command.

    Attributes:
        repo: A folder in the repository.
        root: The prompts' folder in the repository.
        branch: The branch to read and write, or None for HEAD.
    """

    repo: Path
    root: str
    branch: str | None


@contextmanager
def opened(context: typer.Context, *, worktree: bool = False) -> Iterator[PromptStore]:
    """Open the store for one command."""
    place: Place = context.obj
    bar = _Bar()
    try:
        yield PromptStore.open(
            place.repo,
            root=place.root,
            branch=place.branch,
            worktree=worktree,
            progress=bar.show if sys.stderr.isatty() else None,
        )
    finally:
        bar.stop()


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


class _Bar:
    """A progress bar on stderr, which appears only when there is much to do."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def show(self, done: int, total: int) -> None:
        """Show how many commits are indexed."""
        if total < _WORTH_SHOWING:
            return
        if self._bar is None:
            self._bar = self._started(total)
        self._bar.update(self._bar.task_ids[0], completed=done)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _started(self, total: int) -> Progress:
        from rich.console import Console
        from rich.progress import Progress

        bar = Progress(console=Console(stderr=True), transient=True)
        bar.add_task("Indexing the history", total=total)
        bar.start()
        return bar
