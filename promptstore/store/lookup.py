"""Which snapshot, version or label's prompt is meant, in a state of the branch and the labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache, partial
from typing import Final, TypeAlias

from promptstore.errors import (
    HistoryUnavailableError,
    LabelNotFoundError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    ReadOnlyError,
    RepositoryError,
    RevisionNotFoundError,
)
from promptstore.history.backend import Backend, RefState, RepositoryBackend
from promptstore.history.cache import ContentCache
from promptstore.history.labels import LabelTable, Target, contradiction
from promptstore.history.sources import EmptySource, File, LabelSource, Source
from promptstore.model.prompt import Prompt, identified
from promptstore.model.values import SUFFIX, check_name, near_matches
from promptstore.store.arguments import check_zone
from promptstore.store.history import History
from promptstore.store.snapshot import Snapshot
from promptstore.template import Limits

Rev: TypeAlias = str | datetime
"""Anything git can resolve to a commit, or a time (with a time zone): the newest commit then."""

Query: TypeAlias = tuple[RefState, str, int | None, str | None, Rev | None, bool]
"""What `PromptStore.get` is asked, and in which state: name, version, label, rev, and whether
deleted ones count."""

_KEPT_SNAPSHOTS: Final = 16
_KEPT_PROMPTS: Final = 512
_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}")


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


class Lookup:
    """Finds snapshots, versions and what labels point at. Threads may share it.

    Args:
        backend: Where everything is read from.
        limits: The limits of renders.
    """

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self.backend = backend
        self.limits = limits
        self._cache = ContentCache()
        self._kept: dict[Query, Prompt] = {}
        # It may be asked by several threads, and keeps what was asked for last.
        self._snapshots = lru_cache(maxsize=_KEPT_SNAPSHOTS)(self._make_snapshot)

    def get(self, query: Query, *, from_disk: bool) -> Prompt:
        """Return the prompt that is asked for; most calls ask what was asked before."""
        prompt = self._kept.get(query)
        if prompt is not None:
            return prompt
        state, name, version, label, rev, deleted = query
        if version is not None:
            prompt = self.version(state, name, version)
        elif label is not None:
            prompt = self.labelled(state, name, label)
        elif rev is None and from_disk:
            return self.working().load(name, deleted=deleted)
        else:
            try:
                prompt = self.of_rev(state, rev).load(name, deleted=deleted)
            except PromptNotFoundError as error:
                if not isinstance(error, PromptDeletedError):
                    error.note = error.note or self._uncommitted_note(name)
                raise
        if rev is None or (isinstance(rev, str) and _COMMIT_ID.fullmatch(rev)):
            # Nothing but the query, and objects that never change, went into it.
            if len(self._kept) >= _KEPT_PROMPTS:
                self._kept = {}  # another one, as a thread may be reading the old one
            self._kept[query] = prompt
        return prompt

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
        source, state = self.backend.working_files(), self.state()
        return self._new(source, state, state.tip)

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

        return LabelledSnapshot(
            LabelSource(label, targets, find),
            read=partial(self.labelled, state, label=label),
            cache=self._cache,
            labels=partial(self.backend.labels, state),
            limits=self.limits,
        )

    def version(self, state: RefState, name: str, number: int) -> Prompt:
        """Return a version of a prompt, read as of the commit that made it."""
        history = self.require_history(state)
        if history is None or history.timeline.latest(name) is None:
            raise self.unknown(state, name)
        change = history.find(name, number, has_file=True)
        return self.at(state, change.commit, f"version {number}").load(name, deleted=True)

    def labelled(self, state: RefState, name: str, label: str) -> Prompt:
        """Return a prompt as a label gives it."""
        with self._explained(state):
            return self._labelled(state, name, label)

    def known(self, query: Query) -> bool:
        """Return whether `get` answers from memory."""
        return query in self._kept

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

    def target(self, state: RefState, name: str, wanted: int | Rev | None) -> Target:
        """Return what a label points at that is set to a version, a rev or (None) the tip."""
        if isinstance(wanted, int):
            prompt = self.version(state, check_name(name), wanted)
            if prompt.deleted:
                raise self.of_rev(state, prompt.snapshot_commit).deleted(prompt)
        else:
            prompt = self.of_rev(state, wanted).read(name)
        if prompt.version is None or prompt.snapshot_commit is None:
            raise HistoryUnavailableError(reason="so a label has no version to point at.")
        return Target(prompt.version, prompt.snapshot_commit)

    def former_name(self, state: RefState, name: str, commit: str) -> str | None:
        """Return the name of the prompt that a commit replaced by another one, if it did."""
        for other, entry in self.backend.timeline(commit).changed_by(commit).items():
            if other != name and entry is not None and entry.is_file:
                with suppress(PromptFileError):
                    prompt = self.at(state, commit, commit).load(other, deleted=True)
                    if prompt.deleted and prompt.replaced_by == name:
                        return other
        return None

    def require_history(self, state: RefState) -> History | None:
        """Return the history of the branch; None while it has no commit.

        Raises:
            HistoryUnavailableError: Versions cannot be counted here.
        """
        reason = self.backend.why_no_versions(state)
        if reason:
            raise HistoryUnavailableError(reason=reason)
        return self._history(state, state.tip)

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

    def unknown(self, state: RefState, name: str) -> PromptNotFoundError:
        """Return the error for a prompt that never was on the branch."""
        snapshot = self.tip(state)
        near = near_matches(name, snapshot.names())
        return PromptNotFoundError(name=name, place=snapshot.place, near=near)

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

    def _new(self, source: Source, state: RefState, tip: str | None = None) -> Snapshot:
        return Snapshot(
            source,
            cache=self._cache,
            history=self._history(state, source.commit or tip),
            labels=partial(self.backend.labels, state),
            limits=self.limits,
        )

    def _history(self, state: RefState, tip: str | None) -> History | None:
        if tip is None or self.backend.why_no_versions(state):
            return None
        # The index is brought up to it when it is asked: the text of a prompt needs no versions.
        return History(self.backend.timeline(tip), self.backend, self._cache)
