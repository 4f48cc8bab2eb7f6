"""Pointing labels at versions of prompts, taking them off, and taking a move back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from promptstore.errors import HistoryUnavailableError, InvalidArgumentError
from promptstore.history.backend import RefState
from promptstore.history.labels import Target, check_label
from promptstore.model.prompt import Prompt, identified, own_copy
from promptstore.model.values import check_name
from promptstore.store.arguments import check_arguments, check_attribution, check_one_of
from promptstore.store.lookup import Rev
from promptstore.store.reading import StoreReader

if TYPE_CHECKING:
    from promptstore.store.writing import Attribution


class StoreLabels(StoreReader):
    """Moves labels."""

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
        targets = {name: self._target(state, name, wanted) for name, wanted in versions.items()}
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
        from promptstore.store.labelmoves import move_labels

        backend = self._lookup.writable()
        update = move_labels(backend.repository, self._lock_timeout, moves, expected, attribution)
        backend.invalidate()
        return update.warnings

    def _target(self, state: RefState, name: str, wanted: int | Rev | None) -> Target:
        """Return what a label points at that is set to a version, a rev or (None) the tip."""
        rev = wanted
        if isinstance(rev, int):
            rev = self._lookup.version(state, check_name(name), rev).snapshot_commit
        prompt = self._lookup.of_rev(state, rev).read(name)
        if prompt.version is None or prompt.snapshot_commit is None:
            raise HistoryUnavailableError(reason="so a label has no version to point at.")
        return Target(prompt.version, prompt.snapshot_commit)
