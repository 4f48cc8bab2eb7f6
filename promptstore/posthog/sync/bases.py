"""The base of each prompt: the newest state of the remote that this branch has taken in.

The repository may know a state of the remote that is no part of the branch: it was pulled on
another branch or another machine, or waits on a branch for review. With such a base git's side
would look changed where it is only behind, and a push would take the remote's change back. So a
base counts where the branch holds the commit that took it in; or, since branches are squashed and
rebased, a commit that names the remote's version in its trailers; or a version of the same content.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache

from promptstore.errors import (
    HistoryUnavailableError,
    PromptFileError,
    PromptNotFoundError,
    RepositoryError,
    SyncRefusedError,
)
from promptstore.git import is_ancestor
from promptstore.model.prompt import Prompt
from promptstore.model.versions import Version
from promptstore.posthog.sync.encoding import Wire
from promptstore.posthog.sync.planning import DELETED
from promptstore.posthog.sync.state import Held, trailers_of
from promptstore.store.store import PromptStore

Encode = Callable[[Prompt], Wire]
"""Writes a prompt as the remote would hold it."""


class BranchPast:
    """What the store's branch has held.

    Args:
        store: The store.
        remote: The remote's name in the configuration.
        tip: The newest commit that counts.
        encode: Writes a prompt as the remote would hold it.

    Attributes:
        encode: The same.
    """

    def __init__(self, store: PromptStore, remote: str, tip: str | None, encode: Encode) -> None:
        self._store = store
        self._remote = remote
        self.encode = encode
        self._digests: dict[tuple[str, str], str] = {}
        self._is_in = cache(
            lambda commit: tip is not None and is_ancestor(store.repository, commit, tip)
        )

    def contains(self, commit: str | None) -> bool:
        """Tell whether a commit is part of the branch, or is not known at all."""
        return commit is None or self._is_in(commit)

    def has_taken_in(self, name: str, held: Held, others: Collection[Held]) -> bool | None:
        """Tell whether the branch has taken in what the remote held.

        Args:
            name: The prompt's name.
            held: What the remote held, and the commit that took it in.
            others: Other states that the remote was in. A version with the content of one of them
                is from before, and so is all that is older.

        Returns:
            Whether it has; None where the history is not known, as in a shallow clone.
        """
        if self.contains(held.taken_in):
            return True
        try:
            versions = self._store.history(name)
        except PromptNotFoundError:
            return False
        except HistoryUnavailableError:
            return None
        named = {f"{key}: {value}" for key, value in trailers_of(self._remote, held).items()}
        apart = [one for one in others if one.digest != held.digest]
        # Where a remote counts no versions, an older state may have had the same trailers.
        if all((one.id, one.version) != (held.id, held.version) for one in apart) and any(
            named <= _lines(version.message) for version in versions
        ):
            return True
        before = {one.digest for one in apart}
        for version in versions:
            digest = self._digest(name, version)
            if digest == held.digest or named <= _lines(version.message):
                return True
            if digest in before:
                return False
        return False

    def digests(self, name: str) -> Iterator[tuple[int, str]]:
        """Give the numbers and digests of all versions of a prompt, the newest first.

        Raises:
            HistoryUnavailableError: Versions cannot be counted here.
        """
        return ((one.number, self._digest(name, one)) for one in self._store.history(name))

    def _digest(self, name: str, version: Version) -> str:
        key = (name, version.commit)
        if key not in self._digests:
            self._digests[key] = DELETED if version.deleted else self._read_digest(*key)
        return self._digests[key]

    def _read_digest(self, name: str, commit: str) -> str:
        try:
            return self.encode(self._store.snapshot(commit).read(name)).digest
        except (PromptFileError, SyncRefusedError, RepositoryError):
            # What cannot be read is like no other content.
            return ""


def _lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}


def find_bases(
    known: Mapping[str, Held],
    here: Mapping[str, str],
    there: Mapping[str, Held],
    branch: BranchPast,
    past: Callable[[Collection[str]], Mapping[str, list[Held]]],
) -> dict[str, Held]:
    """Find the base of each prompt.

    Args:
        known: What the remote held last, as far as the repository knows.
        here: The digests of git's side.
        there: What the remote holds now.
        branch: What the branch has held.
        past: Gives what the remote ever held of some prompts, newest first.

    Returns:
        The bases by name; a prompt without one has no common past.
    """
    found: dict[str, Held] = {}
    doubtful: list[str] = []
    for name, held in known.items():
        digest = here.get(name, DELETED)
        if digest == held.digest or branch.contains(held.taken_in):
            found[name] = held
        else:
            doubtful.append(name)
    older = past(doubtful) if doubtful else {}
    for name in doubtful:
        base = _older_base(name, known[name], older[name], branch)
        if base is not None:
            found[name] = base
    return {name: _now(name, base, here, there.get(name), branch) for name, base in found.items()}


def _older_base(name: str, held: Held, past: list[Held], branch: BranchPast) -> Held | None:
    """Find the newest state that the branch has taken in; None where there is none."""
    if branch.has_taken_in(name, held, past) is not False:
        return held
    for one in past:
        if branch.has_taken_in(name, one, [held, *past]):
            return one
    # What the remote has no more is not made anew by a branch that has not heard of it.
    return replace(held, deleted=False) if held.deleted else None


def _now(
    name: str, base: Held, here: Mapping[str, str], seen: Held | None, branch: BranchPast
) -> Held:
    """Count what was offered and is merged by now, and what both sides brought back."""
    if seen is None:
        return base
    if base.offered is not None and base.offered.digest == seen.digest:
        offer = replace(seen, taken_in=base.offered.commit)
        if branch.has_taken_in(name, offer, [base]) is True:
            return replace(offer, labels=base.labels)
    # What is deleted and offered was never on both sides; see `Actions.offer`.
    is_back = base.deleted and base.offered is None and here.get(name, DELETED) != DELETED
    return replace(base, deleted=False) if is_back else base
