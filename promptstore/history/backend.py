"""Where a store gets its commits, files, versions and labels from.

A branch of a repository is one such place, a plain folder another. A store knows no third kind of
thing: what can answer the questions of `Backend` can be opened as a store.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    ReadOnlyError,
    RevisionNotFoundError,
)
from promptstore.git.objects import EMPTY_TREE, Commit
from promptstore.git.reading import Repository
from promptstore.git.revs import resolve_rev
from promptstore.history.labels import (
    BRANCH,
    LabelMove,
    LabelTable,
    label_moves,
    labels_at,
    read_labels,
)
from promptstore.history.sources import File, FolderSource, Source, without_skills
from promptstore.history.versions import Progress, Timeline, VersionIndex
from promptstore.model.values import SUFFIX, is_name, is_unicode

_BUNDLE: Final = "make a file that has them with `promptstore bundle build` in a whole clone"


class RefState(NamedTuple):
    """What an answer depends on beside objects, which never change.

    Attributes:
        tip: The branch's newest commit, or None where it has none.
        title: The branch's name, or ``HEAD`` where that is detached.
        labels: The newest commit of the labels branch, or None.
        is_shallow: Whether older commits were left out when the repository was cloned.
    """

    tip: str | None = None
    title: str = ""
    labels: str | None = None
    is_shallow: bool = False


class CommitSource(Source):
    """The prompt files in the tree of a commit.

    Args:
        repository: The repository.
        root: The prompts' folder, as a path within the repository; empty for its top.
        commit: The commit's id.
        title: What it was asked for by, for example ``main``.
    """

    def __init__(self, repository: Repository, root: str, commit: str, title: str) -> None:
        self.commit = commit
        self.place = f"{title} ({commit[:7]})" if title != commit else commit[:12]
        self._repository = repository
        self._root = root
        entry = repository.find(repository.commit(commit).tree, root)
        self._tree = entry.id if entry and entry.is_tree else EMPTY_TREE

    def names(self) -> list[str]:
        """List the names of all files, sorted, without reading any."""
        return list(self.blobs())

    def blobs(self) -> dict[str, str]:
        """Return the blob of every file by its name, in the order of `names`, reading none."""
        found = {
            path.removesuffix(SUFFIX): entry.id
            for path, entry in without_skills(self._repository.files(self._tree))
            if entry.is_file and path.endswith(SUFFIX)
        }
        return {name: found[name] for name in sorted(found) if is_name(name)}

    def find(self, name: str) -> File | None:
        """Find the regular file of a prompt."""
        entry = self._repository.find(self._tree, name + SUFFIX) if is_name(name) else None
        if entry is None or not entry.is_file or ("/" in name and self.skill_around(name)):
            return None
        read = partial(self._repository.blob, entry.id)
        return File(self._path(name + SUFFIX), entry.id, read)

    def unrecognized(self) -> list[str]:
        """List the paths of files that look like prompts but have no name that can be asked for."""
        return sorted(
            self._path(path)
            for path, entry in without_skills(self._repository.files(self._tree))
            if path.endswith((SUFFIX, ".yml"))
            and is_unicode(path)
            and not (entry.is_file and path.endswith(SUFFIX) and is_name(path.removesuffix(SUFFIX)))
        )

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}" if self._root else path

    def _holds(self, path: str) -> bool:
        return self._repository.find(self._tree, path) is not None


class OverlaidSource(Source):
    """A set of files with some of them replaced, which exist nowhere yet.

    Args:
        source: The files underneath.
        files: The new files by prompt name.
    """

    def __init__(self, source: Source, files: Mapping[str, File]) -> None:
        self.commit = source.commit
        self.place = f"{source.place} with edits"
        self._source = source
        self._files = files

    def names(self) -> list[str]:
        """List the names of all files, sorted, without reading any."""
        return sorted({*self._source.names(), *self._files})

    def find(self, name: str) -> File | None:
        """Find the regular file of a prompt."""
        return self._files.get(name) or self._source.find(name)

    def unrecognized(self) -> list[str]:
        """List the paths of files that look like prompts but have no name that can be asked for."""
        return self._source.unrecognized()


class Backend:
    """What a store reads from. This one answers for a place that has files only, and no git.

    Args:
        path: Where it is.
        root: The prompts' folder in it; empty for its top.

    Attributes:
        has_commits: Whether it has commits, and prompts are read from the newest one.
        remote: The remote whose branch is read, or None where it is no such branch.
    """

    has_commits = False
    remote: str | None = None

    def __init__(self, path: Path, root: str) -> None:
        self._path = path
        self.root = root

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    @property
    def has_files(self) -> bool:
        """Whether the prompts are files on disk, which people edit."""
        return True

    def known_state(self) -> RefState | None:
        """Return the state where that is in memory, and new enough."""
        return None

    def state(self) -> RefState:
        """Return where the branch and the labels are at this moment."""
        return RefState()

    def why_no_versions(self, _state: RefState) -> str:
        """Return why versions cannot be counted and what helps, or an empty string."""
        return (
            f"{self.path} is a plain folder without git, so there are neither versions nor labels. "
            f"Copy `.git` along, or {_BUNDLE}."
        )

    def working_files(self) -> Source:
        """Return the files on disk as they are at this moment, where there are any."""
        return FolderSource(self.path, self.root, None)

    def files(self, _commit: str, _title: str) -> Source:
        """Return the files of a commit; the title says what it was asked for by."""
        raise self._unavailable()

    def timeline(self, _tip: str) -> Timeline:
        """Return the versions as of a commit, which are looked up when they are asked for."""
        raise self._unavailable()

    def commit(self, _commit_id: str) -> Commit:
        """Return who made a commit, when and why."""
        raise self._unavailable()

    def blob(self, _blob_id: str) -> bytes:
        """Return the content of a file of any commit by its id."""
        raise self._unavailable()

    def resolve(self, _rev: str) -> str:
        """Return the id of the commit that a rev names."""
        raise self._unavailable()

    def labels(self, _state: RefState) -> LabelTable:
        """Return all labels in a state."""
        return LabelTable()

    def state_at(self, state: RefState, _time: datetime) -> RefState:
        """Return a state in which the labels are where they were at a time."""
        return state

    def label_moves(self) -> Sequence[LabelMove]:
        """List every move of a label, newest first."""
        return ()

    def _unavailable(self) -> HistoryUnavailableError:
        return HistoryUnavailableError(reason=self.why_no_versions(self.state()))


class RepositoryBackend(Backend):
    """A branch of a repository. Threads may share it.

    Args:
        repository: The repository.
        root: The prompts' folder in it; empty for its top.
        branch: The branch, or None for whatever HEAD is.
        refresh_interval: How old a state may be, in seconds; 0 asks git each time.
        progress: See `VersionIndex`.
        remote: The remote whose branch this is, or None for a branch of this repository.
    """

    has_commits = True

    def __init__(
        self,
        repository: Repository,
        root: str,
        branch: str | None = None,
        refresh_interval: float = 0.0,
        progress: Progress | None = None,
        remote: str | None = None,
    ) -> None:
        super().__init__(repository.git_dir, root)
        self.repository = repository
        self.branch = branch
        self.remote = remote
        self._interval = refresh_interval
        self._progress = progress
        self._index: VersionIndex | None = None
        self._validity = object()
        # What belongs together is one value, so that threads never see half of it.
        self._labels: tuple[str | None, LabelTable] = (None, LabelTable())
        self._seen: tuple[object, float, RefState] = (None, 0.0, RefState())

    @property
    def path(self) -> Path:
        """The top of the working tree, or the bare repository."""
        return self.repository.workdir or self.repository.git_dir

    @property
    def has_files(self) -> bool:
        """Whether there is a working tree; a bare repository has none."""
        return self.repository.workdir is not None

    def state(self) -> RefState:
        """Return where the branch and the labels are, no longer ago than the interval."""
        return self.known_state() or self.refresh()

    def known_state(self) -> RefState | None:
        """Return the state where git was asked no longer ago than the interval."""
        validity, until, state = self._seen
        return state if validity is self._validity and time.monotonic() < until else None

    def refresh(self) -> RefState:
        """Return the state, asking git in any case.

        Raises:
            RevisionNotFoundError: The branch is no more.
            RepositoryError: A reference is damaged.
        """
        # An invalidation while git is asked makes the answer count as old.
        validity, until = self._validity, time.monotonic() + self._interval
        repository = self.repository
        repository.refresh()
        if self.branch is None:
            head = repository.head()
            title, tip = head.branch or "HEAD", head.tip
        elif self.remote is None:
            title, tip = self.branch, repository.tip(self.branch)
        else:
            # A local branch of the same name must not pass for what was fetched.
            title, tip = self.branch, repository.branch_tip(f"refs/remotes/{self.branch}")
            if tip is None:
                raise RevisionNotFoundError(rev=self.branch, reason="no such branch")
        labels = labels_commit(repository, self.remote)
        state = RefState(tip, title, labels, repository.is_shallow)
        self._seen = (validity, until, state)
        return state

    def writable_branch(self) -> str:
        """Return the branch that is written to.

        Raises:
            ReadOnlyError: There is none, as HEAD is detached.
        """
        branch = self.branch or self.repository.head().branch
        if branch is None:
            raise ReadOnlyError(
                path=str(self.path),
                reason="HEAD is detached, so there is no branch to commit to. Run "
                "`git switch BRANCH`, or name a branch.",
            )
        return branch

    def invalidate(self) -> None:
        """Ask git in any case when the state is wanted next."""
        self._validity = object()

    def why_no_versions(self, state: RefState) -> str:
        """Return why versions cannot be counted and what helps, or an empty string."""
        if not state.is_shallow:
            return ""
        return (
            "the clone is shallow, so older commits and maybe labels are not here. "
            "`git fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*'` brings them; or "
            f"{_BUNDLE}."
        )

    def working_files(self) -> Source:
        """Return the files on disk as they are at this moment.

        Raises:
            InvalidArgumentError: The repository is bare.
        """
        if not self.has_files:
            raise InvalidArgumentError(
                message=f"{self.path} is a bare repository, which has no files on disk"
            )
        return FolderSource(self.path, self.root, self.repository)

    def files(self, commit: str, title: str) -> Source:
        """Return the files of a commit; the title says what it was asked for by."""
        return CommitSource(self.repository, self.root, commit, title)

    def timeline(self, tip: str) -> Timeline:
        """Return the versions as of a commit, which are looked up when they are asked for."""
        if self._index is None:
            self._index = VersionIndex(self.repository, self.root, self._progress)
        return Timeline(tip, self._index)

    def commit(self, commit_id: str) -> Commit:
        """Return who made a commit, when and why."""
        return self.repository.commit(commit_id)

    def blob(self, blob_id: str) -> bytes:
        """Return the content of a file of any commit by its id."""
        return self.repository.blob(blob_id)

    def resolve(self, rev: str) -> str:
        """Return the id of the commit that a rev names.

        Raises:
            RevisionNotFoundError: It names none.
        """
        return resolve_rev(self.repository, rev)

    def labels(self, state: RefState) -> LabelTable:
        """Return all labels in a state."""
        commit, table = self._labels
        if commit != state.labels:
            table = read_labels(self.repository, state.labels) if state.labels else LabelTable()
            self._labels = (state.labels, table)
        return table

    def state_at(self, state: RefState, time: datetime) -> RefState:
        """Return a state in which the labels are where they were at a time."""
        return state._replace(labels=labels_at(self.repository, state.labels, time))

    def label_moves(self) -> Sequence[LabelMove]:
        """List every move of a label, newest first."""
        commit = labels_commit(self.repository, self.remote)
        return label_moves(self.repository, commit) if commit else ()


def labels_commit(repository: Repository, remote: str | None = None) -> str | None:
    """Return the newest commit of the labels branch, the remote's where there is no local one.

    Args:
        repository: The repository.
        remote: A remote, whose labels are wanted and no others.

    Raises:
        RepositoryError: A reference is damaged, which must not pass for its absence.
    """
    own = None if remote else repository.branch_tip(f"refs/heads/{BRANCH}")
    return own or repository.branch_tip(f"refs/remotes/{remote or 'origin'}/{BRANCH}")
