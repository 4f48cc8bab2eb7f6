"""Where a branch and the labels are: git is asked each time, unless an interval says otherwise."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from promptstore.git.reading import Repository
from promptstore.history.labels import labels_commit

if TYPE_CHECKING:
    from promptstore.model.prompt import Prompt

_MAX_PROMPTS: Final = 512

QueryKey: TypeAlias = tuple[str, int | None, str | None, str | datetime | None, bool]
"""What `PromptStore.get` was asked: name, version, label, rev, and whether deleted ones count."""


class RefState(NamedTuple):
    """What an answer depends on beside objects, which never change.

    Attributes:
        tip: The branch's newest commit, or None where it has none.
        title: The branch's name, or ``HEAD`` where that is detached.
        labels: The newest commit of the labels branch, or None.
        is_shallow: Whether older commits were left out when the repository was cloned.
    """

    tip: str | None
    title: str
    labels: str | None
    is_shallow: bool


class CachedState:
    """A state, and the prompts that were read in it.

    Attributes:
        state: The state.
        prompts: The prompts by what was asked for.
    """

    __slots__ = ("prompts", "state")

    def __init__(self, state: RefState) -> None:
        self.state = state
        self.prompts: dict[QueryKey, Prompt] = {}

    def keep(self, key: QueryKey, prompt: Prompt) -> None:
        """Keep a prompt that follows from the state alone."""
        if len(self.prompts) >= _MAX_PROMPTS:
            # Another dict, as a thread may be reading the old one.
            self.prompts = {}
        self.prompts[key] = prompt


class RefWatcher:
    """Reads the state of a branch and the labels.

    Threads may share it.

    Args:
        repository: The repository.
        branch: The branch, or None for whatever HEAD is.
        refresh_interval: How old a state may be, in seconds; 0 asks git each time.
    """

    def __init__(self, repository: Repository, branch: str | None, refresh_interval: float) -> None:
        self._repository = repository
        self._branch = branch
        self._interval = refresh_interval
        self._validity = object()
        # What belongs together is one value, so that threads never see half of it.
        self._seen: tuple[object, float, CachedState | None] = (None, 0.0, None)

    def current(self) -> CachedState:
        """Return the state, which is no older than the interval.

        Raises:
            RevisionNotFoundError: The branch is no more.
            RepositoryError: A reference is damaged.
        """
        validity, until, cached = self._seen
        if cached is not None and validity is self._validity and time.monotonic() < until:
            return cached
        return self.refresh()

    def refresh(self) -> CachedState:
        """Return the state, asking git in any case.

        Raises:
            RevisionNotFoundError: The branch is no more.
            RepositoryError: A reference is damaged.
        """
        # An invalidation while git is asked makes the answer count as old.
        validity, until = self._validity, time.monotonic() + self._interval
        state = self._read()
        cached = self._seen[2]
        if cached is None or cached.state != state:
            cached = CachedState(state)
        self._seen = (validity, until, cached)
        return cached

    def invalidate(self) -> None:
        """Ask git in any case when the state is wanted next."""
        self._validity = object()

    def _read(self) -> RefState:
        repository = self._repository
        repository.refresh()
        if self._branch is None:
            head = repository.head()
            title, tip = head.branch or "HEAD", head.tip
        else:
            title, tip = self._branch, repository.tip(self._branch)
        return RefState(tip, title, labels_commit(repository), repository.is_shallow)
