"""A store that fetches: from where, in the background or when told to, and how fresh it is."""

from __future__ import annotations

import logging
import os
import random
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from promptstore.errors import FetchError, PromptStoreError, ReadOnlyError, RevisionNotFoundError
from promptstore.git.fetch import (
    ORIGIN,
    RemoteHeads,
    RemoteUrl,
    download,
    open_mirror,
    read_heads,
    remote_of,
    remote_url,
    track,
    tracking_branch,
    without_secrets,
)
from promptstore.git.reading import Repository, is_url, translated
from promptstore.git.writing import Deadline, exclusive
from promptstore.history.backend import Backend, RefState, RepositoryBackend
from promptstore.history.cache import private_folder
from promptstore.history.labels import BRANCH as LABELS
from promptstore.history.labels import LabelTable
from promptstore.store.lookup import Lookup

_log: Final = logging.getLogger("promptstore")
_LONGEST_PAUSE: Final = 900.0
_LONGEST_WAIT: Final = 120.0
"""How long a fetch by another process is waited for, in seconds."""

_MAX_SHOWN: Final = 3

OnBad: TypeAlias = Literal["keep", "serve"]
"""What becomes of a commit whose prompts do not pass the check."""

_turn = threading.Lock()
"""Held by the one fetch that this process makes at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """What a store serves at this moment, and how fresh it is.

    Attributes:
        place: What is read, in words, for example ``origin/main (3f2a91c)``.
        commit: The commit that is served, or None where there is none.
        fetched_at: When the remote was last asked with success, and its newest commit was taken;
            None where nothing is fetched.
        error: Why the newest fetch did not do that, or None.
        refused: A commit of the remote that is not served, as its prompts do not pass the check.
    """

    place: str
    commit: str | None
    fetched_at: datetime | None = None
    error: str | None = None
    refused: str | None = None

    @property
    def age(self) -> float | None:
        """For how many seconds nothing newer has come from the remote, or None."""
        if self.fetched_at is None:
            return None
        return max(0.0, (datetime.now(UTC) - self.fetched_at).total_seconds())


class Remote(NamedTuple):
    """Where a store that fetches finds its prompts.

    Attributes:
        repository: The clone, or the mirror.
        name: The remote's name in it.
        url: Where the remote is.
        branch: Its remote-tracking branch that is read.
    """

    repository: Repository
    name: str
    url: RemoteUrl
    branch: str


class Fetcher:
    """Fetches from one remote into its remote-tracking branches.

    Threads may share it, and processes may share the repository. What fails leaves every branch
    where it was.

    Args:
        remote: The remote.
        lookup: What finds the prompts of the branch that is fetched, where that is served.
        on_bad: What becomes of a commit whose prompts do not pass the check.
        interval: How many seconds lie between two fetches in the background; None for none.
    """

    def __init__(
        self,
        remote: Remote,
        lookup: Lookup | None = None,
        on_bad: OnBad = "keep",
        interval: float | None = None,
    ) -> None:
        self._repository, self._remote, self._url, branch = remote
        self._lookup = lookup
        # HEAD is whatever the remote's HEAD is on.
        self._branch = branch.removeprefix(f"{remote.name}/") if lookup else None
        self._on_bad = on_bad
        self._interval = interval
        self._folder = self._repository.common_dir / "promptstore"
        self._stamp = self._folder / f"fetched-{remote.name.replace('/', '-')}"
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
            with _turn, translated(self._repository.git_dir):
                self._folder.mkdir(exist_ok=True)
                # Other processes may fetch into the same repository.
                with exclusive(self._folder / "fetch.lock", Deadline(_LONGEST_WAIT)):
                    fetched = self.fetched_at
                    age = (datetime.now(UTC) - fetched).total_seconds() if fetched else max_age
                    if age >= max_age:
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
        faults = self._faults_of(heads, branch) if branch and self._on_bad == "keep" else []
        # Where older commits are missing there is no history to count in.
        if branch and self._lookup and not faults and not self._repository.is_shallow:
            # Else the first reader would wait until the versions are counted.
            self._lookup.backend.timeline(heads.tips[branch]).first_commit()
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
                f"pass the check: {shown}{more}. Push a commit that does, or open the store in "
                "Python with on_bad='serve'.",
            )
        with translated(self._repository.git_dir):
            self._stamp.touch()

    def _faults_of(self, heads: RemoteHeads, branch: str) -> list[str]:
        prefix = f"refs/remotes/{self._remote}/"
        tip, labels = heads.tips[branch], heads.tips.get(LABELS)
        served = [self._repository.branch_tip(prefix + name) for name in (branch, LABELS)]
        if self._lookup is None or served == [tip, labels]:
            return []
        return _find_faults(self._lookup, tip, labels)


def _find_faults(lookup: Lookup, tip: str, labels: str | None) -> list[str]:
    """List what would not pass the check if a commit and labels were served from now on."""
    # The one import upwards: the check stands on the store, and only a store that fetches needs it.
    from promptstore.review.drafts import errors_of_update

    backend = lookup.backend
    assert isinstance(backend, RepositoryBackend)
    try:
        served = backend.refresh()
    except RevisionNotFoundError:
        served = RefState(title=backend.branch or "")
    state = served._replace(tip=tip, labels=labels)
    repository = backend.repository
    entry = repository.find(repository.commit(tip).tree, "pyproject.toml")
    settings = repository.blob(entry.id).decode(errors="replace") if entry and entry.is_file else ""
    try:
        before = lookup.tip(served) if served.tip else None
        found = errors_of_update(before, lookup.tip(state), settings)
        known = backend.labels(served) if served.tip else LabelTable()
        table = backend.labels(state)
        found += [str(error) for label, error in table.broken.items() if label not in known.broken]
        for label, targets in table.targets.items():
            for name, target in targets.items():
                if known.targets.get(label, {}).get(name) != target:
                    lookup.labelled(state, name, label)
                    there = lookup.at(state, target.commit, label)
                    found += errors_of_update(None, there, settings, [name])
    except PromptStoreError as error:
        return [str(error)]
    return found


def find_remote(path: str | Path, branch: str | None, purpose: str, lock_timeout: float) -> Remote:
    """Find the remote that a path or a URL means.

    Args:
        path: A path in a clone, or a URL.
        branch: A branch, local or remote-tracking; None for the one that HEAD is on.
        purpose: What tells mirrors of one URL apart.
        lock_timeout: How long another process that makes a mirror is waited for, in seconds.

    Raises:
        RepositoryNotFoundError: The path lies in no repository.
        FetchError: The clone has no such remote.
        ReadOnlyError: There is no place for a mirror.
    """
    text = str(path)
    if is_url(text):
        folder = private_folder()
        if folder is None:
            raise ReadOnlyError(
                path=without_secrets(text),
                reason="there is no folder of this user alone to keep the mirror in. Set "
                "XDG_CACHE_HOME to one that can be written.",
            )
        mirror = open_mirror(folder / "mirrors", text, purpose, deadline=Deadline(lock_timeout))
        name = f"{ORIGIN}/" + (branch or "HEAD").removeprefix(f"{ORIGIN}/")
        return Remote(mirror, ORIGIN, RemoteUrl(text, is_given=True), name)
    repository = Repository.discover(Path(path))
    name = tracking_branch(repository, branch)
    remote = remote_of(repository, name) or name.partition("/")[0]
    return Remote(repository, remote, remote_url(repository, remote), name)


def default_fetcher(lookup: Lookup, backend: RepositoryBackend) -> Fetcher:
    """Return what fetches for a store that does not do so by itself."""
    repository = backend.repository
    name = tracking_branch(repository, backend.branch)
    remote = backend.remote or remote_of(repository, name) or name.partition("/")[0]
    found = Remote(repository, remote, remote_url(repository, remote), name)
    # Where the store reads a branch of its own, only remote-tracking branches move.
    return Fetcher(found, lookup if backend.remote else None)


def status_of(backend: Backend, fetcher: Fetcher | None) -> StoreStatus:
    """Return what a store serves at this moment."""
    state = backend.state()
    place = f"{state.title} ({state.tip[:7]})" if state.tip else state.title or str(backend.path)
    if fetcher is None:
        return StoreStatus(place=place, commit=state.tip)
    return StoreStatus(
        place=place,
        commit=state.tip,
        fetched_at=fetcher.fetched_at,
        error=fetcher.error,
        refused=fetcher.refused,
    )


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
