"""The base of a prompt: the newest state of the remote that this branch has taken in.

The repository may know a state of the remote that is no part of the branch: it was pulled on
another branch or another machine, or waits on a branch for review. With such a base git's side
would look changed where it is only behind, and a push would take the remote's change back. So a
base counts where the branch holds the commit that took it in; or, since branches are squashed and
rebased, a commit that names the remote's version in its trailers; or a version of the same content.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from promptstore.errors import (
    HistoryUnavailableError,
    PromptFileError,
    PromptNotFoundError,
    RepositoryError,
    SyncRefusedError,
)
from promptstore.git.objects import Entry
from promptstore.git.revs import is_ancestor
from promptstore.model.versions import Version
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync.remote import Codec, RemotePrompts
from promptstore.posthog.sync.state import DELETED, RemoteRecord, RemoteState, trailers_of
from promptstore.store.store import PromptStore

_MAX_MISSED: Final = 20
"""How many versions of a remote are looked at for one that was pushed and not recorded."""


@dataclass(frozen=True)
class SyncHistory:
    """What both sides held before, as far as it must be known.

    Attributes:
        store: The store.
        state: What the remote held at each sync.
        api: The remote.
        codec: Writes a prompt as the remote would hold it.
        tip: The newest commit of the branch that counts.
    """

    store: PromptStore
    state: RemoteState
    api: RemotePrompts
    codec: Codec
    tip: str | None
    _digests: dict[tuple[str, str], str] = field(default_factory=dict)
    _contained: dict[str, bool] = field(default_factory=dict)

    def base(
        self, name: str, known: RemoteRecord | None, local: str, row: RemotePrompt | None
    ) -> RemoteRecord | None:
        """Find the base of a prompt.

        Args:
            name: The prompt's name.
            known: What the remote held at the last sync that the repository knows of.
            local: The digest of git's side, or `DELETED`.
            row: What the remote holds now.

        Returns:
            The base; None where both sides have no common past.
        """
        seen = self._record(row) if row else None
        base = known
        if known and local != known.digest and not self._contains(known.synced):
            base = self._taken_in(name, known)
        if base and seen:
            base = self._now(name, base, local, seen)
        if (seen.digest if seen else DELETED) in (local, base.digest if base else DELETED):
            return base
        pushed = self._unrecorded(name, base, row)
        if pushed is None:
            return base
        # A text that git had in between may come from the remote, unless that says otherwise.
        source = (row.version_description or "").partition(" ")[0] if row else ""
        is_sure = (pushed.synced or "")[:12] == source
        return pushed if base is None or local != base.digest or is_sure else base

    def remote_past(self, name: str) -> list[RemoteRecord]:
        """List what the remote ever held of a prompt, newest first, as far as is known."""
        return [self.state.load(entry, self.codec) for entry in self._files.get(name, ())]

    def local_past(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the numbers and digests of all versions in git, newest first.

        Raises:
            HistoryUnavailableError: Versions cannot be counted here.
        """
        return ((one.number, self._digest(name, one)) for one in self.store.history(name))

    @cached_property
    def _files(self) -> dict[str, list[Entry]]:
        return self.state.past()

    def _record(self, row: RemotePrompt) -> RemoteRecord:
        return RemoteRecord.of(row, self.codec.read(row))

    def _contains(self, commit: str | None) -> bool:
        """Return whether a commit is part of the branch, or is not known at all."""
        if commit is None:
            return True
        if commit not in self._contained:
            is_in = self.tip is not None and is_ancestor(self.store.repository, commit, self.tip)
            self._contained[commit] = is_in
        return self._contained[commit]

    def _taken_in(self, name: str, known: RemoteRecord) -> RemoteRecord | None:
        """Find the newest state that the branch has taken in; None where there is none."""
        past = self.remote_past(name)
        if self._has_taken(name, known, past) is not False:
            return known
        for one in past:
            if self._has_taken(name, one, [known, *past]):
                return one
        # What the remote has no more is not made anew by a branch that has not heard of it.
        return replace(known, deleted=False) if known.deleted else None

    def _has_taken(
        self, name: str, record: RemoteRecord, others: Collection[RemoteRecord]
    ) -> bool | None:
        """Return whether the branch has taken in what the remote held.

        Args:
            name: The prompt's name.
            record: What the remote held, and the commit that took it in.
            others: Other states that the remote was in. A version with the content of one of them
                is from before, and so is all that is older.

        Returns:
            Whether it has; None where the history is not known, as in a shallow clone.
        """
        if self._contains(record.synced):
            return True
        try:
            versions = self.store.history(name)
        except PromptNotFoundError:
            return False
        except HistoryUnavailableError:
            return None
        named = {f"{key}: {value}" for key, value in trailers_of(self.state.remote, record).items()}
        apart = [one for one in others if one.digest != record.digest]
        # Where a remote counts no versions, an older state may have had the same trailers.
        if all((one.id, one.version) != (record.id, record.version) for one in apart) and any(
            named <= _lines(version.message) for version in versions
        ):
            return True
        before = {one.digest for one in apart}
        for version in versions:
            digest = self._digest(name, version)
            if digest == record.digest or named <= _lines(version.message):
                return True
            if digest in before:
                return False
        return False

    def _now(self, name: str, base: RemoteRecord, local: str, seen: RemoteRecord) -> RemoteRecord:
        """Count what was pending and is merged by now, and what both sides brought back."""
        if base.pending is not None and base.pending.digest == seen.digest:
            offer = replace(seen, synced=base.pending.commit)
            if self._has_taken(name, offer, [base]) is True:
                return replace(offer, labels=base.labels)
        # What is deleted and pending was never on both sides; see `offer` in pulling.
        is_back = base.deleted and base.pending is None and local != DELETED
        return replace(base, deleted=False) if is_back else base

    def _unrecorded(
        self, name: str, base: RemoteRecord | None, row: RemotePrompt | None
    ) -> RemoteRecord | None:
        """Find a newer state of both sides, which a sync that was killed could not record."""
        since = self._since(name, base)
        if row is None:
            is_deleted = base is not None and DELETED in since
            return base.archived(since[DELETED]) if base and is_deleted else None
        for one in self._later(row, base.version if base else 0) if since else ():
            if one.digest in since:
                labels = base.labels if base else {}
                return replace(one, synced=since[one.digest], labels=labels)
        return None

    def _later(self, row: RemotePrompt, after: int) -> Iterator[RemoteRecord]:
        """Yield what the remote held after a version, newest first."""
        yield self._record(row)
        for number in range(row.version - 1, max(after, row.version - 1 - _MAX_MISSED), -1):
            found = self.api.read(row.name, number)
            if found is not None:
                yield self._record(found)

    def _since(self, name: str, base: RemoteRecord | None) -> dict[str, str]:
        """Return the commits of a prompt's versions by digest, as far as they came after a base."""
        found: dict[str, str] = {}
        synced = base.synced if base and base.synced and self._contains(base.synced) else None
        with suppress(HistoryUnavailableError, PromptNotFoundError):
            for version in self.store.history(name):
                digest = self._digest(name, version)
                if synced is None:
                    is_over = base is not None and digest == base.digest
                else:
                    is_over = is_ancestor(self.store.repository, version.commit, synced)
                if is_over:
                    break
                found.setdefault(digest, version.commit)
        return found

    def _digest(self, name: str, version: Version) -> str:
        key = (name, version.commit)
        if key not in self._digests:
            self._digests[key] = DELETED if version.deleted else self._read_digest(*key)
        return self._digests[key]

    def _read_digest(self, name: str, commit: str) -> str:
        try:
            return self.codec.encode(self.store.snapshot(commit).read(name)).digest
        except (PromptFileError, SyncRefusedError, RepositoryError):
            # What cannot be read is like no other content.
            return ""


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}
