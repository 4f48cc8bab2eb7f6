"""The front door: a store of prompts in a git repository or a folder."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias

from promptstore.errors import (
    HistoryUnavailableError,
    IncludeError,
    InvalidArgumentError,
    NotFoundError,
    PromptFileError,
    PromptNotFoundError,
    RepositoryError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    TemplateSyntaxError,
    VersionNotFoundError,
)
from promptstore.labels import LabelTable, contradiction, labels_commit, read_labels
from promptstore.model import Prompt, RenderedPrompt, Version, render_prompt
from promptstore.names import check_name, near_matches
from promptstore.repository import Repository
from promptstore.snapshot import ContentCache, History, Snapshot
from promptstore.sources import CommitSource, EmptySource, FolderSource, Source
from promptstore.template import Limits
from promptstore.versions import Change, Progress, VersionIndex

Rev: TypeAlias = str | datetime
"""Anything git can resolve to a commit, or a time (with a time zone): the newest commit then."""

DEFAULT_ROOT: Final = "prompts"

_log = logging.getLogger("promptstore")
_CANNOT_BE_HAD: Final = (NotFoundError, PromptFileError, RepositoryError, HistoryUnavailableError)
_CANNOT_BE_COMPILED: Final = (TemplateSyntaxError, IncludeError)
_KEPT_SNAPSHOTS: Final = 16


class PromptStore:
    """The prompts under one folder of a git repository.

    Make one with `PromptStore.open`. Each call asks git anew where the branch is, so a commit by
    another process is seen at once; what was read before is never read twice. Threads may share a
    store, and a fork inherits a working one.

    Attributes:
        path: The top of the working tree, the bare repository, or the plain folder.
        root: The prompts' folder within it.
        branch: The branch that is read, or None for whatever HEAD is.
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
        progress: Progress | None,
    ) -> None:
        self.path = path
        self.root = root
        self.branch = branch
        self._repository = repository
        self._reads_files = worktree or repository is None
        self._limits = limits
        self._index = VersionIndex(repository, root, progress) if repository else None
        self._cache = ContentCache()
        self._snapshots: dict[tuple[str, str, str | None], Snapshot] = {}
        self._label_tables: dict[str, LabelTable] = {}
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
        progress: Progress | None = None,
    ) -> PromptStore:
        """Open the store that a path lies in.

        Args:
            path: A folder anywhere in a working tree, a bare repository, or a plain folder that
                holds the root.
            root: The prompts' folder within the repository; ``.`` for its top.
            branch: The branch to read; None follows HEAD.
            worktree: Whether to read the files on disk, uncommitted edits included.
            limits: The limits of renders; None for the defaults of `Limits`.
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
        root = _checked_root(root)
        repository = _discover(Path(path), root)
        store = cls(
            path=Path(path) if repository is None else repository.workdir or repository.git_dir,
            root=root,
            repository=repository,
            branch=branch,
            worktree=worktree,
            limits=limits or Limits(),
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

    def get(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
        deleted: bool = False,
        fallback: Prompt | str | None = None,
    ) -> Prompt:
        """Get one prompt.

        Args:
            name: The prompt's name, for example ``support/triage``.
            version: Its version of this number, counted on the branch; read as of its commit.
            label: The version that this label points at.
            rev: The prompt as of this rev or time. At most one of version, label and rev.
            deleted: Whether a tombstoned prompt is given too; one asked for by version or label
                always is.
            fallback: What to give when the prompt cannot be had: a prompt, or the text of one.
                The result is marked by `Prompt.is_fallback`, and the reason is logged once.

        Returns:
            The prompt.

        Raises:
            PromptNotFoundError: There is no such prompt.
            PromptDeletedError: It is tombstoned.
            VersionNotFoundError: It has no such version.
            LabelNotFoundError: The label does not point it anywhere.
            RevisionNotFoundError: Git cannot resolve the rev.
            HistoryUnavailableError: Versions cannot be counted here.
            PromptFileError: Its file, or that of the label, is broken.
            InvalidNameError: The name cannot be a prompt's name.
            InvalidArgumentError: Several of version, label and rev are given.
        """
        check_name(name)
        _check_selection(version, label, rev)
        try:
            return self._get(name, version, label, rev, deleted)
        except _CANNOT_BE_HAD as error:
            if fallback is None:
                raise
            return self._fall_back(name, fallback, error)

    def render(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
        fallback: Prompt | str | None = None,
    ) -> RenderedPrompt:
        """Get one prompt and fill it with values.

        Args:
            name: The prompt's name.
            variables: The values by variable name.
            version: See `get`.
            label: See `get`.
            rev: See `get`.
            fallback: What to render when the prompt cannot be had or its templates cannot be
                compiled; values that the fallback does not know are then left out.

        Returns:
            The text or the messages, and the identity of what was rendered.

        Raises:
            PromptStoreError: As for `get` and `Prompt.render`.
        """
        values = variables or {}
        prompt = self.get(name, version=version, label=label, rev=rev, fallback=fallback)
        try:
            return render_prompt(prompt, values)
        except _CANNOT_BE_COMPILED as error:
            if fallback is None or prompt.is_fallback:
                raise
            return render_prompt(self._fall_back(name, fallback, error), values)

    def names(self, prefix: str = "") -> builtins.list[str]:
        """List the names of all prompt files, tombstones too, parsing nothing.

        Args:
            prefix: Only names that start with it, such as ``support/``.

        Returns:
            The names, sorted.
        """
        return self.snapshot().names(prefix)

    def list(
        self,
        prefix: str = "",
        *,
        tag: str | None = None,
        search: str | None = None,
        deleted: bool = False,
    ) -> builtins.list[Prompt]:
        """List prompts, sorted by name; see `Snapshot.list`.

        Args:
            prefix: Only names that start with it.
            tag: Only prompts that carry this tag.
            search: Only prompts whose name, description, tags or texts hold it, letter case aside.
            deleted: Whether tombstoned prompts are listed too.

        Returns:
            The prompts.

        Raises:
            PromptFileError: A file is broken.
        """
        return self.snapshot().list(prefix, tag=tag, search=search, deleted=deleted)

    def history(self, name: str) -> builtins.list[Version]:
        """List the versions of a prompt, newest first.

        Args:
            name: The prompt's name; it may be deleted, and its file removed.

        Returns:
            The versions.

        Raises:
            PromptNotFoundError: There never was such a prompt on the branch.
            HistoryUnavailableError: Versions cannot be counted here.
        """
        check_name(name)
        history = self._require_history()
        changes = history.timeline.history(name) if history else []
        if history is None or not changes:
            raise self._unknown(name)
        labels = self.labels()
        return [_version(history, labels, name, change) for change in changes]

    def snapshot(self, rev: Rev | None = None) -> Snapshot:
        """Take all prompts as of one commit.

        Args:
            rev: A branch, tag or commit, any other spelling that git resolves, or a time with a
                time zone (the newest commit of the branch then). None is the branch's tip, or the
                files on disk for a store opened with ``worktree=True``.

        Returns:
            An immutable mapping from name to prompt.

        Raises:
            RevisionNotFoundError: Git cannot resolve the rev, or the history begins later.
        """
        if rev is None and self._reads_files:
            return self.working_snapshot()
        repository = self._require_repository()
        if rev is None:
            tip = repository.tip(self.branch)
            title = self.branch or repository.head_branch() or "HEAD"
            if tip is None:
                return self._new_snapshot(EmptySource(f"{title} (no commits yet)"))
            return self._snapshot(tip, title)
        commit = self._commit_at(rev) if isinstance(rev, datetime) else repository.resolve(rev)
        return self._snapshot(commit, rev.isoformat() if isinstance(rev, datetime) else rev)

    @property
    def has_files(self) -> bool:
        """Tell whether the prompts are files on disk here; a bare repository has none."""
        return self._repository is None or self._repository.workdir is not None

    def working_snapshot(self) -> Snapshot:
        """Take all prompts as the files on disk are at this moment, uncommitted edits included.

        Raises:
            InvalidArgumentError: The repository is bare, so there are no files.
        """
        if not self.has_files:
            raise InvalidArgumentError(
                message=f"{self.path} is a bare repository, which has no files on disk"
            )
        tip = self._repository.tip(self.branch) if self._repository else None
        return self._new_snapshot(FolderSource(self.path, self.root), tip)

    def labels(self) -> LabelTable:
        """Read all labels as they are at this moment."""
        commit = labels_commit(self._repository) if self._repository else None
        if commit is None or self._repository is None:
            return LabelTable()
        table = self._label_tables.get(commit)
        if table is None:
            table = read_labels(self._repository, commit)
            self._label_tables = {commit: table}
        return table

    def _get(
        self, name: str, version: int | None, label: str | None, rev: Rev | None, deleted: bool
    ) -> Prompt:
        if version is not None:
            return self._get_version(name, version)
        if label is not None:
            return self._get_labelled(name, label)
        return self.snapshot(rev).read(name, deleted=deleted)

    def _get_version(self, name: str, number: int) -> Prompt:
        history = self._require_history()
        latest = history.timeline.latest(name) if history else None
        if history is None or latest is None:
            raise self._unknown(name)
        change = history.timeline.nth(name, number)
        if change is None or change.entry is None:
            raise VersionNotFoundError(
                name=name, version=number, latest=latest.number, removed=change is not None
            )
        return self._snapshot(change.commit, f"version {number}").read(name, deleted=True)

    def _get_labelled(self, name: str, label: str) -> Prompt:
        target = self.labels().find(label, name)
        prompt = self._snapshot(target.commit, label).read(name, deleted=True)
        if prompt.version not in (None, target.version):
            raise contradiction(label, name, target, prompt.version)
        return prompt

    def _fall_back(self, name: str, fallback: Prompt | str, error: Exception) -> Prompt:
        if name not in self._announced:
            self._announced.add(name)
            _log.warning("using the fallback for the prompt %r: %s", name, error)
        content = Prompt(prompt=fallback) if isinstance(fallback, str) else fallback
        return replace(content, name=name, is_fallback=True, limits=self._limits)

    def _snapshot(self, commit: str, title: str) -> Snapshot:
        repository = self._require_repository()
        key = (commit, title, labels_commit(repository))
        snapshot = self._snapshots.pop(key, None)
        if snapshot is None:
            snapshot = self._new_snapshot(CommitSource(repository, self.root, commit, title))
        # Put in again at the end, so that what was not asked for longest stands first and goes.
        self._snapshots[key] = snapshot
        if len(self._snapshots) > _KEPT_SNAPSHOTS:
            self._snapshots.pop(next(iter(self._snapshots)), None)
        return snapshot

    def _new_snapshot(self, source: Source, tip: str | None = None) -> Snapshot:
        return Snapshot(
            source,
            cache=self._cache,
            history=self._history(source.commit or tip),
            labels=self.labels(),
            limits=self._limits,
        )

    def _history(self, tip: str | None) -> History | None:
        if tip is None or self._index is None or self._repository is None:
            return None
        if self._repository.is_shallow:
            return None
        return History(self._index.at(tip), self._repository, self._cache)

    def _require_repository(self) -> Repository:
        if self._repository is None:
            raise HistoryUnavailableError(
                reason=f"{self.path} is a plain folder, not a git repository. Run `git init` in it."
            )
        return self._repository

    def _require_history(self) -> History | None:
        """Give the history of the branch; None while it has no commit."""
        repository = self._require_repository()
        if repository.is_shallow:
            raise HistoryUnavailableError(
                reason="the clone is shallow, so older commits are not here. "
                "Run `git fetch --unshallow`."
            )
        return self._history(repository.tip(self.branch))

    def _commit_at(self, time: datetime) -> str:
        if time.tzinfo is None:
            raise InvalidArgumentError(
                message=f"the time {time.isoformat()} has no time zone; "
                "say which one, for example with `.astimezone()`"
            )
        history = self._require_history()
        commit = history.timeline.commit_at(time.timestamp()) if history else None
        if commit is None:
            raise RevisionNotFoundError(
                rev=time.isoformat(), reason="the branch has no commit that old"
            )
        return commit

    def _unknown(self, name: str) -> PromptNotFoundError:
        snapshot = self.snapshot()
        near = near_matches(name, snapshot.names())
        return PromptNotFoundError(name=name, place=snapshot.place, near=near)


def _version(history: History, labels: LabelTable, name: str, change: Change) -> Version:
    commit = history.commit(change.commit)
    return Version(
        number=change.number,
        commit=commit.id,
        author=commit.author,
        committed_at=commit.committed_at,
        message=commit.message,
        blob=change.entry.id if change.entry else None,
        deleted=change.entry is None or history.is_tombstone(change.entry.id),
        labels=labels.of(name, change.number),
    )


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


def _check_selection(version: int | None, label: str | None, rev: Rev | None) -> None:
    given = [
        word
        for word, value in (("version", version), ("label", label), ("rev", rev))
        if value is not None
    ]
    if len(given) > 1:
        raise InvalidArgumentError(
            message=f"{' and '.join(given)} exclude each other: give one of them"
        )
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise InvalidArgumentError(message=f"a version is a number, not {version!r}")
