"""What every part of a store stands on: where things are at present, and snapshots of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Final, Self, TypeAlias

from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    LabelNotFoundError,
    PromptNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    VersionNotFoundError,
)
from promptstore.git.reading import Repository
from promptstore.git.revs import resolve_rev
from promptstore.history.contents import ContentCache
from promptstore.history.labels import (
    LabelTable,
    contradiction,
    labels_at,
    read_labels,
)
from promptstore.history.moves import MoveLog
from promptstore.history.sources import (
    CommitSource,
    EmptySource,
    File,
    LabelSource,
    Source,
)
from promptstore.history.versions import Progress, Timeline, VersionIndex
from promptstore.history.watcher import RefState, RefWatcher
from promptstore.model.prompt import (
    Prompt,
    identified,
)
from promptstore.model.values import near_matches
from promptstore.store.arguments import (
    check_arguments,
    check_zone,
)
from promptstore.store.history import History
from promptstore.store.snapshot import Snapshot
from promptstore.template import Limits

Rev: TypeAlias = str | datetime
"""Anything git can resolve to a commit, or a time (with a time zone): the newest commit then."""

DEFAULT_ROOT: Final = "prompts"
DEFAULT_LOCK_TIMEOUT: Final = 10.0
_KEPT_SNAPSHOTS: Final = 16
NOWHERE: Final = RefState(tip=None, title="", labels=None, is_shallow=False)


class LabelledSnapshot(Snapshot):
    """The prompts that have a label, each read as of the commit that the label points at."""

    def __init__(
        self,
        source: Source,
        *,
        read: Callable[[str], Prompt],
        cache: ContentCache,
        labels: Callable[[], LabelTable],
        limits: Limits,
    ) -> None:
        super().__init__(source, cache=cache, history=None, labels=labels, limits=limits)
        self._read = read

    def _load(self, name: str) -> Prompt:
        self.file(name)
        return self._read(name)

    def _load_all(self) -> None:
        """Load nothing: each prompt is read as of a commit of its own."""


class StoreLookup:
    """Opens a store, and finds its snapshots, versions and labels.

    Attributes:
        root: The prompts' folder within the repository.
        branch: The branch that is read and written, or None for whatever HEAD is.
    """

    def __init__(
        self,
        *,
        path: Path,
        root: str,
        repository: Repository | None,
        branch: str | None,
        worktree: bool,
        limits: Limits,
        lock_timeout: float,
        refresh_interval: float,
        progress: Progress | None,
    ) -> None:
        self._folder = path
        self.root = root
        self.branch = branch
        self._repository = repository
        self._reads_files = worktree or repository is None
        self._limits = limits
        self._lock_timeout = lock_timeout
        self._index = VersionIndex(repository, root, progress) if repository else None
        self._cache = ContentCache()
        self._watcher = RefWatcher(repository, branch, refresh_interval) if repository else None
        # It may be asked by several threads, and keeps what was asked for last.
        self._snapshots = lru_cache(maxsize=_KEPT_SNAPSHOTS)(self._make_snapshot)
        self._label_tables: dict[str, LabelTable] = {}
        self._moves = MoveLog(repository) if repository else None
        self._announced: set[str] = set()

    @classmethod
    def open(
        cls,
        path: str | Path = ".",
        *,
        root: str = DEFAULT_ROOT,
        branch: str | None = None,
        worktree: bool = False,
        limits: Limits | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        refresh_interval: float = 0.0,
        progress: Progress | None = None,
    ) -> Self:
        """Open the store that a path lies in.

        Args:
            path: A folder anywhere in a working tree, a bare repository, or a plain folder that
                holds the root.
            root: The prompts' folder within the repository; ``.`` for its top.
            branch: The branch to read and write; None follows HEAD.
            worktree: Whether to read the files on disk, uncommitted edits included.
            limits: The limits of renders; None for the defaults of `Limits`.
            lock_timeout: How long a write waits for locks of other processes, in seconds.
            refresh_interval: How long it may take until a commit or a label move of another
                process is seen, in seconds. 0 sees it at the next call. Files on disk
                (``worktree=True``) are always read as they are.
            progress: Called now and then while a long history is indexed, with how many commits
                are done and how many there are.

        Returns:
            The store.

        Raises:
            RepositoryNotFoundError: The path is neither in a repository nor holds the root.
            UnsupportedRepositoryError: The repository's format cannot be read.
            RevisionNotFoundError: There is no such branch.
            InvalidArgumentError: The root leaves the repository, or there are no files to read.
        """
        check_arguments(
            path=path,
            root=root,
            branch=branch,
            worktree=worktree,
            limits=limits,
            lock_timeout=lock_timeout,
            refresh_interval=refresh_interval,
            progress=progress,
        )
        root = _checked_root(root)
        repository = _discover(Path(path), root)
        store = cls(
            path=Path(path),
            root=root,
            repository=repository,
            branch=branch,
            worktree=worktree,
            limits=limits or Limits(),
            lock_timeout=lock_timeout,
            refresh_interval=refresh_interval,
            progress=progress,
        )
        if repository is not None:
            repository.tip(branch)
            if worktree and not store.has_files:
                raise InvalidArgumentError(
                    message=f"{store.path} is a bare repository, which has no files on disk; "
                    "open it without worktree=True"
                )
        return store

    @property
    def has_files(self) -> bool:
        """Whether the prompts are files on disk here; a bare repository has none."""
        return self._repository is None or self._repository.workdir is not None

    @property
    def path(self) -> Path:
        """The top of the working tree, the bare repository, or the plain folder."""
        if self._repository is None:
            return self._folder
        return self._repository.workdir or self._repository.git_dir

    def _state_with_labels(self, time: datetime) -> RefState:
        """Return where everything stands, but for the labels, which stand where they did then."""
        check_zone(time)
        state = self._state()
        if self._repository is None:
            return state
        return state._replace(labels=labels_at(self._repository, state.labels, time))

    def _labelled(self, state: RefState, label: str) -> Snapshot:
        targets = self._labels_at(state).of_label(label)

        def find(name: str) -> File | None:
            return self._snapshot(state, targets[name].commit, label).find(name)

        return LabelledSnapshot(
            LabelSource(label, targets, find),
            read=partial(self._get_labelled, state, label=label),
            cache=self._cache,
            labels=partial(self._labels_at, state),
            limits=self._limits,
        )

    def _at(self, commit: str | None) -> Snapshot:
        """Take the prompts as of a commit of the branch."""
        return self._tip_snapshot(self._require_state()._replace(tip=commit))

    def _tip_snapshot(self, state: RefState) -> Snapshot:
        if state.tip is None:
            return self._new_snapshot(EmptySource(f"{state.title} (no commits yet)"), state)
        return self._snapshot(state, state.tip, state.title)

    def _snapshot_of(self, state: RefState, rev: Rev | None) -> Snapshot:
        if rev is None:
            return self._tip_snapshot(state)
        title = rev.isoformat() if isinstance(rev, datetime) else rev
        return self._snapshot(state, self._resolve(rev), title)

    def _get_version(self, state: RefState, name: str, number: int) -> Prompt:
        history = self._require_history(state)
        latest = history.timeline.latest(name) if history else None
        if history is None or latest is None:
            raise self._unknown(name)
        change = history.timeline.nth(name, number)
        if change is None or change.entry is None:
            raise VersionNotFoundError(
                name=name, version=number, latest=latest.number, removed=change is not None
            )
        title = f"version {number}"
        return self._snapshot(state, change.commit, title).load(name, deleted=True)

    def _get_labelled(self, state: RefState, name: str, label: str) -> Prompt:
        try:
            target = self._labels_at(state).find(label, name)
        except LabelNotFoundError as error:
            newest = self._tip_snapshot(state)
            if newest.find(name):
                error.replaced_by = newest.load(name, deleted=True).replaced_by
            raise
        prompt = self._snapshot(state, target.commit, label).load(name, deleted=True)
        if prompt.version not in (None, target.version):
            raise contradiction(label, name, target, prompt.version)
        return identified(prompt, label=label)

    def _labels_at(self, state: RefState) -> LabelTable:
        commit = state.labels
        if commit is None or self._repository is None:
            return LabelTable()
        table = self._label_tables.get(commit)
        if table is None:
            table = read_labels(self._repository, commit)
            self._label_tables = {commit: table}
        return table

    def _snapshot(self, state: RefState, commit: str, title: str) -> Snapshot:
        return self._snapshots(state._replace(tip=commit), title)

    def _make_snapshot(self, state: RefState, title: str) -> Snapshot:
        source = CommitSource(self._require_repository(), self.root, state.tip or "", title)
        return self._new_snapshot(source, state)

    def _new_snapshot(self, source: Source, state: RefState, tip: str | None = None) -> Snapshot:
        return Snapshot(
            source,
            cache=self._cache,
            history=self._history(state, source.commit or tip),
            labels=partial(self._labels_at, state),
            limits=self._limits,
        )

    def _history(self, state: RefState, tip: str | None) -> History | None:
        if tip is None or self._index is None or self._repository is None:
            return None
        if state.is_shallow:
            return None
        # The index is brought up to it when it is asked: the text of a prompt needs no versions.
        return History(Timeline(tip, self._index), self._repository, self._cache)

    def _require_repository(self) -> Repository:
        if self._repository is None:
            raise HistoryUnavailableError(
                reason=f"{self.path} is a plain folder, not a git repository. Run `git init` in it."
            )
        return self._repository

    def _state(self) -> RefState:
        return self._watcher.current().state if self._watcher else NOWHERE

    def _require_state(self) -> RefState:
        self._require_repository()
        return self._state()

    def _require_history(self, state: RefState) -> History | None:
        """Return the history of the branch; None while it has no commit."""
        self._require_repository()
        if state.is_shallow:
            raise HistoryUnavailableError(
                reason="the clone is shallow, so older commits are not here. "
                "Run `git fetch --unshallow`."
            )
        return self._history(state, state.tip)

    def _resolve(self, rev: Rev) -> str:
        if isinstance(rev, datetime):
            return self._commit_at(rev)
        return resolve_rev(self._require_repository(), rev)

    def _commit_at(self, time: datetime) -> str:
        check_zone(time)
        history = self._require_history(self._require_state())
        commit = history.timeline.commit_at(time.timestamp()) if history else None
        if commit is None:
            raise RevisionNotFoundError(
                rev=time.isoformat(), reason="the branch has no commit that old"
            )
        return commit

    def _unknown(self, name: str) -> PromptNotFoundError:
        snapshot = self._tip_snapshot(self._require_state())
        near = near_matches(name, snapshot.names())
        return PromptNotFoundError(name=name, place=snapshot.place, near=near)


def _discover(path: Path, root: str) -> Repository | None:
    if not path.exists():
        raise RepositoryNotFoundError(path=str(path), reason="there is no such path.")
    try:
        return Repository.discover(path)
    except RepositoryNotFoundError:
        if (path / root).is_dir():
            return None
        raise RepositoryNotFoundError(
            path=str(path.resolve()),
            reason=f"this is neither in a git repository nor a folder that holds {root!r}. "
            "`promptstore init` makes a store here.",
        ) from None


def _checked_root(root: str) -> str:
    parts = PurePosixPath(root).parts
    if root.startswith("/") or ".." in parts or "\0" in root or "\\" in root:
        raise InvalidArgumentError(
            message=f"the root {root!r} must be a folder within the repository, "
            "written with '/' and without '..'"
        )
    return "/".join(parts)
