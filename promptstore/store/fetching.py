"""What a store that fetches reads: where its remote is, what it takes from it, how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from promptstore.errors import (
    PromptStoreError,
    ReadOnlyError,
    RevisionNotFoundError,
)
from promptstore.git.fetch import (
    ORIGIN,
    RemoteUrl,
    open_mirror,
    remote_of,
    remote_url,
    tracking_branch,
    without_secrets,
)
from promptstore.git.reading import Repository, is_url
from promptstore.git.writing import Deadline
from promptstore.history.backend import Backend, RefState, RepositoryBackend
from promptstore.history.cache import private_folder
from promptstore.history.labels import LabelTable
from promptstore.store.fetcher import Fetcher
from promptstore.store.lookup import Lookup

OnBad: TypeAlias = Literal["keep", "serve"]
"""What becomes of a commit whose prompts do not pass the check."""


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

    def fetcher(self, lookup: Lookup, on_bad: OnBad, interval: float | None) -> Fetcher:
        """Return what fetches from it."""
        faults = partial(find_faults, lookup) if on_bad == "keep" else None
        branch = self.branch.removeprefix(f"{self.name}/")
        return Fetcher(
            self.repository,
            self.name,
            self.url,
            branch,
            faults,
            interval,
            lambda tip: lookup.backend.timeline(tip).first_commit(),
        )


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
    url = remote_url(repository, remote)
    if backend.remote is None:
        # Only remote-tracking branches move, which this store does not read.
        return Fetcher(repository, remote, url, None)
    return Remote(repository, remote, url, name).fetcher(lookup, "keep", None)


def find_faults(lookup: Lookup, tip: str, labels: str | None) -> list[str]:
    """List what would not pass the check if a commit and labels were served from now on.

    Args:
        lookup: What is served at present.
        tip: The commit.
        labels: The commit of the labels branch, or None.
    """
    # The one import upwards: the check stands on the store, and only a store that fetches needs it.
    from promptstore.review.drafts import errors_of_update

    backend = lookup.backend
    assert isinstance(backend, RepositoryBackend)
    try:
        served = backend.refresh()
    except RevisionNotFoundError:
        served = RefState(title=backend.branch or "")
    state = served._replace(tip=tip, labels=labels)
    settings = _settings_text(backend.repository, tip)
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


def _settings_text(repository: Repository, commit: str) -> str:
    entry = repository.find(repository.commit(commit).tree, "pyproject.toml")
    data = repository.blob(entry.id) if entry and entry.is_file else b""
    return data.decode(errors="replace")


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
