"""The versions of the prompts of a snapshot, and who made them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from promptstore.errors import PromptFileError, VersionNotFoundError
from promptstore.git.objects import Commit
from promptstore.history.backend import Backend
from promptstore.history.cache import ContentCache
from promptstore.history.labels import LabelTable
from promptstore.history.sources import File
from promptstore.history.versions import Change, Timeline
from promptstore.model.versions import PromptInfo, Version


class History(NamedTuple):
    """What tells the versions of the prompts of a snapshot.

    Attributes:
        timeline: The versions as of the snapshot's commit.
        backend: Where their commits and files are.
        cache: Where their parsed files are kept.
    """

    timeline: Timeline
    backend: Backend
    cache: ContentCache

    def commit(self, commit_id: str) -> Commit:
        """Read one commit."""
        return self.backend.commit(commit_id)

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
            labels=labels.of(name, change.number),
        )

    def tombstone(self, name: str) -> Commit | None:
        """Return the commit that set the tombstone, which later edits may have followed."""
        tombstone: Change | None = None
        for change in self.timeline.history(name):
            if change.entry is None or not self.is_tombstone(change.entry.id):
                break
            tombstone = change
        return self.commit(tombstone.commit) if tombstone else None

    def removal_note(self, name: str) -> str:
        """Return who removed the file of a prompt and when, in a sentence; else nothing."""
        change = self.timeline.latest(name)
        if change is None or change.entry is not None:
            return ""
        commit = self.commit(change.commit)
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
        born, commit = self.commit(first.commit), self.commit(made.commit)
        return PromptInfo(
            name=name,
            version=made.number,
            commit=made.commit,
            created_at=born.committed_at,
            created_by=born.author,
            updated_at=commit.committed_at,
            updated_by=commit.author,
            labels=labels.of(name, made.number),
        )
