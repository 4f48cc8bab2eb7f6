"""Where the store of a command is, and opening it with progress where that takes long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from promptstore.store.store import DEFAULT_ROOT, PromptStore

if TYPE_CHECKING:
    from rich.progress import Progress

_WORTH_SHOWING = 1_000


class Place(NamedTuple):
    """Where the store is: the options that stand before the command.

    Attributes:
        repo: A folder in the repository.
        root: The prompts' folder in the repository.
        branch: The branch to read and write, or None for HEAD.
    """

    repo: Path = Path()
    root: str = DEFAULT_ROOT
    branch: str | None = None


@contextmanager
def opened_at(place: Place, *, worktree: bool = False) -> Iterator[PromptStore]:
    """Open the store at a place."""
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


class _Bar:
    """A progress bar on stderr, which appears only when there is much to do."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._is_over = False

    def show(self, done: int, total: int) -> None:
        """Show how many commits are indexed."""
        if total < _WORTH_SHOWING or self._is_over:
            return
        if self._bar is None:
            self._bar = self._started(total)
        self._bar.update(self._bar.task_ids[0], completed=done)

    def stop(self) -> None:
        """Take the bar away, and show none any more."""
        self._is_over = True
        if self._bar is not None:
            self._bar.stop()

    def _started(self, total: int) -> Progress:
        from rich.console import Console
        from rich.progress import Progress

        bar = Progress(console=Console(stderr=True), transient=True)
        bar.add_task("Indexing the history", total=total)
        bar.start()
        return bar
