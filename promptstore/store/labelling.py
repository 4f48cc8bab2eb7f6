"""What happened to prompts, and labels: pointed at versions, taken off, and taken back."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Unpack

from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
)
from promptstore.git.revs import common_ancestor
from promptstore.history.labels import LabelMove, LabelTable, Target, check_label
from promptstore.model.prompt import Prompt, identified, own_copy
from promptstore.model.values import check_name
from promptstore.model.versions import PromptInfo, Version
from promptstore.store.arguments import check_arguments, check_attribution, check_one_of
from promptstore.store.lookup import Rev
from promptstore.store.reading import StoreReader

if TYPE_CHECKING:
    from promptstore.store.writing import Attribution


class Position(NamedTuple):
    """Where a branch and the labels are.

    Attributes:
        tip: The newest commit of the branch, or None while it has none.
        labels: The newest commit of the labels branch, or None where there is none.
    """

    tip: str | None
    labels: str | None


class StoreLabels(StoreReader):
    """Answers who made which version when, and moves labels."""

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
        state = self._lookup.state()
        history = self._lookup.require_history(state)
        changes = history.timeline.history(name) if history else []
        if history is None or not changes:
            raise self._lookup.unknown(state, name)
        labels = self._backend.labels(state)
        found = [history.version(name, change, labels) for change in changes]
        former = self._lookup.former_name(state, name, changes[-1].commit) if follow else None
        if former is not None:
            # Its last version is the tombstone that the renaming left.
            found += [
                version
                for version in self.history(former, follow=True)
                if version.commit != changes[-1].commit
            ]
        return found

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
        state = self._lookup.state()
        if label is not None:
            version = self._backend.labels(state).find(label, name).version
            if self._backend.why_no_versions(state):
                return PromptInfo(name=name)
        if version is None:
            return self.snapshot(rev).info(name)
        self._lookup.require_history(state)
        return self._lookup.tip(state).info(name, version=version)

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
        return [
            move
            for move in self._backend.label_moves()
            if label in (None, move.label) and name in (None, move.name)
        ]

    def labels(self, at: datetime | None = None) -> LabelTable:
        """Read all labels.

        Args:
            at: A time with a time zone: the labels as they were then. None is this moment.
        """
        check_arguments(at=at)
        return self._backend.labels(self._lookup.state() if at is None else self._lookup.state(at))

    def position(self) -> Position:
        """Return where the branch and the labels are at this moment, reading no prompt.

        Raises:
            RevisionNotFoundError: The branch is no more.
            HistoryUnavailableError: This is a plain folder, which has no branch.
        """
        state = self._lookup.state()
        if not state.title:
            raise HistoryUnavailableError(reason=self._backend.why_no_versions(state))
        return Position(state.tip, state.labels)

    def common_ancestor(self, one: str, other: str) -> str:
        """Return the id of the commit that two revs grew from, as ``git merge-base`` does.

        Raises:
            RevisionNotFoundError: Git cannot resolve a rev, or the two have no common history.
        """
        check_arguments(one=one, other=other)
        commits = (self._backend.resolve(rev) for rev in (one, other))
        return common_ancestor(self.repository, *commits)

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
        check_name(name)
        check_arguments(label=label, version=version, rev=rev, expected=expected)
        check_one_of(version=version, rev=rev)
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
        check_arguments(versions=versions, expected_by_name=expected)
        check_attribution(attribution)
        state = self._lookup.state()
        self._lookup.require_history(state)
        targets = {
            name: self._lookup.target(state, name, wanted) for name, wanted in versions.items()
        }
        warnings = self._move_labels({label: targets}, {label: expected or {}}, attribution)
        return {name: self._get_moved(name, label, warnings) for name in targets}

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
        check_name(name)
        check_arguments(label=label, expected=expected)
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
        check_arguments(names=names, expected_by_name=expected)
        check_attribution(attribution)
        self._move_labels({label: dict.fromkeys(names)}, {label: expected or {}}, attribution)

    def rollback_label(self, name: str, label: str, **attribution: Unpack[Attribution]) -> Prompt:
        """Point a label of a prompt back at what it pointed at before it was last moved.

        Args:
            name: The prompt's name.
            label: The label.
            attribution: See `Attribution`.

        Returns:
            The prompt as the label gives it from now on.

        Raises:
            LabelNotFoundError: The label does not point the prompt anywhere.
            InvalidArgumentError: It pointed nowhere before.
            PromptStoreError: As for `set_labels`.
        """
        check_attribution(attribution)
        now = self.labels().find(check_label(label), check_name(name))
        moves = self.label_history(label, name)
        before = moves[0].before if moves else None
        if before is None:
            raise InvalidArgumentError(
                message=f"the label {label!r} of {name!r} pointed nowhere before version "
                f"{now.version}, so it cannot go back; `promptstore label remove {name} {label}` "
                "takes it off"
            )
        warnings = self._move_labels(
            {label: {name: before}}, {label: {name: now.version}}, attribution
        )
        return self._get_moved(name, label, warnings)

    def _get_moved(self, name: str, label: str, warnings: tuple[str, ...]) -> Prompt:
        """Return a prompt as a label gives it that was just moved."""
        prompt = self._lookup.labelled(self._lookup.state(), name, label)
        return own_copy(identified(prompt, warnings=warnings))

    def _move_labels(
        self,
        moves: Mapping[str, Mapping[str, Target | None]],
        expected: Mapping[str, Mapping[str, int]],
        attribution: Attribution,
    ) -> tuple[str, ...]:
        """Move labels, and return what could not be done after the commit."""
        from promptstore.store.writing import move_labels

        backend = self._lookup.writable()
        update = move_labels(backend.repository, self._lock_timeout, moves, expected, attribution)
        backend.invalidate()
        return update.warnings
