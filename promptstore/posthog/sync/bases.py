"""The base of each prompt: the newest state of the remote that this branch has taken in.

The repository may know a state of the remote that is no part of the branch: it was pulled on
another branch or another machine, or waits on a branch for review. With such a base git's side
would look changed where it is only behind, and a push would take the remote's change back. So a
base counts where the branch holds the commit that took it in; or, since branches are squashed and
rebased, a commit that names the remote's version in its trailers; or a version of the same content.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import chain

from promptstore.errors import (
    HistoryUnavailableError,
    PromptFileError,
    PromptNotFoundError,
    RepositoryError,
    SyncRefusedError,
)
from promptstore.git.revs import is_ancestor
from promptstore.model.versions import Version
from promptstore.posthog.sync.remote import Codec
from promptstore.posthog.sync.state import DELETED, RemoteRecord, trailers_of
from promptstore.store.store import PromptStore


class BranchHistory:
    """What the store's branch has held.

    Args:
        store: The store.
        remote: The remote's name in the configuration.
        tip: The newest commit that counts.
        codec: Writes a prompt as the remote would hold it.
    """

    def __init__(self, store: PromptStore, remote: str, tip: str | None, codec: Codec) -> None:
        self._store = store
        self._remote = remote
        self._codec = codec
        self._digests: dict[tuple[str, str], str] = {}
        self._is_in = cache(
            lambda commit: tip is not None and is_ancestor(store.repository, commit, tip)
        )

    def contains(self, commit: str | None) -> bool:
        """Return whether a commit is part of the branch, or is not known at all."""
        return commit is None or self._is_in(commit)

    def has_taken(
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
        if self.contains(record.synced):
            return True
        try:
            versions = self._store.history(name)
        except PromptNotFoundError:
            return False
        except HistoryUnavailableError:
            return None
        named = {f"{key}: {value}" for key, value in trailers_of(self._remote, record).items()}
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

    def digests(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the numbers and digests of all versions of a prompt, the newest first.

        Raises:
            HistoryUnavailableError: Versions cannot be counted here.
        """
        return ((one.number, self._digest(name, one)) for one in self._store.history(name))

    def since(self, name: str, base: RemoteRecord | None) -> dict[str, str]:
        """Return the commits of a prompt's versions by digest, as far as they came after a base.

        Args:
            name: The prompt's name.
            base: The base; None for all versions.
        """
        found: dict[str, str] = {}
        synced = base.synced if base and base.synced and self.contains(base.synced) else None
        with suppress(HistoryUnavailableError, PromptNotFoundError):
            for version in self._store.history(name):
                digest = self._digest(name, version)
                if synced is None:
                    is_over = base is not None and digest == base.digest
                else:
                    is_over = is_ancestor(self._store.repository, version.commit, synced)
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
            return self._codec.encode(self._store.snapshot(commit).read(name)).digest
        except (PromptFileError, SyncRefusedError, RepositoryError):
            # What cannot be read is like no other content.
            return ""


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}


def find_bases(
    known: Mapping[str, RemoteRecord],
    here: Mapping[str, str],
    there: Mapping[str, RemoteRecord],
    branch: BranchHistory,
    *,
    sources: Mapping[str, str],
    past: Callable[[Collection[str]], Mapping[str, list[RemoteRecord]]],
    missed: Callable[[str, int], Iterable[RemoteRecord]],
) -> dict[str, RemoteRecord]:
    """Find the base of each prompt.

    Args:
        known: What the remote held last, as far as the repository knows.
        here: The digests of git's side.
        there: What the remote holds now.
        branch: What the branch has held.
        sources: The beginnings of the commits that the remote's prompts say they are from.
        past: Returns what the remote ever held of some prompts, newest first.
        missed: Yields what the remote held after a version of a prompt, newest first, but for what
            it holds now.

    Returns:
        The bases by name; a prompt without one has no common past.
    """
    found: dict[str, RemoteRecord] = {}
    doubtful: list[str] = []
    for name, record in known.items():
        digest = here.get(name, DELETED)
        if digest == record.digest or branch.contains(record.synced):
            found[name] = record
        else:
            doubtful.append(name)
    older = past(doubtful) if doubtful else {}
    for name in doubtful:
        base = _older_base(name, known[name], older[name], branch)
        if base is not None:
            found[name] = base
    bases = {name: _now(name, base, here, there.get(name), branch) for name, base in found.items()}
    for name in there.keys() | bases.keys():
        base, seen = bases.get(name), there.get(name)
        local, remote = here.get(name, DELETED), DELETED if seen is None else seen.digest
        if remote in (local, DELETED if base is None else base.digest):
            continue
        pushed = _unrecorded(name, base, seen, branch, missed)
        # A text that git had in between may come from the remote, unless that says otherwise.
        is_sure = pushed is not None and (pushed.synced or "")[:12] == sources.get(name)
        if pushed is not None and (base is None or local != base.digest or is_sure):
            bases[name] = pushed
    return bases


def _unrecorded(
    name: str,
    base: RemoteRecord | None,
    seen: RemoteRecord | None,
    branch: BranchHistory,
    missed: Callable[[str, int], Iterable[RemoteRecord]],
) -> RemoteRecord | None:
    """Find a newer state of both sides, which a sync that was killed could not record."""
    since = branch.since(name, base)
    if seen is None:
        is_deleted = base is not None and DELETED in since
        return replace(base, deleted=True, synced=since[DELETED]) if base and is_deleted else None
    if not since:
        return None
    for one in chain([seen], missed(name, base.version if base else 0)):
        if one.digest in since:
            labels = base.labels if base else {}
            return replace(one, synced=since[one.digest], labels=labels)
    return None


def _older_base(
    name: str, record: RemoteRecord, past: list[RemoteRecord], branch: BranchHistory
) -> RemoteRecord | None:
    """Find the newest state that the branch has taken in; None where there is none."""
    if branch.has_taken(name, record, past) is not False:
        return record
    for one in past:
        if branch.has_taken(name, one, [record, *past]):
            return one
    # What the remote has no more is not made anew by a branch that has not heard of it.
    return replace(record, deleted=False) if record.deleted else None


def _now(
    name: str,
    base: RemoteRecord,
    here: Mapping[str, str],
    seen: RemoteRecord | None,
    branch: BranchHistory,
) -> RemoteRecord:
    """Count what was pending and is merged by now, and what both sides brought back."""
    if seen is None:
        return base
    if base.pending is not None and base.pending.digest == seen.digest:
        offer = replace(seen, synced=base.pending.commit)
        if branch.has_taken(name, offer, [base]) is True:
            return replace(offer, labels=base.labels)
    # What is deleted and pending was never on both sides; see `Actions.offer`.
    is_back = base.deleted and base.pending is None and here.get(name, DELETED) != DELETED
    return replace(base, deleted=False) if is_back else base
