"""The front door: a store of prompts in a git repository or a folder."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, Unpack

from promptstore.errors import (
    HistoryUnavailableError,
    IncludeError,
    InvalidArgumentError,
    NotFoundError,
    PromptFileError,
    PromptNotFoundError,
    ReadOnlyError,
    RepositoryError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    TemplateSyntaxError,
    VersionNotFoundError,
)
from promptstore.git import Repository, blob_id, common_ancestor, resolve_rev
from promptstore.history.contents import ContentCache
from promptstore.history.labels import (
    LabelTable,
    Target,
    check_label,
    contradiction,
    labels_at,
    labels_commit,
    read_labels,
)
from promptstore.history.moves import LabelMove, MoveLog
from promptstore.history.sources import (
    CommitSource,
    EmptySource,
    File,
    FolderSource,
    LabelSource,
    Source,
)
from promptstore.history.versions import Change, Progress, Timeline, VersionIndex
from promptstore.history.watcher import CachedState, QueryKey, RefState, RefWatcher
from promptstore.model.names import check_name, near_matches
from promptstore.model.prompt import Prompt, identified, merged_values, own_copy, to_prompt
from promptstore.model.rendering import RenderedPrompt, render_prompt
from promptstore.model.versions import PromptInfo, Version
from promptstore.store.snapshot import History, LabelledSnapshot, Snapshot
from promptstore.template import Limits

if TYPE_CHECKING:
    from promptstore.store.edits import Edit
    from promptstore.store.writing import Attribution

Rev: TypeAlias = str | datetime
"""Anything git can resolve to a commit, or a time (with a time zone): the newest commit then."""

DEFAULT_ROOT: Final = "prompts"
DEFAULT_LOCK_TIMEOUT: Final = 10.0

_CANNOT_BE_HAD: Final = (NotFoundError, PromptFileError, RepositoryError, HistoryUnavailableError)
_CANNOT_BE_COMPILED: Final = (TemplateSyntaxError, IncludeError)
_KEPT_SNAPSHOTS: Final = 16
_NOWHERE: Final = RefState(tip=None, title="", labels=None, is_shallow=False)
_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}")


class Position(NamedTuple):
    """Where a branch and the labels are.

    Attributes:
        tip: The newest commit of the branch, or None while it has none.
        labels: The newest commit of the labels branch, or None where there is none.
    """

    tip: str | None
    labels: str | None


class PromptStore:
    """The prompts under one folder of a git repository.

    Make one with `PromptStore.open`. Each call asks git anew where the branch is, so a commit by
    another process is seen at once; what was read before is never read twice. Threads may share a
    store, and a fork inherits a working one.

    Attributes:
        root: The prompts' folder within it.
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
    ) -> PromptStore:
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
        key = (name, version, label, rev, deleted)
        try:
            # Most calls ask what was asked before: they cost no more than looking that up.
            cached = self._watcher.current() if self._watcher else None
            kept = cached.prompts.get(key) if cached else None
            return own_copy(kept or self._get(cached, key))
        except _CANNOT_BE_HAD as error:
            if fallback is None:
                raise
            return self._fall_back(name, fallback, error)

    def render(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        /,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
        fallback: Prompt | str | None = None,
        **more: Any,
    ) -> RenderedPrompt:
        """Get one prompt and fill it with values.

        Args:
            name: The prompt's name.
            variables: The values by variable name.
            more: Values by keyword; one that is called like an argument goes into the mapping.
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
        values = merged_values(variables, more)
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
        label: str | None = None,
        rev: Rev | None = None,
    ) -> builtins.list[Prompt]:
        """List prompts, sorted by name; see `Snapshot.list`.

        Args:
            prefix: Only names that start with it.
            tag: Only prompts that carry this tag.
            search: Only prompts whose name, description, tags or texts hold it, letter case aside.
            deleted: Whether tombstoned prompts are listed too.
            label: Only prompts that have this label, each as of the commit it points at.
            rev: The prompts as of this rev or time. Not together with a label.

        Returns:
            The prompts.

        Raises:
            PromptFileError: A file is broken.
            LabelNotFoundError: There is no such label.
            RevisionNotFoundError: Git cannot resolve the rev.
        """
        snapshot = self.snapshot(rev, label=label)
        return snapshot.list(prefix, tag=tag, search=search, deleted=deleted)

    def history(self, name: str, *, follow: bool = False) -> builtins.list[Version]:
        """List the versions of a prompt, newest first.

        Args:
            name: The prompt's name; it may be deleted, and its file removed.
            follow: Whether to go on at the old name where the prompt was renamed: where the commit
                of its first version deleted another one that it replaces.

        Returns:
            The versions.

        Raises:
            PromptNotFoundError: There never was such a prompt on the branch.
            HistoryUnavailableError: Versions cannot be counted here.
        """
        check_name(name)
        state = self._require_state()
        history = self._require_history(state)
        changes = history.timeline.history(name) if history else []
        if history is None or not changes:
            raise self._unknown(name)
        labels = self._labels_at(state)
        found = [_version(history, labels, name, change) for change in changes]
        former = self._former_name(history, name, changes[-1].commit) if follow else None
        if former is not None:
            # Its last version is the tombstone that the renaming left.
            found += [
                version
                for version in self.history(former, follow=True)
                if version.commit != changes[-1].commit
            ]
        return found

    def _former_name(self, history: History, name: str, commit: str) -> str | None:
        """Return the name of the prompt that a commit replaced by another one, if it did."""
        for other, entry in history.timeline.changed_by(commit).items():
            if other != name and entry is not None and entry.is_file:
                with suppress(PromptFileError):
                    prompt = self._snapshot(self._state(), commit, commit).read(other, deleted=True)
                    if prompt.deleted and prompt.replaced_by == name:
                        return other
        return None

    def info(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
    ) -> PromptInfo:
        """Return who made which version of a prompt when, and its labels.

        Args:
            name: The prompt's name; it may be deleted.
            version: The version of this number; None is the newest one.
            label: The version that this label points at.
            rev: The newest version as of this rev or time. At most one of the three.

        Returns:
            The facts; None where history is not known.

        Raises:
            PromptStoreError: As for `get`.
        """
        check_name(name)
        _check_selection(version, label, rev)
        state = self._state()
        if label is not None:
            version = self._labels_at(state).find(label, name).version
            if state.is_shallow:
                return PromptInfo(name=name)
        if version is None:
            return self.snapshot(rev).info(name)
        self._require_history(state)
        return self._tip_snapshot(state).info(name, version=version)

    def snapshot(self, rev: Rev | None = None, *, label: str | None = None) -> Snapshot:
        """Take all prompts as of one commit, or all that have a label.

        Args:
            rev: A branch, tag or commit, any other spelling that git resolves, or a time with a
                time zone (the newest commit of the branch then). None is the branch's tip, or the
                files on disk for a store opened with ``worktree=True``.
            label: A label: each prompt that has it is read as of the commit that it points at. Not
                together with a rev.

        Returns:
            An immutable mapping from name to prompt.

        Raises:
            RevisionNotFoundError: Git cannot resolve the rev, or the history begins later.
            LabelNotFoundError: There is no such label.
        """
        _check_selection(None, label, rev)
        if label is not None:
            return self._labelled(label)
        if rev is None and self._reads_files:
            return self.working_snapshot()
        return self._snapshot_of(self._require_state(), rev)

    def common_ancestor(self, one: str, other: str) -> str:
        """Find the commit that two revs grew from, as ``git merge-base`` does.

        Args:
            one: A rev.
            other: Another rev.

        Returns:
            The commit's id.

        Raises:
            RevisionNotFoundError: Git cannot resolve a rev, or the two have no common history.
        """
        repository = self._require_repository()
        commits = (resolve_rev(repository, rev) for rev in (one, other))
        return common_ancestor(repository, *commits)

    @property
    def path(self) -> Path:
        """The top of the working tree, the bare repository, or the plain folder."""
        if self._repository is None:
            return self._folder
        return self._repository.workdir or self._repository.git_dir

    @property
    def repository(self) -> Repository:
        """The git repository underneath.

        Raises:
            HistoryUnavailableError: This is a plain folder.
        """
        return self._require_repository()

    @property
    def has_files(self) -> bool:
        """Tell whether the prompts are files on disk here; a bare repository has none."""
        return self._repository is None or self._repository.workdir is not None

    @property
    def writable_branch(self) -> str:
        """The branch that prompts are written to.

        Raises:
            ReadOnlyError: There is none: HEAD is detached, or this is a plain folder.
        """
        repository, _ = self._require_writable()
        branch = self.branch or repository.head_branch()
        if branch is None:
            raise ReadOnlyError(
                path=str(self.path),
                reason="HEAD is detached, so there is no branch to commit to. Run "
                "`git switch BRANCH`, or name a branch.",
            )
        return branch

    def position(self) -> Position:
        """Tell where the branch and the labels are at this moment, reading no prompt.

        Raises:
            RevisionNotFoundError: The branch is no more.
            HistoryUnavailableError: This is a plain folder, which has no branch.
        """
        state = self._require_state()
        return Position(state.tip, state.labels)

    def working_snapshot(self) -> Snapshot:
        """Take all prompts as the files on disk are at this moment, uncommitted edits included.

        Raises:
            InvalidArgumentError: The repository is bare, so there are no files.
        """
        if not self.has_files:
            raise InvalidArgumentError(
                message=f"{self.path} is a bare repository, which has no files on disk"
            )
        state = self._state()
        source = FolderSource(self.path, self.root, self._repository)
        return self._new_snapshot(source, state, state.tip)

    def labels(self, at: datetime | None = None) -> LabelTable:
        """Read all labels.

        Args:
            at: A time with a time zone: the labels as they were then. None is this moment.
        """
        state = self._state()
        if at is not None and self._repository is not None:
            _check_zone(at)
            state = state._replace(labels=labels_at(self._repository, state.labels, at))
        return self._labels_at(state)

    def draft(self, edits: Mapping[str, Edit]) -> Snapshot:
        """Take all prompts as they would be after edits, without writing anything.

        Args:
            edits: The edits by prompt name; see `commit`.

        Returns:
            A snapshot of the branch with the edits; what changes has no version yet.

        Raises:
            PromptStoreError: An edit cannot be made; see `commit`.
        """
        from promptstore.store.edits import plan_edits

        self._require_writable()
        base = self._tip_snapshot(self._require_state())
        planned = plan_edits(base, self.root, edits)
        files = {
            file.name: File(file.path, blob_id(file.data), partial(bytes, file.data))
            for file in planned
            if file.changes
        }
        return base.overlaid(files)

    def save(
        self,
        name: str,
        prompt: Prompt | bytes,
        *,
        expected_version: int | None = None,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Create a prompt, or make a new version of it.

        An existing file keeps its comments and layout; only what differs is changed.

        Args:
            name: The prompt's name.
            prompt: Its new content; or the bytes of a prompt file, which are kept as they are.
            expected_version: The version that the caller has seen; 0 for a prompt that is new.
            attribution: See `Attribution`: message, author, committer, trailers.

        Returns:
            The prompt with its version and commit; `Prompt.is_unchanged` where it said that
            already, so that there is no commit.

        Raises:
            ConflictError: The prompt changed meanwhile or is not at the expected version, or its
                file on disk has uncommitted work. Nothing was changed.
            InvalidArgumentError: It is no valid prompt.
            PromptFileError: The bytes are no prompt file.
            TemplateSyntaxError: A text is not a template of its language.
            ReadOnlyError: There is no branch to write to.
            RepositoryLockedError: Another process held a lock for too long.
        """
        return self._commit_one(name, prompt, expected_version, attribution)

    def delete(
        self,
        name: str,
        *,
        reason: str | None = None,
        replaced_by: str | None = None,
        expected_version: int | None = None,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Set the tombstone of a prompt; its text stays in the file and in history.

        Args:
            name: The prompt's name.
            reason: Why, for people who ask for the prompt later.
            replaced_by: The name of the prompt to use instead.
            expected_version: The version that the caller has seen.
            attribution: See `Attribution`.

        Returns:
            The tombstoned prompt.

        Raises:
            PromptNotFoundError: There is no such prompt.
            PromptStoreError: As for `save`.
        """
        from promptstore.store.edits import Deletion

        edit = Deletion(reason, replaced_by)
        return self._commit_one(name, edit, expected_version, attribution)

    def restore(
        self,
        name: str,
        *,
        version: int | None = None,
        expected_version: int | None = None,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Bring a deleted prompt back, or make an old text the newest version.

        Args:
            name: The prompt's name; its file may even have been removed.
            version: The version whose file becomes the newest one, to the byte but for a
                tombstone. None takes off the tombstone.
            expected_version: The version that the caller has seen.
            attribution: See `Attribution`.

        Returns:
            The restored prompt.

        Raises:
            PromptNotFoundError: There never was such a prompt.
            VersionNotFoundError: It has no such version.
            HistoryUnavailableError: Old versions cannot be found here.
            PromptStoreError: As for `save`.
        """
        from promptstore.store.edits import Restoration

        edit = Restoration(version)
        return self._commit_one(name, edit, expected_version, attribution)

    def commit(
        self,
        edits: Mapping[str, Edit],
        *,
        expected_versions: Mapping[str, int] | None = None,
        base: Snapshot | None = None,
        **attribution: Unpack[Attribution],
    ) -> dict[str, Prompt]:
        """Edit many prompts in one commit, or none of them.

        Args:
            edits: By prompt name a `Prompt` or the bytes of a file to save, a `Deletion` or a
                `Restoration`.
            expected_versions: See `save`, by prompt name.
            base: The snapshot that the edits were made for: a prompt that changed since is a
                conflict. None is the branch as it is now.
            attribution: See `Attribution`.

        Returns:
            The prompts by name, as of the commit.

        Raises:
            ConflictError: With the names of the prompts that are in the way.
            PromptStoreError: As for `save`, `delete` and `restore`.
        """
        # Who only reads need not wait until the writing part is loaded.
        from promptstore.store.writing import Writer

        repository, watcher = self._require_writable()
        state = watcher.refresh().state
        if base is None:
            base = self._tip_snapshot(state)
        # The title is the branch's name, unless HEAD is detached.
        branch = state.title if state.title != "HEAD" else self.writable_branch

        def snapshot_at(tip: str | None) -> Snapshot:
            # Others wait for the write lock by then, so nothing else is looked at again.
            return self._tip_snapshot(state._replace(tip=tip))

        writer = Writer(repository, branch, self.root, self._lock_timeout, snapshot_at)
        written = writer.write(base, edits, expected_versions or {}, attribution)
        watcher.invalidate()
        result = self._tip_snapshot(state._replace(tip=written.commit))
        prompts = {name: result.read(name, deleted=True) for name in edits}
        return {
            name: prompt if name in written.changed else identified(prompt, is_unchanged=True)
            for name, prompt in prompts.items()
        }

    def set_label(
        self,
        name: str,
        label: str,
        *,
        version: int | None = None,
        rev: Rev | None = None,
        expected: int | None = None,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Point a label at a version of a prompt; see `set_labels`.

        Args:
            name: The prompt's name.
            label: The label, such as ``production``.
            version: The version; None is the newest one.
            rev: The rev or time to take the newest version of instead. Not with a version.
            expected: The version that the label must point at now; 0 for none.
            attribution: See `Attribution`.

        Returns:
            The prompt as the label gives it from now on.

        Raises:
            ConflictError: The label points at another version by now. Nothing was changed.
            PromptStoreError: As for `set_labels`.
        """
        _check_selection(version, None, rev)
        wanted = {} if expected is None else {name: expected}
        target = rev if version is None else version
        return self.set_labels(label, {name: target}, expected=wanted, **attribution)[name]

    def set_labels(
        self,
        label: str,
        versions: Mapping[str, int | Rev | None],
        *,
        expected: Mapping[str, int] | None = None,
        **attribution: Unpack[Attribution],
    ) -> dict[str, Prompt]:
        """Point a label at versions of many prompts in one commit.

        A version named by number is read at the commit that made it, the newest one at the tip of
        the branch (or the rev) as it is now, includes too.

        Args:
            label: The label.
            versions: By prompt name the version's number; or a rev or time, whose newest version
                it is; or None for the newest one of the branch.
            expected: The version that the label must point at now, by prompt name; 0 for none.
            attribution: See `Attribution`.

        Returns:
            The prompts as the label gives them from now on.

        Raises:
            InvalidArgumentError: The label's name cannot be one.
            PromptNotFoundError: There is no such prompt, or it is deleted.
            VersionNotFoundError: It has no such version.
            HistoryUnavailableError: Versions cannot be counted here.
            ConflictError: The label was moved meanwhile, or is not at the expected version.
            RepositoryError: As for `save`.
        """
        check_label(label)
        self._require_history(self._require_state())
        targets = {name: self._target(name, wanted) for name, wanted in versions.items()}
        self._move_label(label, targets, expected, attribution)
        state = self._require_state()
        return {name: self._get_labelled(state, name, label) for name in targets}

    def remove_label(
        self,
        name: str,
        label: str,
        *,
        expected: int | None = None,
        **attribution: Unpack[Attribution],
    ) -> None:
        """Take a label off a prompt; see `remove_labels`.

        Args:
            name: The prompt's name.
            label: The label.
            expected: The version that the label must point at now.
            attribution: See `Attribution`.

        Raises:
            PromptStoreError: As for `remove_labels`.
        """
        wanted = {} if expected is None else {name: expected}
        self.remove_labels(label, [name], expected=wanted, **attribution)

    def remove_labels(
        self,
        label: str,
        names: Sequence[str],
        *,
        expected: Mapping[str, int] | None = None,
        **attribution: Unpack[Attribution],
    ) -> None:
        """Take a label off many prompts in one commit.

        Args:
            label: The label.
            names: The prompts' names; they may be deleted.
            expected: The version that the label must point at now, by prompt name.
            attribution: See `Attribution`.

        Raises:
            LabelNotFoundError: A prompt does not have the label.
            ConflictError: The label was moved meanwhile.
            RepositoryError: As for `save`.
        """
        check_label(label)
        self._move_label(label, dict.fromkeys(names), expected, attribution)

    def label_history(
        self, label: str | None = None, name: str | None = None
    ) -> builtins.list[LabelMove]:
        """List the moves of labels, newest first.

        Args:
            label: Only this label's.
            name: Only those for this prompt.

        Returns:
            The moves: who pointed which label from which version to which, when and why.
        """
        commit = labels_commit(self._repository) if self._repository else None
        if commit is None or self._moves is None:
            return []
        return [
            move
            for move in self._moves.moves(commit)
            if label in (None, move.label) and name in (None, move.name)
        ]

    def _commit_one(
        self, name: str, edit: Edit, expected_version: int | None, attribution: Attribution
    ) -> Prompt:
        expected = {} if expected_version is None else {name: expected_version}
        return self.commit({name: edit}, expected_versions=expected, **attribution)[name]

    def _require_writable(self) -> tuple[Repository, RefWatcher]:
        if self._repository is None or self._watcher is None:
            raise ReadOnlyError(
                path=str(self.path), reason="this is a plain folder. Run `git init` in it."
            )
        return self._repository, self._watcher

    def _target(self, name: str, wanted: int | Rev | None) -> Target:
        """Find what a label is to point at."""
        if isinstance(wanted, int):
            _check_selection(wanted, None, None)
            prompt = self._get_version(self._require_state(), check_name(name), wanted)
            if prompt.deleted:
                raise self.snapshot(prompt.snapshot_commit).deleted(prompt)
        else:
            commit = None if wanted is None else self._resolve(wanted)
            prompt = self._at(commit or self._require_state().tip).read(name)
        if prompt.version is None or prompt.snapshot_commit is None:
            raise HistoryUnavailableError(reason="so a label has no version to point at.")
        return Target(prompt.version, prompt.snapshot_commit)

    def _move_label(
        self,
        label: str,
        targets: Mapping[str, Target | None],
        expected: Mapping[str, int] | None,
        attribution: Attribution,
    ) -> None:
        from promptstore.store.writing import LabelWriter

        repository = self._require_repository()
        writer = LabelWriter(repository, self._lock_timeout)
        writer.move(label, targets, expected or {}, attribution)
        if self._watcher:
            self._watcher.invalidate()

    def _labelled(self, label: str) -> Snapshot:
        state = self._state()
        targets = self._labels_at(state).of_label(label)

        def find(name: str) -> File | None:
            return self._snapshot(state, targets[name].commit, label).find(name)

        return LabelledSnapshot(
            LabelSource(label, targets, find),
            read=partial(self._get_labelled, state, label=label),
            cache=self._cache,
            labels=self._labels_at(state),
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

    def _get(self, cached: CachedState | None, key: QueryKey) -> Prompt:
        name, version, label, rev, deleted = key
        check_name(name)
        _check_selection(version, label, rev)
        state = cached.state if cached else _NOWHERE
        if version is not None:
            prompt = self._get_version(state, name, version)
        elif label is not None:
            prompt = self._get_labelled(state, name, label)
        elif rev is None and self._reads_files:
            return self.working_snapshot().load(name, deleted=deleted)
        else:
            prompt = self._snapshot_of(state, rev).load(name, deleted=deleted)
        if cached and (rev is None or _fixes_a_commit(rev)):
            # Nothing but the state, and objects that never change, went into it.
            cached.keep(key, prompt)
        return prompt

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
        target = self._labels_at(state).find(label, name)
        prompt = self._snapshot(state, target.commit, label).load(name, deleted=True)
        if prompt.version not in (None, target.version):
            raise contradiction(label, name, target, prompt.version)
        return identified(prompt, label=label)

    def _fall_back(self, name: str, fallback: Prompt | str, error: Exception) -> Prompt:
        if name not in self._announced:
            self._announced.add(name)
            import logging

            log = logging.getLogger("promptstore")
            log.warning("using the fallback for the prompt %r: %s", name, error)
        content = to_prompt(fallback)
        return own_copy(identified(content, name=name, is_fallback=True, limits=self._limits))

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
            labels=self._labels_at(state),
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
        return self._watcher.current().state if self._watcher else _NOWHERE

    def _require_state(self) -> RefState:
        self._require_repository()
        return self._state()

    def _require_history(self, state: RefState) -> History | None:
        """Give the history of the branch; None while it has no commit."""
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
        _check_zone(time)
        history = self._require_history(self._require_state())
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
        name=name,
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


def _check_zone(time: datetime) -> None:
    if time.tzinfo is None:
        raise InvalidArgumentError(
            message=f"the time {time.isoformat()} has no time zone; "
            "say which one, for example with `.astimezone()`"
        )


def _fixes_a_commit(rev: Rev) -> bool:
    return isinstance(rev, str) and _COMMIT_ID.fullmatch(rev) is not None
