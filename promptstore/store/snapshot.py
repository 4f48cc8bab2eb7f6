"""A snapshot: all prompts as of one commit, or of one moment of a folder."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from promptstore.errors import PromptDeletedError, PromptFileError, PromptNotFoundError
from promptstore.git import Commit, Repository
from promptstore.history.contents import ContentCache, included_names
from promptstore.history.labels import LabelTable
from promptstore.history.sources import File, OverlaidSource, Source
from promptstore.history.versions import Change, Timeline
from promptstore.model.names import check_name, is_name, near_matches
from promptstore.model.prompt import Content, Prompt, unread_prompt
from promptstore.model.rendering import RenderedPrompt, render_prompt, texts
from promptstore.model.values import FrozenDict
from promptstore.template import Limits


class History(NamedTuple):
    """What tells the versions of the prompts of a snapshot.

    Attributes:
        timeline: The versions as of the snapshot's commit.
        repository: Where their commits and files are.
        cache: Where their parsed files are kept.
    """

    timeline: Timeline
    repository: Repository
    cache: ContentCache

    def commit(self, commit_id: str) -> Commit:
        """Read one commit."""
        return self.repository.commit(commit_id)

    def is_tombstone(self, blob: str) -> bool:
        """Tell whether a version's file says that the prompt is deleted; a broken one does not."""
        try:
            return self.cache.read(File(blob, blob, partial(self.repository.blob, blob))).deleted
        except PromptFileError:
            return False


class _Reader:
    """Reads what a snapshot's prompts leave for later; keeps nothing of the snapshot alive.

    Args:
        history: What tells the versions, or None where that is not known.
        labels: The labels.
        cache: Where parsed files are kept.
    """

    def __init__(self, history: History | None, labels: LabelTable, cache: ContentCache) -> None:
        self._history = history
        self._labels = labels
        self._cache = cache
        self._latest: Mapping[str, Change] | None = None
        self._first: Mapping[str, Change] | None = None
        self.expects_all = False
        """Whether many prompts are likely to be asked for their facts."""

    def read_content(self, blob: str, stored: bytes) -> Content:
        """Give what the file of a blob says, from what was stored of it."""
        return self._cache.rebuild(blob, stored)

    def read_facts(self, name: str, blob: str) -> dict[str, Any]:
        """Tell which version a prompt is, who made it and when."""
        first, latest = self._ends(name) or (None, None)
        if first is None or latest is None or latest.entry is None or latest.entry.id != blob:
            # History is not known, or the file on disk differs from the newest commit.
            version, made, born = None, None, None
        else:
            version, made = latest.number, self._commit(latest.commit)
            born = self._commit(first.commit)
        return {
            "version": version,
            "commit": made.id if made else None,
            "created_at": born.committed_at if born else None,
            "created_by": born.author if born else None,
            "updated_at": made.committed_at if made else None,
            "updated_by": made.author if made else None,
            "labels": self._labels.of(name, version),
        }

    def _ends(self, name: str) -> tuple[Change, Change] | None:
        """Find the first and the newest version."""
        if self._history is None:
            return None
        timeline = self._history.timeline
        if self.expects_all and self._latest is None:
            # Asking the index once about all takes less than asking about each.
            self._first = timeline.first_of_all()
            self._latest = timeline.latest_of_all()
        if self._latest is None or self._first is None:
            return timeline.ends(name)
        return (self._first[name], self._latest[name]) if name in self._latest else None

    def _commit(self, commit_id: str) -> Commit | None:
        return self._history.commit(commit_id) if self._history else None


class Snapshot(Mapping[str, Prompt]):
    """All prompts as of one commit: an immutable mapping from name to prompt.

    Tombstoned prompts are not in it; `read` and `list` give them on request. A broken file counts
    as present: reading it raises `PromptFileError`, never `KeyError`.

    Attributes:
        history: What tells the versions of its prompts, or None where that is not known.
    """

    def __init__(
        self,
        source: Source,
        *,
        cache: ContentCache,
        history: History | None,
        labels: LabelTable,
        limits: Limits,
    ) -> None:
        self._source = source
        self._cache = cache
        self.history = history
        self._labels = labels
        self._limits = limits
        self._prompts: dict[str, Prompt] = {}
        self._names: tuple[str, ...] | None = None
        self._reader = _Reader(history, labels, cache)

    @property
    def commit(self) -> str | None:
        """The commit that it shows, or None for a folder."""
        return self._source.commit

    @property
    def place(self) -> str:
        """What it shows, in words, for example ``main (3f2a91c)``."""
        return self._source.place

    def __getitem__(self, name: str) -> Prompt:
        prompt = self._load(name)
        if prompt.deleted:
            raise self.deleted(prompt)
        return prompt

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or self._source.find(name) is None:
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
        return f"<Snapshot of {self._source.place}>"

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
        return self._load(name) if deleted else self[name]

    def names(self, prefix: str = "") -> builtins.list[str]:
        """List the names of all files, tombstones and broken ones too, parsing nothing.

        Args:
            prefix: Only names that start with it, such as ``support/``.

        Returns:
            The names, sorted.
        """
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
        self._load_all()
        listed: builtins.list[Prompt] = []
        broken: builtins.list[PromptFileError] = []
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
                listed.append(prompt)
        self._cache.save()
        return listed, broken

    def render(self, name: str, variables: Mapping[str, Any] | None = None) -> RenderedPrompt:
        """Render one prompt; see `Prompt.render` for the errors.

        Args:
            name: The prompt's name.
            variables: The values by variable name.
        """
        return render_prompt(self.read(name), variables or {})

    def overlaid(self, files: Mapping[str, File]) -> Snapshot:
        """Give the same prompts with some files replaced.

        Args:
            files: The new files by prompt name.

        Returns:
            A snapshot in which the replaced prompts have no version yet.
        """
        return Snapshot(
            OverlaidSource(self._source, files),
            cache=self._cache,
            history=self.history,
            labels=self._labels,
            limits=self._limits,
        )

    def strays(self) -> tuple[str, ...]:
        """List the paths of files under the root that look like prompts but have no usable name."""
        return tuple(self._source.strays())

    def file(self, name: str) -> File:
        """Find the file of a prompt, be it broken or not.

        Args:
            name: The prompt's name.

        Returns:
            The file.

        Raises:
            PromptNotFoundError: There is no such file.
        """
        file = self._source.find(name)
        if file is None:
            raise self.not_found(name)
        return file

    def find(self, name: str) -> File | None:
        """Find the file of a prompt, be it broken or not; None where there is none."""
        return self._source.find(name)

    def parse(self, file: File) -> Content:
        """Parse a file that may become one of its prompts; it is not parsed again then.

        Args:
            file: The file.

        Returns:
            What it says.

        Raises:
            PromptFileError: The file is broken.
        """
        if self._cache.has(file.blob):
            return self._cache.read(file)
        return self._cache.prepare(file).content

    def foresee(self, files: Iterable[File]) -> None:
        """Look at once for what many files were parsed to before; see `ContentCache.foresee`."""
        self._cache.foresee(file.blob for file in files)

    def not_found(self, name: str) -> PromptNotFoundError:
        """Make the error that says that a prompt is not here, with what may help."""
        return PromptNotFoundError(
            name=name,
            place=self._source.place,
            near=near_matches(name, self.names()),
            note=self._removal_note(name),
        )

    def _load(self, name: str) -> Prompt:
        prompt = self._prompts.get(name)
        if prompt is None:
            file = self.file(name)
            prompt = self._prompts[name] = self._identified(name, file.blob, file)
        return prompt

    def _load_all(self) -> None:
        """Load every prompt whose file is sound, in a fraction of the time of one by one."""
        if self._reader.expects_all:
            return
        blobs = self._source.blobs()
        self._names = tuple(blobs)
        self._cache.foresee(blobs.values())
        for name, blob in blobs.items():
            if name not in self._prompts:
                # A broken file is told when its prompt is asked for.
                with suppress(PromptFileError):
                    if not self._cache.has(blob):
                        self._cache.prepare(self.file(name))
                    self._prompts[name] = self._identified(name, blob, None)
        self._reader.expects_all = True

    def _identified(self, name: str, blob: str, file: File | None) -> Prompt:
        content: Content | bytes | None = self._cache.waiting(blob)
        rest: dict[str, Any] = {"deleted": False}
        if content is None:
            content = self._cache.read(file or self.file(name))
            included = included_names(content)
            rest = {"includes": FrozenDict(self._includes(included))} if included else {}
        return unread_prompt(
            self._reader,
            content,
            name=name,
            snapshot_commit=self._source.commit,
            blob=blob,
            limits=self._limits,
            **rest,
        )

    def _includes(self, included: builtins.list[str]) -> dict[str, Prompt]:
        """Collect what is included, directly or not; what is missing is left out."""
        found: dict[str, Prompt] = {}
        pending = [*included]
        while pending:
            name = pending.pop()
            if name in found or not is_name(name):
                continue
            file = self._source.find(name)
            if file is not None:
                found[name] = self._cache.read_prompt(file)
                pending += included_names(found[name])
        return found

    def _change(self, name: str) -> Change | None:
        if self.history is None:
            return None
        return self.history.timeline.latest(name)

    def _commit(self, commit_id: str) -> Commit | None:
        return self.history.commit(commit_id) if self.history else None

    def _removal_note(self, name: str) -> str:
        change = self._change(name)
        commit = self._commit(change.commit) if change and change.entry is None else None
        if change is None or commit is None:
            return ""
        return (
            f"Its file was removed on {commit.committed_at.isoformat()} by {commit.author} "
            f"(commit {commit.id[:7]}); version {change.number - 1} can still be read."
        )

    def deleted(self, prompt: Prompt) -> PromptDeletedError:
        """Make the error that says that a prompt of this snapshot is tombstoned."""
        commit = self._tombstone_commit(prompt.name or "")
        return PromptDeletedError(
            name=prompt.name or "",
            place=self._source.place,
            deleted_at=commit.committed_at.isoformat() if commit else None,
            deleted_by=commit.author if commit else None,
            reason=prompt.deleted_reason,
            replaced_by=prompt.replaced_by,
        )

    def _tombstone_commit(self, name: str) -> Commit | None:
        """Find the commit that set the tombstone, which later edits may have followed."""
        if self.history is None:
            return None
        tombstone: Change | None = None
        for change in self.history.timeline.history(name):
            if change.entry is None or not self.history.is_tombstone(change.entry.id):
                break
            tombstone = change
        return self._commit(tombstone.commit) if tombstone else None


class LabelledSnapshot(Snapshot):
    """The prompts that have a label, each read as of the commit that the label points at."""

    def __init__(
        self,
        source: Source,
        *,
        read: Callable[[str], Prompt],
        cache: ContentCache,
        labels: LabelTable,
        limits: Limits,
    ) -> None:
        super().__init__(source, cache=cache, history=None, labels=labels, limits=limits)
        self._read = read

    def _load(self, name: str) -> Prompt:
        self.file(name)
        return self._read(name)

    def _load_all(self) -> None:
        """Load nothing: each prompt is read as of a commit of its own."""


def _mentions(prompt: Prompt, folded: str) -> bool:
    words = [prompt.name or "", prompt.description or "", *prompt.tags]
    words += [text for _, text in texts(prompt)]
    return any(folded in word.casefold() for word in words)
