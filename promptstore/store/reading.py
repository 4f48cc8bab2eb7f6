"""The reading half of a store: get, render and list prompts."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from promptstore.errors import (
    HistoryUnavailableError,
    IncludeError,
    NotFoundError,
    PromptFileError,
    RepositoryError,
    TemplateSyntaxError,
)
from promptstore.model.prompt import Prompt, identified, own_copy
from promptstore.model.rendering import RenderedPrompt, merge_values, render_prompt
from promptstore.model.values import check_name
from promptstore.store.arguments import (
    PromptLike,
    check_arguments,
    check_at,
    check_one_of,
    to_prompt,
)
from promptstore.store.lookup import Rev
from promptstore.store.opening import StoreBase
from promptstore.store.snapshot import Snapshot

_CANNOT_BE_HAD: Final = (NotFoundError, PromptFileError, RepositoryError, HistoryUnavailableError)
_CANNOT_BE_COMPILED: Final = (TemplateSyntaxError, IncludeError)


class StoreReader(StoreBase):
    """Reads prompts."""

    def get(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
        at: datetime | None = None,
        deleted: bool = False,
        fallback: PromptLike | None = None,
    ) -> Prompt:
        """Get one prompt.

        Args:
            name: The prompt's name, for example ``support/triage``.
            version: Its version of this number, counted on the branch; read as of its commit.
            label: The version that this label points at.
            rev: The prompt as of this rev or time. At most one of version, label and rev.
            at: With a label: the version that it pointed at then. A time has a time zone.
            deleted: Whether a tombstoned prompt is given too; one asked for by version or label
                always is.
            fallback: What to give when the prompt cannot be had: a prompt, the text of one, or a
                list of messages. The result is marked by `Prompt.is_fallback`, and the reason is
                logged once.

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
        check_arguments(version=version, label=label, rev=rev, at=at, deleted=deleted)
        check_one_of(version=version, label=label, rev=rev)
        check_at(at, label)
        instead = None if fallback is None else to_prompt(fallback)
        try:
            query = (self._lookup.state(at), name, version, label, rev, deleted)
            return own_copy(self._lookup.get(query, from_disk=self._reads_files))
        except _CANNOT_BE_HAD as error:
            if instead is None:
                raise
            return self._fall_back(name, instead, error)

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
        check_arguments(label=label, rev=rev, at=at)
        check_one_of(label=label, rev=rev)
        check_at(at, label)
        if label is not None:
            return self._lookup.of_label(self._lookup.state(at), label)
        if rev is None and self._reads_files:
            return self.working_snapshot()
        return self._lookup.of_rev(self._lookup.state(), rev)

    def working_snapshot(self) -> Snapshot:
        """Take all prompts as the files on disk are at this moment, uncommitted edits included.

        Raises:
            InvalidArgumentError: The repository is bare, so there are no files.
        """
        return self._lookup.working()

    def _fall_back(self, name: str, fallback: Prompt, error: Exception) -> Prompt:
        if name not in self._announced:
            self._announced.add(name)
            import logging

            log = logging.getLogger("promptstore")
            log.warning("using the fallback for the prompt %r: %s", name, error)
        prompt = identified(fallback, name=name, is_fallback=True, limits=self._lookup.limits)
        return own_copy(prompt)
