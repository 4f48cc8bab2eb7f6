"""The front door: a store of prompts in a git repository or a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from promptstore.errors import (
    ConflictError,
    PromptFileError,
    RepositoryError,
)
from promptstore.model.prompt import Prompt, identified
from promptstore.model.values import check_name
from promptstore.store.arguments import PromptLike, check_arguments, check_attribution
from promptstore.store.labelling import StoreLabels
from promptstore.store.lookup import Rev
from promptstore.store.opening import DEFAULT_LOCK_TIMEOUT, DEFAULT_ROOT
from promptstore.store.reading import Position
from promptstore.store.snapshot import Snapshot

if TYPE_CHECKING:
    from promptstore.store.bundle import Bundle
    from promptstore.store.edits import Edit
    from promptstore.store.writing import Attribution

__all__ = ["DEFAULT_LOCK_TIMEOUT", "DEFAULT_ROOT", "Position", "PromptStore", "Rev"]


class PromptStore(StoreLabels):
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
        return self._lookup.writable().writable_branch()

    def draft(self, edits: Mapping[str, Edit]) -> Snapshot:
        """Take all prompts as they would be after edits, without writing anything.

        Args:
            edits: The edits by prompt name; see `commit`.

        Returns:
            A snapshot of the branch with the edits; what changes has no version yet.

        Raises:
            PromptStoreError: An edit cannot be made; see `commit`.
        """
        from promptstore.store.writing import plan_edits

        check_arguments(edits=edits)
        base = self._lookup.tip(self._lookup.writable().state())
        planned = plan_edits(base, self.root, edits, force=True)
        return base.overlaid({file.name: file.after for file in planned if file.changes})

    def save(
        self,
        name: str,
        prompt: PromptLike | bytes,
        *,
        expected_version: int | None = None,
        force: bool = False,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Create a prompt, or make a new version of it.

        An existing file keeps its comments and layout; only what differs is changed.

        Args:
            name: The prompt's name.
            prompt: Its new content: a prompt, the text of a text prompt, or the messages of a chat
                prompt; or the bytes of a prompt file, which are kept as they are.
            expected_version: The version that the caller has seen; 0 for a prompt that is new.
            force: Whether it may include what is not there.
            attribution: See `Attribution`: message, author, committer, authored_at, trailers.

        Returns:
            The prompt with its version and commit; `Prompt.is_unchanged` where it said that
            already, so that there is no commit. `Prompt.warnings` tells what could not be done
            after the commit.

        Raises:
            ConflictError: The prompt changed meanwhile or is not at the expected version, or its
                file on disk has uncommitted work. Nothing was changed.
            InvalidArgumentError: It is no valid prompt.
            PromptFileError: The bytes are no prompt file.
            TemplateSyntaxError: A text is not a template of its language.
            IncludeError: It includes what is not there.
            ReadOnlyError: There is no branch to write to.
            RepositoryLockedError: Another process held a lock for too long.
        """
        return self._commit_one(name, prompt, expected_version, attribution, force=force)

    def delete(
        self,
        name: str,
        *,
        reason: str | None = None,
        replaced_by: str | None = None,
        expected_version: int | None = None,
        force: bool = False,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Set the tombstone of a prompt; its text stays in the file and in history.

        Args:
            name: The prompt's name.
            reason: Why, for people who ask for the prompt later.
            replaced_by: The name of the prompt to use instead.
            expected_version: The version that the caller has seen.
            force: Whether other prompts may still include it.
            attribution: See `Attribution`.

        Returns:
            The tombstoned prompt.

        Raises:
            PromptNotFoundError: There is no such prompt.
            ConflictError: Other prompts include it.
            PromptStoreError: As for `save`.
        """
        from promptstore.store.edits import Deletion

        check_arguments(reason=reason, replaced_by=replaced_by)
        edit = Deletion(reason, replaced_by)
        return self._commit_one(name, edit, expected_version, attribution, force=force)

    def restore(
        self,
        name: str,
        *,
        version: int | None = None,
        expected_version: int | None = None,
        force: bool = False,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Bring a deleted prompt back, or make an old text the newest version.

        Args:
            name: The prompt's name; its file may even have been removed.
            version: The version whose file becomes the newest one, to the byte but for a
                tombstone. None takes off the tombstone.
            expected_version: The version that the caller has seen.
            force: Whether it may include what is not there.
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
        return self._commit_one(name, edit, expected_version, attribution, force=force)

    def rename(
        self,
        old: str,
        new: str,
        *,
        expected_version: int | None = None,
        force: bool = False,
        **attribution: Unpack[Attribution],
    ) -> Prompt:
        """Rename a prompt, in one commit.

        The old name keeps a tombstone that says where it went. Labels that point at the newest
        version come along; those that point at an older one stay, and `Prompt.warnings` names them.

        Args:
            old: The prompt's name.
            new: Its new name.
            expected_version: The version that the caller has seen.
            force: Whether other prompts may still include the old name.
            attribution: See `Attribution`.

        Returns:
            The prompt under its new name.

        Raises:
            PromptNotFoundError: There is no such prompt.
            ConflictError: There is a prompt of the new name, or others include the old one.
            PromptStoreError: As for `save`.
        """
        from promptstore.store.edits import rename_edits
        from promptstore.store.labelmoves import plan_renamed_labels

        check_arguments(expected_version=expected_version)
        check_attribution(attribution)
        base = self._lookup.tip(self._lookup.writable().refresh())
        edits = rename_edits(base, check_name(old), new)
        if not attribution.get("message"):
            attribution["message"] = f"Rename {old} to {new}"
        versions = {} if expected_version is None else {old: expected_version}
        done = self.commit(edits, expected_versions=versions, base=base, force=force, **attribution)
        moves, expected, warnings = plan_renamed_labels(self.labels(), base.read(old), done[new])
        if moves:
            try:
                warnings += self._move_labels(moves, expected, attribution)
            except (ConflictError, RepositoryError, PromptFileError) as error:
                warnings.append(f"the labels {', '.join(moves)} could not be moved: {error}")
        return identified(done[new], warnings=(*done[new].warnings, *warnings))

    def commit(
        self,
        edits: Mapping[str, Edit],
        *,
        expected_versions: Mapping[str, int] | None = None,
        base: Snapshot | None = None,
        new_branch: str | None = None,
        force: bool = False,
        **attribution: Unpack[Attribution],
    ) -> dict[str, Prompt]:
        """Edit many prompts in one commit, or none of them.

        Args:
            edits: By prompt name what `save` takes, a `Deletion` or a `Restoration`.
            expected_versions: See `save`, by prompt name.
            base: The snapshot that the edits were made for: a prompt that changed since is a
                conflict. None is the branch as it is now.
            new_branch: The name of a branch to make at the base, which gets the commit: a proposal
                to be reviewed. None commits to the store's own branch.
            force: Whether includes may be left without what they name.
            attribution: See `Attribution`.

        Returns:
            The prompts by name, as of the commit.

        Raises:
            ConflictError: With the names of the prompts that are in the way; or there is a branch
                of the new name.
            PromptStoreError: As for `save`, `delete` and `restore`.
        """
        # Who only reads need not wait until the writing part is loaded.
        from promptstore.store.writing import commit_edits

        check_arguments(
            edits=edits, expected_versions=expected_versions, base=base, new_branch=new_branch
        )
        check_attribution(attribution)
        return commit_edits(
            self._lookup,
            self._lock_timeout,
            edits,
            expected_versions or {},
            attribution,
            base=base,
            new_branch=new_branch,
            force=force,
        )

    def bundle(
        self,
        *,
        only: Sequence[str] = (),
        label: Sequence[str] = (),
        with_history: int = 1,
        force: bool = False,
    ) -> Bundle:
        """Build a bundle of what is committed; `Bundle.encode` makes the bytes of its file.

        Args:
            only: Patterns of names, such as ``support/*``; what they include comes along. None
                are all.
            label: Labels: the bundle then holds what these point at, and nothing else.
            with_history: Of how many of the newest versions of each prompt the text is held.
            force: Whether prompts are taken along that cannot be read or rendered.

        Raises:
            BundleError: Prompts that would be in it cannot be read or rendered.
            InvalidArgumentError: No prompt is chosen.
            LabelNotFoundError: There is no such label.
            HistoryUnavailableError: Versions cannot be counted here.
        """
        from promptstore.store.bundling import build

        check_arguments(only=only, label_names=label, with_history=with_history)
        return build(self._lookup, only=only, label=label, with_history=with_history, force=force)

    def verify_bundle(self, bundle: Bundle) -> list[str]:
        """Compare a bundle with what the repository holds at the bundle's commit.

        Returns:
            What differs, in words; nothing where it is the same.

        Raises:
            PromptStoreError: The repository does not have that commit, or cannot be read.
        """
        from promptstore.store.bundling import build, differences

        check_arguments(bundle=bundle)
        _ = self.repository  # a bundle proves nothing about another one
        return differences(bundle, build(self._lookup, like=bundle))

    def _commit_one(
        self,
        name: str,
        edit: Edit,
        expected_version: int | None,
        attribution: Attribution,
        *,
        force: bool,
    ) -> Prompt:
        check_name(name)
        check_arguments(expected_version=expected_version)
        expected = {} if expected_version is None else {name: expected_version}
        done = self.commit({name: edit}, expected_versions=expected, force=force, **attribution)
        return done[name]
