"""A snapshot: all prompts as of one commit, or of one moment of a folder."""

from __future__ import annotations

import builtins
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from promptstore.errors import (
    InvalidNameError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    RepositoryError,
)
from promptstore.history.backend import OverlaidSource
from promptstore.history.cache import ContentCache, included_names
from promptstore.history.labels import LabelTable
from promptstore.history.sources import File, Source
from promptstore.history.versions import Change
from promptstore.model.prompt import Prompt, identified, own_copy, texts
from promptstore.model.rendering import RenderedPrompt
from promptstore.model.values import check_name, is_name, near_matches
from promptstore.model.versions import PromptInfo
from promptstore.store.arguments import check_arguments
from promptstore.template import Limits

if TYPE_CHECKING:
    from promptstore.store.lookup import History

_LOADED_AT_ONCE: Final = 500


class Snapshot(Mapping[str, Prompt]):
    """All prompts as of one commit: an immutable mapping from name to prompt.

    Tombstoned prompts are not in it; `read` and `list` give them on request. A broken file counts
    as present: reading it raises `PromptFileError`, never `KeyError`.

    Attributes:
        commit: The commit that it shows, or None for a folder.
        place: What it shows, in words, for example ``main (3f2a91c)``.
        history: What tells the versions of its prompts, or None where that is not known.
    """

    def __init__(
        self,
        source: Source,
        *,
        cache: ContentCache,
        history: History | None,
        labels: Callable[[], LabelTable],
        limits: Limits,
        read: Callable[[str], Prompt] | None = None,
    ) -> None:
        self.commit = source.commit
        self.place = source.place
        self.history = history
        self._source = source
        self._cache = cache
        self._labels = labels
        self._limits = limits
        self._names: tuple[str, ...] | None = None
        self._loader = _Loader(source, cache, history, limits, read)

    def __getitem__(self, name: str) -> Prompt:
        try:
            return self.read(name)
        except InvalidNameError:
            raise self.not_found(str(name)) from None  # a mapping raises KeyError

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or self.find(name) is None:
            return False
        try:
            return not self._load(name).deleted
        except PromptFileError:
            return True

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.names() if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Snapshot of {self.place}>"

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
        return own_copy(self.load(name, deleted=deleted))

    def load(self, name: str, *, deleted: bool = False) -> Prompt:
        """Read one prompt as `read` does, but not as the caller's own copy."""
        prompt = self._load(name)
        if prompt.deleted and not deleted:
            raise self.deleted(prompt)
        return prompt

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
        return history.info(name, made, self._labels()) if history else PromptInfo(name=name)

    def infos(self, names: Sequence[str]) -> dict[str, PromptInfo]:
        """Return `info` of many prompts by name, which takes less than asking about each."""
        check_arguments(names=names)
        files = {name: file.blob for name in names if (file := self.find(name))}
        if self.history is None:
            return {name: PromptInfo(name=name) for name in files}
        return self.history.infos(files, self._labels())

    def labels(self) -> LabelTable:
        """Return all labels, as they were when it was taken."""
        return self._labels()

    def names(self, prefix: str = "") -> builtins.list[str]:
        """List the names of all files, tombstones and broken ones too, parsing nothing.

        Args:
            prefix: Only names that start with it, such as ``support/``.

        Returns:
            The names, sorted.
        """
        check_arguments(prefix=prefix)
        if self._names is None:
            self._names = tuple(self._source.names())
        if not prefix:
            return [*self._names]
        return [name for name in self._names if name.startswith(prefix)]

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
                    prompt = self._load(name)
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
        return Snapshot(
            OverlaidSource(self._source, files),
            cache=self._cache,
            history=self.history,
            labels=self._labels,
            limits=self._limits,
        )

    def unrecognized(self) -> tuple[str, ...]:
        """List the paths of files under the root that look like prompts but have no usable name."""
        return tuple(self._source.unrecognized())

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
        return self._source.find(name) if is_name(name) else None

    def skill_around(self, name: str) -> str | None:
        """Return the folder of the skill that a name lies in, or None."""
        return self._source.skill_around(name)

    def parse(self, file: File) -> Prompt:
        """Parse a file that may become one of its prompts; it is not parsed again then.

        Raises:
            PromptFileError: The file is broken.
        """
        return self._cache.read(file)

    def not_found(self, name: str) -> PromptNotFoundError:
        """Make the error that says that a prompt is not here, with what may help."""
        return PromptNotFoundError(
            name=name,
            place=self.place,
            near=near_matches(name, self.names()),
            note=self.history.removal_note(name) if self.history and is_name(name) else "",
        )

    def _load(self, name: str) -> Prompt:
        return self._loader.loaded.get(name) or self._loader.load(name, self.file(name))

    def deleted(self, prompt: Prompt) -> PromptDeletedError:
        """Make the error that says that a prompt of this snapshot is tombstoned."""
        commit = self.history.tombstone(prompt.name or "") if self.history else None
        return PromptDeletedError(
            name=prompt.name or "",
            place=self.place,
            deleted_at=commit.committed_at.isoformat() if commit else None,
            deleted_by=commit.author if commit else None,
            reason=prompt.deleted_reason,
            replaced_by=prompt.replaced_by,
        )


class _Loader:
    """Loads the prompts of a snapshot, each once. Threads may share it."""

    def __init__(
        self,
        source: Source,
        cache: ContentCache,
        history: History | None,
        limits: Limits,
        read: Callable[[str], Prompt] | None,  # where each is read as of a commit of its own
    ) -> None:
        self.loaded: dict[str, Prompt] = {}
        self._source = source
        self._cache = cache
        self._history = history
        self._limits = limits
        self._read = read
        self._changes: Mapping[str, Change] | None = None

    def load(self, name: str, file: File) -> Prompt:
        if self._read is not None:
            prompt = self._read(name)
        else:
            prompt = self._identified(name, file.blob, self._cache.read(file))
        self.loaded[name] = prompt
        return prompt

    def load_all(self) -> None:
        """Load every prompt that was parsed before, in a fraction of the time of one by one."""
        if self._changes is not None or self._read is not None:
            return
        changes: Mapping[str, Change] = {}
        with suppress(RepositoryError):
            changes = self._history.timeline.latest_of_all() if self._history else {}
        self._changes = changes
        pending = iter(self._source.blobs().items())
        while chunk := list(islice(pending, _LOADED_AT_ONCE)):
            self._cache.prefetch(blob for _, blob in chunk)
            for name, blob in chunk:
                content = self._cache.known(blob)
                if content is not None and name not in self.loaded:
                    self.loaded[name] = self._identified(name, blob, content)

    def _identified(self, name: str, blob: str, content: Prompt) -> Prompt:
        change = None
        # A text can be had where an old commit is missing, so that nobody knows its version.
        with suppress(RepositoryError):
            if self._changes is not None:
                change = self._changes.get(name)
            elif self._history is not None:
                change = self._history.timeline.latest(name)
        # The file on disk may differ from the newest commit.
        known = change if change and change.blob == blob else None
        return identified(
            content,
            name=name,
            version=known.number if known else None,
            commit=known.commit if known else None,
            snapshot_commit=self._source.commit,
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
            file = self._source.find(name)
            if file is not None:
                found[name] = self._cache.read(file)
                pending += included_names(found[name])
        return found


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
