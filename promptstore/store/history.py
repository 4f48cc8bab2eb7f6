"""The versions of the prompts of a snapshot, and who made them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from promptstore.errors import PromptFileError, VersionNotFoundError
from promptstore.git.objects import Commit
from promptstore.history.backend import Backend, Timeline
from promptstore.history.contents import ContentCache
from promptstore.history.labels import LabelTable
from promptstore.history.sources import File
from promptstore.history.versions import Change
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

    def info(self, name: str, blob: str, labels: LabelTable) -> PromptInfo:
        """Return who made the newest version of a prompt, where its file holds that."""
        return self._info(name, blob, self._ends(name), labels)

    def infos(self, blobs: Mapping[str, str], labels: LabelTable) -> dict[str, PromptInfo]:
        """Return `info` of many prompts, which takes less than asking about each."""
        first, latest = self.timeline.first_of_all(), self.timeline.latest_of_all()
        return {
            name: self._info(
                name, blob, (first[name], latest[name]) if name in latest else None, labels
            )
            for name, blob in blobs.items()
        }

    def version_info(self, name: str, number: int, labels: LabelTable) -> PromptInfo:
        """Return who made one version of a prompt.

        Raises:
            VersionNotFoundError: It has no such version.
        """
        ends, change = self._ends(name), self.timeline.nth(name, number)
        if ends is None or change is None:
            latest = ends[1].number if ends else 0
            raise VersionNotFoundError(name=name, version=number, latest=latest)
        return self._info(name, change.blob, (ends[0], change), labels)

    def _ends(self, name: str) -> tuple[Change, Change] | None:
        """Return the first and the newest version of a prompt, or None where it never existed."""
        latest = self.timeline.latest(name)
        first = latest if latest is None or latest.number == 1 else self.timeline.nth(name, 1)
        return (first, latest) if first and latest else None

    def _info(
        self, name: str, blob: str | None, ends: tuple[Change, Change] | None, labels: LabelTable
    ) -> PromptInfo:
        # The file on disk may differ from the newest commit.
        if ends is None or ends[1].blob != blob:
            return PromptInfo(name=name)
        born, made = self.commit(ends[0].commit), self.commit(ends[1].commit)
        return PromptInfo(
            name=name,
            version=ends[1].number,
            commit=ends[1].commit,
            created_at=born.committed_at,
            created_by=born.author,
            updated_at=made.committed_at,
            updated_by=made.author,
            labels=labels.of(name, ends[1].number),
        )
