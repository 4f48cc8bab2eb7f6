"""Opening the store that a command works on, with progress where it takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from promptstore.errors import PromptStoreError
from promptstore.store import PromptStore

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
        branch: The branch to read, or None for HEAD.
    """

    repo: Path
    root: str
    branch: str | None


@contextmanager
def opened(context: typer.Context, *, worktree: bool = False) -> Iterator[PromptStore]:
    """Open the store for one command."""
    place: Place = context.obj
    with _progress() as progress:
        yield PromptStore.open(
            place.repo,
            root=place.root,
            branch=place.branch,
            worktree=worktree,
            progress=progress,
        )


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


def _place_of(context: typer.Context) -> Place:
    """Read the common options where the shell asks before they were handled."""
    options = context.parent.params if context.parent else {}
    repo = options.get("repo") or "."
    return Place(Path(repo), options.get("root") or "prompts", options.get("branch"))


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on stderr while a long history is indexed, where a person may see it."""
    if not sys.stderr.isatty():
        yield None
        return
    shown: list[Callable[[int, int], None]] = []
    with _lazy_bar(shown) as start:

        def report(done: int, total: int) -> None:
            if total >= _WORTH_SHOWING:
                (shown[0] if shown else start())(done, total)

        yield report


@contextmanager
def _lazy_bar(
    shown: list[Callable[[int, int], None]],
) -> Iterator[Callable[[], Callable[[int, int], None]]]:
    """Give a function that starts the bar; it is stopped at the end if it was started."""
    stops: list[Callable[[], None]] = []

    def start() -> Callable[[int, int], None]:
        from rich.console import Console
        from rich.progress import Progress

        bar = Progress(console=Console(stderr=True), transient=True)
        task = bar.add_task("Indexing the history", total=None)
        bar.start()
        stops.append(bar.stop)
        shown.append(lambda done, total: bar.update(task, completed=done, total=total))
        return shown[0]

    try:
        yield start
    finally:
        for stop in stops:
            stop()
