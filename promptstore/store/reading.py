"""What a store is asked but for one prompt: renders, many prompts, versions and labels."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

from promptstore.errors import (
    HistoryUnavailableError,
    IncludeError,
    PromptFileError,
    TemplateSyntaxError,
)
from promptstore.git.revs import common_ancestor
from promptstore.history.backend import RefState
from promptstore.history.labels import LabelMove, LabelTable
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import RenderedPrompt, merge_values, render_prompt
from promptstore.model.values import check_name
from promptstore.model.versions import PromptInfo, Version
from promptstore.store.arguments import (
    PromptLike,
    check_arguments,
    check_selection,
    to_prompt,
)
from promptstore.store.lookup import Rev
from promptstore.store.opening import StoreBase
from promptstore.store.snapshot import Snapshot

_CANNOT_BE_COMPILED: Final = (TemplateSyntaxError, IncludeError)


class Position(NamedTuple):
    """Where a branch and the labels are.

    Attributes:
        tip: The newest commit of the branch, or None while it has none.
        labels: The newest commit of the labels branch, or None where there is none.
    """

    tip: str | None
    labels: str | None


class StoreReader(StoreBase):
    """Renders and lists prompts, and answers who made which version when."""

    def render(
        self,
        name: str,
        variables: Mapping[str, Any] | None = None,
        /,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
        at: datetime | None = None,
        fallback: PromptLike | None = None,
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
            at: See `get`.
            fallback: What to render when the prompt cannot be had or its templates cannot be
                compiled; values that the fallback does not know are then left out.

        Returns:
            The text or the messages, and the identity of what was rendered.

        Raises:
            PromptStoreError: As for `get` and `Prompt.render`.
        """
        values = merge_values(variables, more)
        prompt = self.get(name, version=version, label=label, rev=rev, at=at, fallback=fallback)
        try:
            return render_prompt(prompt, values)
        except _CANNOT_BE_COMPILED as error:
            if fallback is None or prompt.is_fallback:
                raise
            return render_prompt(self._fall_back(name, to_prompt(fallback), error), values)

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
        at: datetime | None = None,
    ) -> builtins.list[Prompt]:
        """List prompts, sorted by name; see `Snapshot.list`.

        Args:
            prefix: Only names that start with it.
            tag: Only prompts that carry this tag.
            search: Only prompts whose name, description, tags or texts hold it, letter case aside.
            deleted: Whether tombstoned prompts are listed too.
            label: Only prompts that have this label, each as of the commit it points at.
            rev: The prompts as of this rev or time. Not together with a label.
            at: With a label: where it pointed then.

        Returns:
            The prompts.

        Raises:
            PromptFileError: A file is broken.
            LabelNotFoundError: There is no such label.
            RevisionNotFoundError: Git cannot resolve the rev.
        """
        snapshot = self.snapshot(rev, label=label, at=at)
        return snapshot.list(prefix, tag=tag, search=search, deleted=deleted)

    def snapshot(
        self,
        rev: Rev | None = None,
        *,
        label: str | None = None,
        at: datetime | None = None,
    ) -> Snapshot:
        """Take all prompts as of one commit, or all that have a label.

        Args:
            rev: A branch, tag or commit, any other spelling that git resolves, or a time with a
                time zone (the newest commit of the branch then). None is the branch's tip, or the
                files on disk for a store opened with ``worktree=True``.
            label: A label: each prompt that has it is read as of the commit that it points at. Not
                together with a rev.
            at: With a label: where it pointed then. A time has a time zone.

        Returns:
            An immutable mapping from name to prompt.

        Raises:
            RevisionNotFoundError: Git cannot resolve the rev, or the history begins later.
            LabelNotFoundError: There is no such label.
        """
        check_selection(label=label, rev=rev, at=at)
        if label is not None:
            return self._lookup.of_label(self._lookup.state(at), label)
        if rev is None and self._lookup.reads_files:
            return self.working_snapshot()
        return self._lookup.of_rev(self._lookup.state(), rev)

    def working_snapshot(self) -> Snapshot:
        """Take all prompts as the files on disk are at this moment, uncommitted edits included.

        Raises:
            InvalidArgumentError: The repository is bare, so there are no files.
        """
        return self._lookup.working()

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
            raise self._lookup.tip(state).not_found(name)
        labels = self._backend.labels(state)
        found = [history.version(name, change, labels) for change in changes]
        former = self._former_name(state, name, changes[-1].commit) if follow else None
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
        check_selection(version=version, label=label, rev=rev)
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

    def _former_name(self, state: RefState, name: str, commit: str) -> str | None:
        """Return the name of the prompt that a commit replaced by another one, if it did."""
        for other, entry in self._backend.timeline(commit).changed_by(commit).items():
            if other != name and entry is not None and entry.is_file:
                with suppress(PromptFileError):
                    prompt = self._lookup.at(state, commit, commit).read(other, deleted=True)
                    if prompt.deleted and prompt.replaced_by == name:
                        return other
        return None
