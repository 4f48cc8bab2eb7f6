"""What a store knows about its prompts: versions, labels, who made what when."""

from __future__ import annotations

import builtins
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from promptstore.errors import (
    PromptFileError,
)
from promptstore.git.revs import common_ancestor, resolve_rev
from promptstore.history.labels import (
    LabelTable,
    labels_commit,
)
from promptstore.history.moves import LabelMove
from promptstore.history.versions import Change
from promptstore.model.values import check_name
from promptstore.model.versions import PromptInfo, Version
from promptstore.store.arguments import (
    check_arguments,
    check_one_of,
)
from promptstore.store.history import History
from promptstore.store.lookup import Rev
from promptstore.store.reading import StoreReader


class Position(NamedTuple):
    """Where a branch and the labels are.

    Attributes:
        tip: The newest commit of the branch, or None while it has none.
        labels: The newest commit of the labels branch, or None where there is none.
    """

    tip: str | None
    labels: str | None


class StoreFacts(StoreReader):
    """Answers what is expensive to know, and so is asked for by name."""

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
        check_arguments(version=version, label=label, rev=rev)
        check_one_of(version=version, label=label, rev=rev)
        state = self._state()
        if label is not None:
            version = self._labels_at(state).find(label, name).version
            if state.is_shallow:
                return PromptInfo(name=name)
        if version is None:
            return self.snapshot(rev).info(name)
        self._require_history(state)
        return self._tip_snapshot(state).info(name, version=version)

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
        check_arguments(label=label)
        if name is not None:
            check_name(name)
        commit = labels_commit(self._repository) if self._repository else None
        if commit is None or self._moves is None:
            return []
        return [
            move
            for move in self._moves.moves(commit)
            if label in (None, move.label) and name in (None, move.name)
        ]

    def labels(self, at: datetime | None = None) -> LabelTable:
        """Read all labels.

        Args:
            at: A time with a time zone: the labels as they were then. None is this moment.
        """
        check_arguments(at=at)
        return self._labels_at(self._state() if at is None else self._state_with_labels(at))

    def position(self) -> Position:
        """Tell where the branch and the labels are at this moment, reading no prompt.

        Raises:
            RevisionNotFoundError: The branch is no more.
            HistoryUnavailableError: This is a plain folder, which has no branch.
        """
        state = self._require_state()
        return Position(state.tip, state.labels)

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
        check_arguments(one=one, other=other)
        repository = self._require_repository()
        commits = (resolve_rev(repository, rev) for rev in (one, other))
        return common_ancestor(repository, *commits)


def _version(history: History, labels: LabelTable, name: str, change: Change) -> Version:
    commit = history.commit(change.commit)
    return Version(
        name=name,
        number=change.number,
        commit=commit.id,
        author=commit.author,
        committed_at=commit.committed_at,
        message=commit.message,
        blob=change.blob,
        deleted=change.entry is None or history.is_tombstone(change.entry.id),
        labels=labels.of(name, change.number),
    )
