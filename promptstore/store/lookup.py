"""Which prompt is meant, in a state of the branch and the labels; and who made its versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, TypeAlias

from promptstore.errors import (
    HistoryUnavailableError,
    LabelNotFoundError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    ReadOnlyError,
    RepositoryError,
    RevisionNotFoundError,
    VersionNotFoundError,
)
from promptstore.git.objects import Commit
from promptstore.history.backend import Backend, RefState, RepositoryBackend
from promptstore.history.cache import ContentCache
from promptstore.history.labels import LabelTable, contradiction
from promptstore.history.sources import EmptySource, File, LabelSource, Source
from promptstore.history.versions import Change, Timeline
from promptstore.model.prompt import Prompt, another_copy, identified, own_copy
from promptstore.model.values import SUFFIX, check_name
from promptstore.model.versions import PromptInfo, Version
from promptstore.store.arguments import check_arguments, check_selection, check_zone
from promptstore.store.snapshot import Snapshot
from promptstore.template import Limits

Rev: TypeAlias = str | datetime
"""Anything git can resolve to a commit, or a time (with a time zone): the newest commit then."""

Question: TypeAlias = tuple[Any, ...]
"""What `PromptStore.get` is asked, and in which state."""

_KEPT_SNAPSHOTS: Final = 16
_KEPT_PROMPTS: Final = 512
_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}")


def make_question(
    state: RefState,
    name: str,
    version: int | None,
    label: str | None,
    rev: Rev | None,
    deleted: bool,
) -> Question:
    """Return what `PromptStore.get` is asked, which equals no question with a wrong argument."""
    # To Python True is 1.
    return state, name, version, type(version), label, rev, deleted, type(deleted)


class History(NamedTuple):
    """What tells the versions of the prompts of a snapshot.

    Attributes:
        tip: The snapshot's commit.
        backend: Where their commits and files are.
        cache: Where their parsed files are kept.
    """

    tip: str
    backend: Backend
    cache: ContentCache

    @property
    def timeline(self) -> Timeline:
        """The versions as of the snapshot's commit."""
        return self.backend.timeline(self.tip)

    def is_tombstone(self, blob: str) -> bool:
        """Whether a version's file says that the prompt is deleted; a broken one does not."""
        data = self.backend.blob(blob)
        # Without this word and without an escape no file is a tombstone: most need no parsing.
        if b"deleted" not in data and b"\\" not in data:
            return False
        try:
            return self.cache.read(File(blob, blob, partial(bytes, data))).deleted
        except PromptFileError:
            return False

    def version(self, name: str, change: Change, labels: LabelTable) -> Version:
        """Return one version of a prompt, with the labels that point at it."""
        commit = self.backend.commit(change.commit)
        return Version(
            name=name,
            number=change.number,
            commit=commit.id,
            author=commit.author,
            committed_at=commit.committed_at,
            message=commit.message,
            blob=change.blob,
            deleted=change.entry is None or self.is_tombstone(change.entry.id),
            labels=_labels_of(labels, name, change.number),
        )

    def tombstone(self, name: str) -> Commit | None:
        """Return the commit that set the tombstone, which later edits may have followed."""
        tombstone: Change | None = None
        for change in self.timeline.history(name):
            if change.entry is None or not self.is_tombstone(change.entry.id):
                break
            tombstone = change
        return self.backend.commit(tombstone.commit) if tombstone else None

    def removal_note(self, name: str) -> str:
        """Return who removed the file of a prompt and when, in a sentence; else nothing."""
        change = self.timeline.latest(name)
        if change is None or change.entry is not None:
            return ""
        commit = self.backend.commit(change.commit)
        return (
            f"Its file was removed on {commit.committed_at.isoformat()} by {commit.author} "
            f"(commit {commit.id[:7]}); version {change.number - 1} can still be read."
        )

    def find(self, name: str, number: int, *, has_file: bool = False) -> Change:
        """Return the change that made one version of a prompt.

        Raises:
            VersionNotFoundError: It has no such version, or none with a file where that is asked.
        """
        change = self.timeline.nth(name, number)
        if change is None or (has_file and change.entry is None):
            latest = self.timeline.latest(name)
            raise VersionNotFoundError(
                name=name,
                version=number,
                latest=latest.number if latest else 0,
                removed=change is not None,
            )
        return change

    def info(self, name: str, made: Change | None, labels: LabelTable) -> PromptInfo:
        """Return who made a version of a prompt, and its first one."""
        return self._info(name, self.timeline.nth(name, 1), made, labels)

    def infos(self, blobs: Mapping[str, str], labels: LabelTable) -> dict[str, PromptInfo]:
        """Return `info` of the newest versions of prompts, where their files hold these."""
        first, latest = self.timeline.first_of_all(), self.timeline.latest_of_all()
        # The file on disk may differ from the newest commit.
        made = {name: latest[name] for name in latest if latest[name].blob == blobs.get(name)}
        return {name: self._info(name, first.get(name), made.get(name), labels) for name in blobs}

    def _info(
        self, name: str, first: Change | None, made: Change | None, labels: LabelTable
    ) -> PromptInfo:
        if first is None or made is None:
            return PromptInfo(name=name)
        born, commit = self.backend.commit(first.commit), self.backend.commit(made.commit)
        return PromptInfo(
            name=name,
            version=made.number,
            commit=made.commit,
            created_at=born.committed_at,
            created_by=born.author,
            updated_at=commit.committed_at,
            updated_by=commit.author,
            labels=_labels_of(labels, name, made.number),
        )


class Lookup:
    """Finds snapshots, versions and what labels point at. Threads may share it.

    Args:
        backend: Where everything is read from.
        limits: The limits of renders.
        reads_files: Whether the newest prompts are those on disk, uncommitted edits included.
    """

    def __init__(self, backend: Backend, limits: Limits, *, reads_files: bool = False) -> None:
        self.backend = backend
        self.limits = limits
        self.reads_files = reads_files
        self._cache = ContentCache()
        self._kept: dict[Question, Prompt] = {}
        # It may be asked by several threads, and keeps what was asked for last.
        self._snapshots = lru_cache(maxsize=_KEPT_SNAPSHOTS)(self._make_snapshot)

    def get(
        self,
        name: str,
        version: int | None,
        label: str | None,
        rev: Rev | None,
        at: datetime | None,
        deleted: bool,
    ) -> Prompt:
        """Return a copy of the prompt that is asked for; most calls ask what was asked before."""
        state = self.backend.state()
        question = make_question(state, name, version, label, rev, deleted)
        if at is None and (known := self.known(question)):
            return another_copy(known)
        check_name(name)
        check_arguments(deleted=deleted)
        check_selection(version=version, label=label, rev=rev, at=at)
        if at is not None:
            state = self.state(at)
            question = (state, *question[1:])
        if version is not None:
            prompt = self.version(state, name, version)
        elif label is not None:
            prompt = self.labelled(state, name, label)
        elif rev is None and self.reads_files:
            return self.working().read(name, deleted=deleted)
        else:
            try:
                prompt = self.of_rev(state, rev).load(name, deleted=deleted)
            except PromptNotFoundError as error:
                if not isinstance(error, PromptDeletedError):
                    error.note = error.note or self._uncommitted_note(name)
                raise
        copy = own_copy(prompt)
        if rev is None or (isinstance(rev, str) and _COMMIT_ID.fullmatch(rev)):
            # Nothing but the question, and objects that never change, went into it.
            if len(self._kept) >= _KEPT_PROMPTS:
                self._kept = {}  # another one, as a thread may be reading the old one
            self._kept[question] = copy
        return another_copy(copy)

    def known(self, question: Question) -> Prompt | None:
        """Return what `get` makes a copy of, as it was asked this before; or None."""
        try:
            return self._kept.get(question)
        except TypeError:
            return None  # what has no hash is refused

    def state(self, at: datetime | None = None) -> RefState:
        """Return where the branch is now, and where the labels are, or were at a time."""
        state = self.backend.state()
        if at is None:
            return state
        check_zone(at)
        return self.backend.state_at(state, at)

    def writable(self) -> RepositoryBackend:
        """Return the branch that can be written to."""
        if not isinstance(self.backend, RepositoryBackend):
            place = self.backend.path
            advice = "Run `git init` in it" if place.is_dir() else "Write in a clone"
            raise ReadOnlyError(
                path=str(place),
                reason=f"this is no git repository, so there is no branch to commit to. {advice}.",
            )
        if self.backend.remote:
            raise ReadOnlyError(
                path=str(self.backend.path),
                reason=f"{self.backend.branch} follows a remote, so only a fetch moves it. Write "
                "in a clone, to a branch of its own, and push that.",
            )
        return self.backend

    def working(self) -> Snapshot:
        """Return the prompts as the files on disk are at this moment."""
        return self._new(self.backend.working_files(), self.state())

    def tip(self, state: RefState) -> Snapshot:
        """Return the prompts at the tip of the branch."""
        if state.tip is None:
            return self._new(EmptySource(f"{state.title} (no commits yet)"), state)
        return self._snapshots(state, state.title)

    def at(self, state: RefState, commit: str, title: str) -> Snapshot:
        """Return the prompts as of a commit; the title says what it was asked for by."""
        return self._snapshots(state._replace(tip=commit), title)

    def of_rev(self, state: RefState, rev: Rev | None) -> Snapshot:
        """Return the prompts as of a rev or time; None is the tip."""
        if rev is None:
            return self.tip(state)
        title = rev.isoformat() if isinstance(rev, datetime) else rev
        return self.at(state, self.resolve(rev), title)

    def of_label(self, state: RefState, label: str) -> Snapshot:
        """Return the prompts that have a label."""
        with self._explained(state):
            targets = self.backend.labels(state).of_label(label)

        def find(name: str) -> File | None:
            return self.at(state, targets[name].commit, label).find(name)

        return Snapshot(
            LabelSource(label, targets, find),
            cache=self._cache,
            history=None,
            labels=partial(self.backend.labels, state),
            limits=self.limits,
            read=partial(self.labelled, state, label=label),
        )

    def version(self, state: RefState, name: str, number: int) -> Prompt:
        """Return a version of a prompt, read as of the commit that made it."""
        history = self.require_history(state)
        if history is None or history.timeline.latest(name) is None:
            raise self.tip(state).not_found(name)
        change = history.find(name, number, has_file=True)
        return self.at(state, change.commit, f"version {number}").load(name, deleted=True)

    def labelled(self, state: RefState, name: str, label: str) -> Prompt:
        """Return a prompt as a label gives it."""
        with self._explained(state):
            return self._labelled(state, name, label)

    @contextmanager
    def _explained(self, state: RefState) -> Iterator[None]:
        """Say of a label that cannot be followed that this is so for want of history."""
        try:
            yield
        except (LabelNotFoundError, RepositoryError) as error:
            reason = self.backend.why_no_versions(state)
            if not reason:
                raise
            raise HistoryUnavailableError(reason=reason) from error

    def _labelled(self, state: RefState, name: str, label: str) -> Prompt:
        try:
            target = self.backend.labels(state).find(label, name)
        except LabelNotFoundError as error:
            newest = self.tip(state)
            if newest.find(name):
                error.replaced_by = newest.load(name, deleted=True).replaced_by
            raise
        prompt = self.at(state, target.commit, label).load(name, deleted=True)
        if prompt.version not in (None, target.version):
            raise contradiction(label, name, target, prompt.version)
        return identified(prompt, label=label)

    def require_history(self, state: RefState) -> History | None:
        """Return the history of the branch; None while it has no commit.

        Raises:
            HistoryUnavailableError: Versions cannot be counted here.
        """
        reason = self.backend.why_no_versions(state)
        if reason:
            raise HistoryUnavailableError(reason=reason)
        return self._history(state)

    def resolve(self, rev: Rev) -> str:
        """Return the id of the commit that a rev or time names."""
        if isinstance(rev, str):
            return self.backend.resolve(rev)
        check_zone(rev)
        history = self.require_history(self.state())
        commit = history.timeline.commit_at(rev.timestamp()) if history else None
        if commit is None:
            raise RevisionNotFoundError(
                rev=rev.isoformat(),
                reason="the branch has no commit that old",
                advice="Name a later time.",
            )
        return commit

    def _uncommitted_note(self, name: str) -> str:
        """Return that the file of a prompt is there but not committed, where it is so."""
        path = f"{self.backend.root}/{name}{SUFFIX}".removeprefix("/")
        if not self.backend.has_files or not (self.backend.path / path).is_file():
            return ""
        return (
            f"The file {path} is there, but not committed: `promptstore save {path}` commits it, "
            "and --worktree (worktree=True) reads it as it is."
        )

    def _make_snapshot(self, state: RefState, title: str) -> Snapshot:
        return self._new(self.backend.files(state.tip or "", title), state)

    def _new(self, source: Source, state: RefState) -> Snapshot:
        return Snapshot(
            source,
            cache=self._cache,
            history=self._history(state),
            labels=partial(self.backend.labels, state),
            limits=self.limits,
        )

    def _history(self, state: RefState) -> History | None:
        if state.tip is None or self.backend.why_no_versions(state):
            return None
        # The index is brought up to it when it is asked: the text of a prompt needs no versions.
        return History(state.tip, self.backend, self._cache)


def _labels_of(table: LabelTable, name: str, number: int) -> tuple[str, ...]:
    """List the labels that point a prompt at a version, sorted."""
    of_name = {label: names[name] for label, names in table.targets.items() if name in names}
    return tuple(sorted(label for label in of_name if of_name[label].version == number))
