"""Which prompt is meant, in a state of the branch and the labels, and loading it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Final, TypeAlias

from promptstore.errors import (
    HistoryUnavailableError,
    LabelNotFoundError,
    PromptDeletedError,
    PromptNotFoundError,
    ReadOnlyError,
    RepositoryError,
    RevisionNotFoundError,
)
from promptstore.history.backend import Backend, OverlaidSource, RefState, RepositoryBackend
from promptstore.history.cache import ContentCache, included_names
from promptstore.history.labels import LabelTable, contradiction
from promptstore.history.sources import EmptySource, File, LabelSource, Source
from promptstore.history.versions import Change
from promptstore.model.prompt import Prompt, another_copy, identified, own_copy
from promptstore.model.values import SUFFIX, check_name, is_name, near_matches
from promptstore.store.arguments import check_arguments, check_selection, check_zone
from promptstore.store.snapshot import History, Snapshot
from promptstore.template import Limits

Rev: TypeAlias = str | datetime
"""Anything git can resolve to a commit, or a time (with a time zone): the newest commit then."""

_LOADED_AT_ONCE: Final = 500
_KEPT_LOADERS: Final = 16
_KEPT_PROMPTS: Final = 512
_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}")


def make_question(
    state: RefState,
    name: str,
    version: int | None,
    label: str | None,
    rev: Rev | None,
    deleted: bool,
) -> tuple[Any, ...]:
    """Return what is asked in which state; it equals no question with a wrong argument."""
    # To Python True is 1.
    return state, name, version, type(version), label, rev, deleted, type(deleted)


class Loader:
    """Loads the prompts of one commit, or of a folder, each once. Threads may share it.

    Args:
        source: Their files.
        cache: Where parsed files are kept.
        history: What tells their versions, or None where that is not known.
        limits: The limits of renders.
        labels: Reads where all labels point.
        read: Reads a prompt as of a commit of its own, or None where all are as of one.
    """

    def __init__(
        self,
        source: Source,
        cache: ContentCache,
        history: History | None,
        limits: Limits,
        labels: Callable[[], LabelTable],
        read: Callable[[str], Prompt] | None = None,
    ) -> None:
        self.source = source
        self.cache = cache
        self.history = history
        self.labels = labels
        self._limits = limits
        self._read = read
        self._names: tuple[str, ...] | None = None
        self._loaded: dict[str, Prompt] = {}
        self._changes: Mapping[str, Change] | None = None

    def names(self) -> tuple[str, ...]:
        """List the names of all files, sorted, parsing nothing."""
        if self._names is None:
            self._names = tuple(self.source.names())
        return self._names

    def find(self, name: str) -> File | None:
        """Find the file of a prompt, be it broken or not; None where there is none."""
        return self.source.find(name) if is_name(name) else None

    def load(self, name: str, *, deleted: bool = False) -> Prompt:
        """Load one prompt; see `Snapshot.read`. It is not a caller's own copy."""
        prompt = self._loaded.get(name)
        if prompt is None:
            file = self.find(name)
            if file is None:
                raise self.not_found(name)
            if self._read is not None:
                prompt = self._read(name)
            else:
                prompt = self._identified(name, file.blob, self.cache.read(file))
            self._loaded[name] = prompt
        if prompt.deleted and not deleted:
            raise self._deleted(prompt)
        return prompt

    def load_all(self) -> None:
        """Load every prompt that was parsed before, in a fraction of the time of one by one."""
        if self._changes is not None or self._read is not None:
            return
        changes: Mapping[str, Change] = {}
        with suppress(RepositoryError):
            changes = self.history.timeline.latest_of_all() if self.history else {}
        self._changes = changes
        pending = iter(self.source.blobs().items())
        while chunk := list(islice(pending, _LOADED_AT_ONCE)):
            self.cache.prefetch(blob for _, blob in chunk)
            for name, blob in chunk:
                content = self.cache.known(blob)
                if content is not None and name not in self._loaded:
                    self._loaded[name] = self._identified(name, blob, content)

    def _identified(self, name: str, blob: str, content: Prompt) -> Prompt:
        change = None
        # A text can be had where an old commit is missing, so that nobody knows its version.
        with suppress(RepositoryError):
            if self._changes is not None:
                change = self._changes.get(name)
            elif self.history is not None:
                change = self.history.backend.timeline(self.history.tip).latest(name)
        # The file on disk may differ from the newest commit.
        known = change if change and change.blob == blob else None
        return identified(
            content,
            name=str.__str__(name),
            version=known.number if known else None,
            commit=known.commit if known else None,
            snapshot_commit=self.source.commit,
            blob=blob,
            includes=self._includes(included_names(content)),
            limits=self._limits,
        )

    def _includes(self, included: list[str]) -> dict[str, Prompt]:
        """Collect what is included, directly or not; what is missing is left out."""
        found: dict[str, Prompt] = {}
        pending = [*included]
        while pending:
            name = pending.pop()
            if name in found or not is_name(name):
                continue
            file = self.source.find(name)
            if file is not None:
                found[name] = self.cache.read(file)
                pending += included_names(found[name])
        return found

    def overlaid(self, files: Mapping[str, File]) -> Loader:
        """Return what loads the same prompts with some files replaced, which have no version."""
        source = OverlaidSource(self.source, files)
        return Loader(source, self.cache, self.history, self._limits, self.labels)

    def not_found(self, name: str) -> PromptNotFoundError:
        """Make the error that says that a prompt is not here, with what may help."""
        note = self.source.skill_note(name) if is_name(name) else ""
        if self.history and is_name(name):
            note = note or self.history.removal_note(name)
        near = near_matches(name, self.names())
        return PromptNotFoundError(name=name, place=self.source.place, near=near, note=note)

    def _deleted(self, prompt: Prompt) -> PromptDeletedError:
        """Make the error that says that a prompt is tombstoned, by whom and when."""
        commit = self.history.tombstone(prompt.name or "") if self.history else None
        return PromptDeletedError(
            name=prompt.name or "",
            place=self.source.place,
            deleted_at=commit.committed_at.isoformat() if commit else None,
            deleted_by=commit.author if commit else None,
            reason=prompt.deleted_reason,
            replaced_by=prompt.replaced_by,
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
        self._kept: dict[tuple[Any, ...], Prompt] = {}
        # It may be asked by several threads, and keeps what was asked for last.
        self._loader = lru_cache(maxsize=_KEPT_LOADERS)(self._make_loader)
        # One state is one object: by that a server knows that what it answered is still right.
        self._snapshot = lru_cache(_KEPT_LOADERS)(lambda *place: Snapshot(self._loader(*place)))

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
                prompt = self._loader(*self._place(state, rev)).load(name, deleted=deleted)
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

    def known(self, question: tuple[Any, ...]) -> Prompt | None:
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
        backend = self.backend
        if not isinstance(backend, RepositoryBackend):
            advice = "Run `git init` in it" if backend.path.is_dir() else "Write in a clone"
            reason = f"this is no git repository, so there is no branch to commit to. {advice}."
        elif backend.remote:
            reason = f"{backend.branch} follows a remote, so only a fetch moves it. Write in a "
            reason += "clone, to a branch of its own, and push that."
        else:
            return backend
        raise ReadOnlyError(path=str(backend.path), reason=reason)

    def working(self) -> Snapshot:
        """Return the prompts as the files on disk are at this moment."""
        state = self.state()
        return Snapshot(self._loader_of(self.backend.working_files(), state))

    def tip(self, state: RefState) -> Snapshot:
        """Return the prompts at the tip of the branch."""
        return self._snapshot(state, state.title)

    def at(self, state: RefState, commit: str, title: str) -> Snapshot:
        """Return the prompts as of a commit; the title says what it was asked for by."""
        return self._snapshot(state._replace(tip=commit), title)

    def of_rev(self, state: RefState, rev: Rev | None) -> Snapshot:
        """Return the prompts as of a rev or time; None is the tip."""
        return self._snapshot(*self._place(state, rev))

    def of_label(self, state: RefState, label: str) -> Snapshot:
        """Return the prompts that have a label."""
        with self._explained(state):
            targets = self.backend.labels(state).of_label(label)

        def find(name: str) -> File | None:
            return self.at(state, targets[name].commit, label).find(name)

        source, read = LabelSource(label, targets, find), partial(self.labelled, state, label=label)
        return Snapshot(self._loader_of(source, state, read))

    def version(self, state: RefState, name: str, number: int) -> Prompt:
        """Return a version of a prompt, read as of the commit that made it."""
        history = self.require_history(state)
        if history is None or history.timeline.latest(name) is None:
            raise self.tip(state).not_found(name)
        change = history.find(name, number, has_file=True)
        state = state._replace(tip=change.commit)
        return self._loader(state, f"version {number}").load(name, deleted=True)

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
                error.replaced_by = newest.read(name, deleted=True).replaced_by
            raise
        state = state._replace(tip=target.commit)
        prompt = self._loader(state, label).load(name, deleted=True)
        if prompt.version not in (None, target.version):
            raise contradiction(label, name, target, prompt.version)
        return identified(prompt, label=str.__str__(label))

    def require_history(self, state: RefState) -> History | None:
        """Return the history of the branch; None while it has no commit.

        Raises:
            HistoryUnavailableError: Versions cannot be counted here.
        """
        reason = self.backend.why_no_versions(state)
        if reason:
            raise HistoryUnavailableError(reason=reason)
        return self._history(state)

    def _uncommitted_note(self, name: str) -> str:
        """Return that the file of a prompt is there but not committed, where it is so."""
        path = f"{self.backend.root}/{name}{SUFFIX}".removeprefix("/")
        if not self.backend.has_files or not (self.backend.path / path).is_file():
            return ""
        return (
            f"The file {path} is there, but not committed: `promptstore save {path}` commits it, "
            "and --worktree (worktree=True) reads it as it is."
        )

    def _place(self, state: RefState, rev: Rev | None) -> tuple[RefState, str]:
        """Return the state whose tip a rev or time names, and what it was asked for by."""
        if rev is None:
            return state, state.title
        if isinstance(rev, str):
            return state._replace(tip=self.backend.resolve(rev)), rev
        check_zone(rev)
        history = self.require_history(state)
        commit = history.timeline.commit_at(rev.timestamp()) if history else None
        if commit is None:
            raise RevisionNotFoundError(
                rev=rev.isoformat(),
                reason="the branch has no commit that old",
                advice="Name a later time.",
            )
        return state._replace(tip=commit), rev.isoformat()

    def _make_loader(self, state: RefState, title: str) -> Loader:
        if state.tip is None:
            return self._loader_of(EmptySource(f"{title} (no commits yet)"), state)
        return self._loader_of(self.backend.files(state.tip, title), state)

    def _loader_of(
        self, source: Source, state: RefState, read: Callable[[str], Prompt] | None = None
    ) -> Loader:
        history = None if read else self._history(state)
        labels = partial(self.backend.labels, state)
        return Loader(source, self._cache, history, self.limits, labels, read)

    def _history(self, state: RefState) -> History | None:
        if state.tip is None or self.backend.why_no_versions(state):
            return None
        # The index is brought up to it when it is asked: the text of a prompt needs no versions.
        return History(state.tip, self.backend, self._cache)
