"""The front door: a store of prompts in a git repository or a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Unpack

from promptstore.errors import (
    HistoryUnavailableError,
    ReadOnlyError,
)
from promptstore.git import Repository, blob_id
from promptstore.history.labels import (
    Target,
    check_label,
)
from promptstore.history.sources import (
    File,
)
from promptstore.history.watcher import RefWatcher
from promptstore.model.names import check_name
from promptstore.model.prompt import (
    Prompt,
    PromptLike,
    identified,
    own_copy,
)
from promptstore.store.arguments import (
    check_arguments,
    check_attribution,
    check_one_of,
)
from promptstore.store.facts import Position, StoreFacts
from promptstore.store.lookup import DEFAULT_LOCK_TIMEOUT, DEFAULT_ROOT, Rev
from promptstore.store.snapshot import Snapshot

if TYPE_CHECKING:
    from promptstore.store.edits import Edit
    from promptstore.store.writing import Attribution

__all__ = ["DEFAULT_LOCK_TIMEOUT", "DEFAULT_ROOT", "Position", "PromptStore", "Rev"]


class PromptStore(StoreFacts):
    """The prompts under one folder of a git repository.

    Make one with `PromptStore.open`. Each call asks git anew where the branch is, so a commit by
    another process is seen at once; what was read before is never read twice. Threads may share a
    store, and a fork inherits a working one.
    """

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

    def draft(self, edits: Mapping[str, Edit]) -> Snapshot:
        """Take all prompts as they would be after edits, without writing anything.

        Args:
            edits: The edits by prompt name; see `commit`.

        Returns:
            A snapshot of the branch with the edits; what changes has no version yet.

        Raises:
            PromptStoreError: An edit cannot be made; see `commit`.
        """
        from promptstore.store.edits import plan_edits, to_edits

        check_arguments(edits=edits)
        edits = to_edits(edits)
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
        prompt: PromptLike | bytes,
        *,
        expected_version: int | None = None,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Create a prompt, or make a new version of it.

        An existing file keeps its comments and layout; only what differs is changed.

        Args:
            name: The prompt's name.
            prompt: Its new content: a prompt, the text of a text prompt, or the messages of a chat
                prompt; or the bytes of a prompt file, which are kept as they are.
            expected_version: The version that the caller has seen; 0 for a prompt that is new.
            attribution: See `Attribution`: message, author, committer, authored_at, trailers.

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

        check_arguments(reason=reason, replaced_by=replaced_by)
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

        check_arguments(version=version)
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
            edits: By prompt name what `save` takes, a `Deletion` or a `Restoration`.
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
        from promptstore.store.edits import to_edits
        from promptstore.store.writing import Writer

        check_arguments(edits=edits, expected_versions=expected_versions, base=base)
        check_attribution(attribution)
        edits = to_edits(edits)
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
        self._require_history(self._require_state())
        targets = {name: self._target(name, wanted) for name, wanted in versions.items()}
        self._move_label(label, targets, expected, attribution)
        state = self._require_state()
        return {name: own_copy(self._get_labelled(state, name, label)) for name in targets}

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
        self._move_label(label, dict.fromkeys(names), expected, attribution)

    def _commit_one(
        self, name: str, edit: Edit, expected_version: int | None, attribution: Attribution
    ) -> Prompt:
        check_name(name)
        check_arguments(expected_version=expected_version)
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
