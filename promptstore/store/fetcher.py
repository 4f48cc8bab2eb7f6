"""Fetching into a repository, in the background or when told to."""

from __future__ import annotations

import logging
import os
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from promptstore.errors import (
    FetchError,
    PromptStoreError,
    ReadOnlyError,
)
from promptstore.git.fetch import (
    RemoteHeads,
    RemoteUrl,
    download,
    read_heads,
    track,
    without_secrets,
)
from promptstore.git.reading import Repository, translated
from promptstore.git.writing import Deadline, exclusive
from promptstore.history.labels import BRANCH as LABELS

_log: Final = logging.getLogger("promptstore")
_LONGEST_PAUSE: Final = 900.0
_LONGEST_WAIT: Final = 120.0
"""How long a fetch by another process is waited for, in seconds."""

_MAX_SHOWN: Final = 3

_turn = threading.Lock()
"""Held by the one fetch that this process makes at a time."""


class Fetcher:
    """Fetches from one remote into its remote-tracking branches.

    Threads may share it, and processes may share the repository. What fails leaves every branch
    where it was.

    Args:
        repository: The repository.
        remote: The remote's name.
        url: Where it is.
        branch: The branch of the remote that is served; ``HEAD`` for whatever its HEAD is on; None
            where another one is served.
        faults: Finds what is wrong with a commit of that branch and one of the labels; None serves
            them as they are.
        interval: How many seconds lie between two fetches in the background; None for none.
        prepare: Does with a commit that is going to be served what its first reader would wait for.
    """

    def __init__(
        self,
        repository: Repository,
        remote: str,
        url: RemoteUrl,
        branch: str | None,
        faults: Callable[[str, str | None], list[str]] | None = None,
        interval: float | None = None,
        prepare: Callable[[str], object] | None = None,
    ) -> None:
        self._repository = repository
        self._remote = remote
        self._url = url
        self._branch = branch
        self._faults = faults
        self._interval = interval
        self._prepare = prepare
        self._folder = repository.common_dir / "promptstore"
        self._stamp = self._folder / f"fetched-{remote.replace('/', '-')}"
        self.error: str | None = None
        self.refused: str | None = None
        self._wake: threading.Event | None = None
        self._is_asked = False
        _ALL.add(self)

    @property
    def fetched_at(self) -> datetime | None:
        """When the remote was last asked with success, by any process; or None."""
        try:
            return datetime.fromtimestamp(self._stamp.stat().st_mtime, UTC)
        except OSError:
            return None

    def fetch(self) -> None:
        """Fetch, and serve what came unless it is bad.

        Raises:
            FetchError: The remote cannot be reached, has the branch no more, or what came is bad.
            RepositoryError: What came cannot be written.
        """
        self._attempt(0.0)

    def begin(self) -> None:
        """Fetch what was never fetched; what was is served at once, and brought up meanwhile.

        Raises:
            FetchError: Nothing was fetched before, and nothing can be.
        """
        prefix = f"refs/remotes/{self._remote}/"
        if self._repository.branch_tip(f"{prefix}{self._branch}") is None:
            self.fetch()
        elif self._interval is None:
            with suppress(FetchError, ReadOnlyError):  # told by the log and the status
                self.fetch()
        self.start()

    def start(self) -> None:
        """Fetch in the background from now on, and at once."""
        if self._wake is None and self._interval:
            self._wake = threading.Event()
            thread = threading.Thread(
                target=_keep_fetching,
                args=(weakref.ref(self), self._wake),
                name="promptstore-fetch",
                daemon=True,
            )
            weakref.finalize(self, self._wake.set)
            thread.start()

    def restart(self) -> None:
        """Go on in a fork, which has none of the threads of its parent."""
        if self._wake is not None:
            self._wake = None
            self.start()

    def ask(self) -> None:
        """Let the background fetch now rather than at its time; without one, fetch here."""
        if self._wake is None:
            self.fetch()
        else:
            self._is_asked = True
            self._wake.set()

    def step(self, failures: int) -> tuple[int, float]:
        """Fetch once in the background.

        Args:
            failures: How many times it has failed in a row.

        Returns:
            How many times it has failed by now, and how many seconds to wait.
        """
        interval = self._interval or _LONGEST_PAUSE
        # What another process fetched just now need not be fetched again, unless somebody asks.
        max_age, self._is_asked = 0.0 if self._is_asked else interval / 2, False
        try:
            self._attempt(max_age)
        except PromptStoreError:
            failures += 1
        else:
            failures = 0
        return failures, pause(interval, failures, random.random())  # noqa: S311

    def _attempt(self, max_age: float) -> None:
        try:
            with _turn, self._writing():
                fetched = self.fetched_at
                is_new = fetched and (datetime.now(UTC) - fetched).total_seconds() < max_age
                if not is_new:
                    self._update()
        except PromptStoreError as error:
            # Who keeps what is logged must not keep the error, whose frames hold this fetcher.
            reason = str(error)
            if self.error != reason:
                _log.warning("nothing new is served: %s", reason)
            self.error = reason
            raise
        if self.error:
            _log.warning("%s can be fetched again", self._remote)
        self.error = self.refused = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep other processes from fetching into the same repository."""
        with translated(self._repository.git_dir):
            self._folder.mkdir(exist_ok=True)
            with exclusive(self._folder / "fetch.lock", Deadline(_LONGEST_WAIT)):
                yield

    def _update(self) -> None:
        self._repository.refresh()
        heads = read_heads(self._repository, self._url)
        branch = heads.default if self._branch == "HEAD" else self._branch
        if self._branch and branch not in heads.tips:
            place = without_secrets(self._url.text)
            raise FetchError(
                path=self._remote,
                reason=f"there is no branch {branch or 'HEAD'!r} at {place}. Push it, or open the "
                "store with another branch.",
            )
        download(self._repository, self._url, heads)
        faults = self._faults_of(heads, branch) if branch and self._faults else []
        # Where older commits are missing there is no history to count in.
        if branch and self._prepare and not faults and not self._repository.is_shallow:
            self._prepare(heads.tips[branch])
        served = self._repository.branch_tip(f"refs/remotes/{self._remote}/{branch}")
        # The labels stay with the branch: they may point at what is bad.
        track(self._repository, self._remote, heads, keep=(str(branch), LABELS) if faults else ())
        if faults:
            bad = LABELS if served == heads.tips[str(branch)] else str(branch)
            self.refused = heads.tips.get(bad)
            shown = "; ".join(fault.rstrip(".") for fault in faults[:_MAX_SHOWN])
            more = f"; and {len(faults) - _MAX_SHOWN} more" if len(faults) > _MAX_SHOWN else ""
            raise FetchError(
                path=f"{self._remote}/{bad}",
                reason=f"the commit {str(self.refused)[:12]} is not served, as its prompts do not "
                f"pass the check: {shown}{more}. Push a commit that does, or open the store with "
                "on_bad='serve'.",
            )
        with translated(self._repository.git_dir):
            self._stamp.touch()

    def _faults_of(self, heads: RemoteHeads, branch: str) -> list[str]:
        prefix = f"refs/remotes/{self._remote}/"
        tip, labels = heads.tips[branch], heads.tips.get(LABELS)
        served = [self._repository.branch_tip(prefix + name) for name in (branch, LABELS)]
        return self._faults(tip, labels) if self._faults and served != [tip, labels] else []


def pause(interval: float, failures: int, chance: float) -> float:
    """Return how many seconds to wait for the next fetch.

    Args:
        interval: How many seconds lie between two that succeed.
        failures: How many failed in a row: each doubles the pause, up to a quarter of an hour.
        chance: A random number from 0 to 1, so that many processes do not ask all at once.
    """
    longest = max(interval, _LONGEST_PAUSE)
    return min(interval * 2.0 ** min(failures, 30), longest) * (0.8 + 0.4 * chance)


_ALL: Final[weakref.WeakSet[Fetcher]] = weakref.WeakSet()


def _keep_fetching(reference: weakref.ref[Fetcher], wake: threading.Event) -> None:
    """Fetch again and again, until nobody has the fetcher any more."""
    failures = 0
    while True:
        fetcher = reference()
        if fetcher is None:
            return
        failures, seconds = fetcher.step(failures)
        del fetcher
        wake.wait(seconds)
        wake.clear()


def _after_fork() -> None:
    global _turn
    _turn = threading.Lock()
    for fetcher in list(_ALL):
        fetcher.restart()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
