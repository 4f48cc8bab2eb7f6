"""Opening the store that a command works on, and completing what a person types."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from promptstore.errors import InvalidArgumentError, PromptStoreError
from promptstore.lint.settings import Settings, checked_codes, read_settings
from promptstore.model.names import near_matches
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import DEFAULT_ROOT, PromptStore

if TYPE_CHECKING:
    from rich.progress import Progress

    from promptstore.posthog.sync.codec import SyncRules

_WORTH_SHOWING = 1_000
_REMOTES_FILE = ".promptstore.toml"


class Place(NamedTuple):
    """Where the store is: options that stand before the command or behind it.

    Attributes:
        repo: A folder in the repository.
        root: The prompts' folder in the repository.
        branch: The branch to read and write, or None for HEAD.
    """

    repo: Path = Path()
    root: str = DEFAULT_ROOT
    branch: str | None = None


def with_options(
    command: Callable[..., None], block: Callable[..., Any], name: str = ""
) -> Callable[..., None]:
    """Return a command that takes the options of a block besides its own.

    Args:
        command: The command.
        block: A function whose parameters are options, as typer reads them. It is called first;
            parameters that the command has too, such as its context, are shared.
        name: The parameter of the command that gets what the block returns, if it wants it.
    """
    own = inspect.signature(command, eval_str=True).parameters
    added = inspect.signature(block, eval_str=True).parameters

    @wraps(command)
    def extended(**given: Any) -> None:
        made = block(**{key: given[key] for key in added})
        kept = {key: value for key, value in given.items() if key in own}
        command(**kept, **({name: made} if name else {}))

    parameters = {**own, **added}
    parameters.pop(name, None)
    extended.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    return extended


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the options of a place behind its name, too."""
    own = inspect.signature(command).parameters.keys()
    # Without a context it needs no place; one option of `sync` has the name of a place's.
    is_placed = "context" in own and own.isdisjoint(Place._fields)
    return with_options(command, _move) if is_placed else command


def _move(
    context: typer.Context,
    *,
    repo: Annotated[Path | None, typer.Option("--repo", "-C", hidden=True)] = None,
    root: Annotated[str | None, typer.Option(hidden=True)] = None,
    branch: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    given = {"repo": repo, "root": root, "branch": branch}
    context.obj = context.obj._replace(**{key: value for key, value in given.items() if value})


@contextmanager
def opened(context: typer.Context, *, worktree: bool = False) -> Iterator[PromptStore]:
    """Open the store for one command.

    Raises:
        InvalidArgumentError: The prompts' folder was named, and there is none of that name.
    """
    place: Place = context.obj
    bar = _Bar()
    try:
        store = PromptStore.open(
            place.repo,
            root=place.root,
            branch=place.branch,
            worktree=worktree,
            progress=bar.show if sys.stderr.isatty() else None,
        )
        _refuse_missing_root(store, place)
        yield store
    finally:
        bar.stop()


def _refuse_missing_root(store: PromptStore, place: Place) -> None:
    if place.root == DEFAULT_ROOT or not store.root or store.names():
        return
    if store.has_files and (store.path / store.root).is_dir():
        return
    top = PromptStore.open(place.repo, root="", branch=place.branch)
    names = [*top.names(), *(top.working_snapshot().names() if top.has_files else ())]
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
    if store.root in folders:
        return
    near = near_matches(store.root, sorted(folders - {"."}))
    advice = f"did you mean --root {near[0]}?" if near else "`promptstore init` makes one"
    raise InvalidArgumentError(
        message=f"--root: there is no folder {store.root!r} in {top.snapshot().place}; {advice}"
    )


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


Worktree = Annotated[
    bool, typer.Option("--worktree", help="Read the files on disk, uncommitted edits included.")
]


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
    place = _place_of(context)
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
    place = _place_of(context)
    try:
        labels = PromptStore.open(place.repo, root=place.root).labels().targets
    except PromptStoreError:
        return []
    return [label for label in sorted(labels) if label.startswith(incomplete)]


def _place_of(context: typer.Context) -> Place:
    """Return the place that was typed so far; the shell asks before the command runs."""
    typed = {**_typed(context.find_root().params), **_typed(context.params)}
    return Place()._replace(**typed)


def _typed(params: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: params.get(key) for key in Place._fields}
    return {key: Path(value) if key == "repo" else value for key, value in given.items() if value}


def settings_of(
    store: PromptStore,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
) -> Settings:
    """Read the settings of a check.

    Args:
        store: The store; the defaults count where it has no files.
        select: Codes to look for instead of those that are set.
        ignore: Codes to leave out besides.

    Returns:
        The settings.

    Raises:
        InvalidArgumentError: A setting or a code means nothing.
    """
    settings = read_settings(store.path) if store.has_files else Settings()
    if settings.has_remotes or (store.path / _REMOTES_FILE).exists():
        from promptstore.posthog.sync.settings import load_remotes  # most repositories have none

        remotes = load_remotes(store.path)
        spellings = {name: _spelling(remote.rules) for name, remote in remotes.items()}
        settings = replace(settings, spellings=spellings)
    if select:
        chosen = checked_codes(select, "--select")
        settings = replace(settings, select=chosen, extend_select=())
    left_out = checked_codes(ignore or (), "--ignore")
    return replace(settings, ignore=(*settings.ignore, *left_out))


def _spelling(rules: SyncRules) -> Callable[[str], object]:
    """Return what spells the names that take part in a sync; the others need no spelling."""
    return lambda name: rules.to_remote(name) if rules.takes(name) else name
