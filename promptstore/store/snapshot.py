"""A snapshot: all prompts as of one commit, or of one moment of a folder; and their versions."""

from __future__ import annotations

import builtins
import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from promptstore.errors import (
    InvalidArgumentError,
    InvalidNameError,
    PromptFileError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.git.objects import Commit
from promptstore.history.backend import Backend
from promptstore.history.cache import ContentCache
from promptstore.history.labels import LabelTable
from promptstore.history.sources import File
from promptstore.history.versions import Change, Timeline
from promptstore.model.prompt import Prompt, own_copy, texts
from promptstore.model.rendering import RenderedPrompt
from promptstore.model.values import check_name
from promptstore.model.versions import PromptInfo, Version
from promptstore.store.arguments import check_arguments

if TYPE_CHECKING:
    from promptstore.store.lookup import Loader


class Snapshot(Mapping[str, Prompt]):
    """All prompts as of one commit: an immutable mapping from name to prompt.

    Tombstoned prompts are not in it; `read` and `list` give them on request. A broken file counts
    as present: reading it raises `PromptFileError`, never `KeyError`.

    Attributes:
        commit: The commit that it shows, or None for a folder.
        place: What it shows, in words, for example ``main (3f2a91c)``.
        history: What tells the versions of its prompts, or None where that is not known.
    """

    def __init__(self, loader: Loader) -> None:
        self.commit = loader.source.commit
        self.place = loader.source.place
        self.history = loader.history
        self._loader = loader

    def __getitem__(self, name: str) -> Prompt:
        try:
            return self.read(name)
        except InvalidNameError:
            raise self.not_found(str(name)) from None  # a mapping raises KeyError

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or self.find(name) is None:
            return False
        try:
            return not self._loader.load(name, deleted=True).deleted
        except PromptFileError:
            return True

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.names() if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Snapshot of {self.place}>"

    def __reduce__(self) -> NoReturn:
        raise InvalidArgumentError(
            message="a snapshot cannot be pickled or copied; take the prompts, as "
            "`dict(snapshot)` gives them, or pickle the store"
        )

    def read(self, name: str, *, deleted: bool = False) -> Prompt:
        """Read one prompt.

        Args:
            name: The prompt's name.
            deleted: Whether a tombstoned prompt is given too.

        Returns:
            The prompt.

        Raises:
            InvalidNameError: The name cannot be a prompt's name.
            PromptNotFoundError: There is no such file.
            PromptDeletedError: It is tombstoned.
            PromptFileError: The file (or one that it includes) is broken.
        """
        check_name(name)
        check_arguments(deleted=deleted)
        return own_copy(self._loader.load(name, deleted=deleted))

    def info(self, name: str, *, version: int | None = None) -> PromptInfo:
        """Return who made which version of a prompt when; it may be deleted, or broken.

        Args:
            name: The prompt's name.
            version: The number of the version; None is that of the file.

        Raises:
            PromptNotFoundError: There is no such prompt.
            VersionNotFoundError: It has no such version.
        """
        check_name(name)
        check_arguments(version=version)
        history = self.history
        latest = history.timeline.latest(name) if history else None
        if version is None:
            blob = self.file(name).blob  # the file on disk may differ from the newest commit
            made = latest if latest is not None and latest.blob == blob else None
        elif history is None or latest is None:
            raise self.not_found(name)
        else:
            made = history.find(name, version)
        return history.info(name, made, self._loader.labels()) if history else PromptInfo(name=name)

    def infos(self, names: Sequence[str]) -> dict[str, PromptInfo]:
        """Return `info` of many prompts by name, which takes less than asking about each."""
        check_arguments(names=names)
        files = {name: file.blob for name in names if (file := self.find(name))}
        if self.history is None:
            return {name: PromptInfo(name=name) for name in files}
        return self.history.infos(files, self._loader.labels())

    def labels(self) -> LabelTable:
        """Return all labels, as they were when it was taken."""
        return self._loader.labels()

    def names(self, prefix: str = "") -> builtins.list[str]:
        """List the names of all files, tombstones and broken ones too, parsing nothing.

        Args:
            prefix: Only names that start with it, such as ``support/``.

        Returns:
            The names, sorted.
        """
        check_arguments(prefix=prefix)
        if not prefix:
            return [*self._loader.names()]
        return [name for name in self._loader.names() if name.startswith(prefix)]

    def list(
        self,
        prefix: str = "",
        *,
        tag: str | None = None,
        search: str | None = None,
        deleted: bool = False,
    ) -> builtins.list[Prompt]:
        """List prompts, sorted by name.

        Args:
            prefix: Only names that start with it.
            tag: Only prompts that carry this tag.
            search: Only prompts whose name, description, tags or texts hold it, letter case aside.
            deleted: Whether tombstoned prompts are listed too.

        Returns:
            The prompts.

        Raises:
            PromptFileError: A file is broken; all faults of the first such file are told.
        """
        listed, broken = self.list_readable(prefix, tag=tag, search=search, deleted=deleted)
        if broken:
            raise broken[0]
        return listed

    def list_readable(
        self,
        prefix: str = "",
        *,
        tag: str | None = None,
        search: str | None = None,
        deleted: bool = False,
    ) -> tuple[builtins.list[Prompt], builtins.list[PromptFileError]]:
        """List prompts as `list` does, and the errors of broken files beside them."""
        check_arguments(prefix=prefix, tag=tag, search=search, deleted=deleted)
        listed: builtins.list[Prompt] = []
        broken: builtins.list[PromptFileError] = []
        with _no_collection():
            self._loader.load_all()
            for name in self.names(prefix):
                try:
                    prompt = self._loader.load(name, deleted=True)
                except PromptFileError as error:
                    broken.append(error)
                    continue
                if (
                    (deleted or not prompt.deleted)
                    and (tag is None or tag in prompt.tags)
                    and (search is None or _mentions(prompt, search.casefold()))
                ):
                    listed.append(own_copy(prompt))
        return listed, broken

    def render(
        self, name: str, variables: Mapping[str, Any] | None = None, /, **more: Any
    ) -> RenderedPrompt:
        """Render one prompt; see `Prompt.render` for the errors.

        Args:
            name: The prompt's name.
            variables: The values by variable name.
            more: Values by keyword, beside those in the mapping.
        """
        return self.read(name).render(variables, **more)

    def overlaid(self, files: Mapping[str, File]) -> Snapshot:
        """Return the same prompts with some files replaced; these have no version yet."""
        return Snapshot(self._loader.overlaid(files))

    def unrecognized(self) -> tuple[str, ...]:
        """List the paths of files under the root that look like prompts but have no usable name."""
        return tuple(self._loader.source.unrecognized())

    def file(self, name: str) -> File:
        """Return the file of a prompt, be it broken or not.

        Raises:
            PromptNotFoundError: There is no such file.
        """
        file = self.find(name)
        if file is None:
            raise self.not_found(str(name))
        return file

    def find(self, name: str) -> File | None:
        """Find the file of a prompt, be it broken or not; None where there is none."""
        return self._loader.find(name)

    def skill_around(self, name: str) -> str | None:
        """Return the folder of the skill that a name lies in, or None."""
        return self._loader.source.skill_around(check_name(name))

    def parse(self, file: File) -> Prompt:
        """Parse a file that may become one of its prompts; it is not parsed again then.

        Raises:
            PromptFileError: The file is broken.
        """
        return self._loader.cache.read(file)

    def not_found(self, name: str) -> PromptNotFoundError:
        """Make the error that says that a prompt is not here, with what may help."""
        return self._loader.not_found(name)


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


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let Python look for garbage later: among thousands of new prompts that takes long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _mentions(prompt: Prompt, folded: str) -> bool:
    words = [prompt.name or "", prompt.description or "", *prompt.tags]
    words += [text for _, text in texts(prompt)]
    return any(folded in word.casefold() for word in words)


def _labels_of(table: LabelTable, name: str, number: int) -> tuple[str, ...]:
    """List the labels that point a prompt at a version, sorted."""
    of_name = {label: names[name] for label, names in table.targets.items() if name in names}
    return tuple(sorted(label for label in of_name if of_name[label].version == number))
