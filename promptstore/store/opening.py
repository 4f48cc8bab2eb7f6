"""Opening a store, in a repository, a folder or a bundle, or at a URL; and getting a prompt."""

from __future__ import annotations

import os
import shlex
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Self

from promptstore.errors import (
    FetchError,
    HistoryUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PromptFileError,
    RepositoryError,
    RepositoryNotFoundError,
)
from promptstore.git.reading import Repository, is_url
from promptstore.history.backend import Backend, RefState, RepositoryBackend
from promptstore.history.versions import Progress
from promptstore.model.prompt import Prompt, identified, own_copy
from promptstore.store.arguments import PromptLike, check_arguments, to_prompt
from promptstore.store.lookup import Lookup, Rev, make_question
from promptstore.template import Limits

if TYPE_CHECKING:
    from promptstore.store.fetching import Fetcher, OnBad, StoreStatus

DEFAULT_ROOT: Final = "prompts"
DEFAULT_LOCK_TIMEOUT: Final = 10.0
WORKTREE_VARIABLE: Final = "PROMPTSTORE_WORKTREE"
"""The environment variable that lets a store of a clone read the files on disk."""

_CANNOT_BE_HAD: Final = (NotFoundError, PromptFileError, RepositoryError, HistoryUnavailableError)


class StoreBase:
    """Opens a store, gets a prompt, and says how fresh it is.

    Attributes:
        root: The prompts' folder within the repository.
        branch: The branch that is read and written, or None for whatever HEAD is.
    """

    def __init__(
        self,
        backend: Backend,
        again: partial[Any],
        *,
        branch: str | None = None,
        reads_files: bool = False,
        limits: Limits | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
    ) -> None:
        self.root = backend.root
        self.branch = branch
        self._backend = backend
        self._again = again
        self._lock_timeout = lock_timeout
        self._lookup = Lookup(backend, limits or Limits(), reads_files=reads_files)
        self._fetcher: Fetcher | None = None
        self._announced: set[str] = set()

    def __reduce__(self) -> tuple[partial[Any], tuple[()]]:
        # Another process opens a store of its own at the same place.
        return self._again, ()

    @classmethod
    def open(
        cls,
        path: str | Path = ".",
        *,
        root: str = DEFAULT_ROOT,
        branch: str | None = None,
        worktree: bool | None = None,
        limits: Limits | None = None,
        lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
        refresh_interval: float = 0.0,
        fetch_interval: float | None = None,
        on_bad: OnBad = "keep",
        progress: Progress | None = None,
    ) -> Self:
        """Open the store that a path lies in, or that a URL names.

        Args:
            path: A folder anywhere in a working tree, a bare repository, a plain folder that holds
                the root, the file of a bundle, or the URL of a repository, which is mirrored in
                the user's cache directory.
            root: The prompts' folder within the repository; ``.`` for its top.
            branch: The branch to read and write; None follows HEAD. One of a remote, such as
                ``origin/main``, can only be read.
            worktree: Whether to read the files on disk, uncommitted edits included. None does so
                where PROMPTSTORE_WORKTREE=1 is set, no branch is given and there are files.
            limits: The limits of renders; None for the defaults of `Limits`.
            lock_timeout: How long a write waits for locks of other processes, in seconds.
            refresh_interval: How long it may take until a commit or a label move of another
                process is seen, in seconds. 0 sees it at the next call. Files on disk
                (``worktree=True``) are always read as they are.
            fetch_interval: How many seconds lie between two fetches in the background. Of a clone
                the remote's branch is read then. None fetches only when `fetch` is called, and
                from a URL once at the start.
            on_bad: What to do with a commit that was fetched and whose prompts do not pass the
                check: ``keep`` serves the last good one on, ``serve`` serves it.
            progress: Called now and then while a long history is indexed, with how many commits
                are done and how many there are.

        Returns:
            The store.

        Raises:
            RepositoryNotFoundError: The path is neither in a repository nor holds the root.
            UnsupportedRepositoryError: The repository's format cannot be read.
            RevisionNotFoundError: There is no such branch.
            FetchError: Nothing was fetched before, and nothing can be.
            BundleError: The file is no whole bundle.
            InvalidArgumentError: The root leaves the repository, or there are no files to read.
        """
        given: dict[str, Any] = {
            "root": root,
            "branch": branch,
            "worktree": worktree,
            "limits": limits,
            "lock_timeout": lock_timeout,
            "refresh_interval": refresh_interval,
            "fetch_interval": fetch_interval,
            "on_bad": on_bad,
            "progress": progress,
        }
        check_arguments(path=path, **given)
        is_fetched = fetch_interval is not None or is_url(str(path))
        if is_fetched:
            # Most stores fetch nothing.
            from promptstore.store.fetching import Fetcher, find_remote

            remote = find_remote(path, branch, f"{root} {on_bad}", lock_timeout)
            branch = remote.branch
            backend: Backend = RepositoryBackend(
                remote.repository,
                _checked_root(root),
                branch,
                refresh_interval,
                progress,
                remote.name,
            )
        else:
            backend = _find_backend(Path(path), root, branch, refresh_interval, progress)
        if worktree and not backend.has_files:
            raise InvalidArgumentError(
                message=f"{backend.path} is no working tree, so it has no files on disk; "
                "open it without --worktree (worktree=True)"
            )
        if worktree is None:
            worktree = branch is None and backend.has_files and _wants_files()
        absolute = str(path) if is_url(str(path)) else Path(path).absolute()
        store = cls(
            backend,
            partial(cls.open, absolute, **given),
            branch=branch,
            reads_files=worktree or not backend.has_commits,
            limits=limits,
            lock_timeout=lock_timeout,
        )
        if is_fetched:
            store._fetcher = Fetcher(remote, store._lookup, on_bad, fetch_interval)
            store._fetcher.begin()
        return store

    def get(
        self,
        name: str,
        *,
        version: int | None = None,
        label: str | None = None,
        rev: Rev | None = None,
        at: datetime | None = None,
        deleted: bool = False,
        fallback: PromptLike | None = None,
    ) -> Prompt:
        """Get one prompt.

        Args:
            name: The prompt's name, for example ``support/triage``.
            version: Its version of this number, counted on the branch; read as of its commit.
            label: The version that this label points at.
            rev: The prompt as of this rev or time. At most one of version, label and rev.
            at: With a label: the version that it pointed at then. A time has a time zone.
            deleted: Whether a tombstoned prompt is given too; one asked for by version or label
                always is.
            fallback: What to give when the prompt cannot be had: a prompt, the text of one, or a
                list of messages. The result is marked by `Prompt.is_fallback`, and the reason is
                logged once.

        Returns:
            The prompt.

        Raises:
            PromptNotFoundError: There is no such prompt.
            PromptDeletedError: It is tombstoned.
            VersionNotFoundError: It has no such version.
            LabelNotFoundError: The label does not point it anywhere.
            RevisionNotFoundError: Git cannot resolve the rev.
            HistoryUnavailableError: Versions cannot be counted here.
            PromptFileError: Its file, or that of the label, is broken.
            InvalidNameError: The name cannot be a prompt's name.
            InvalidArgumentError: Several of version, label and rev are given.
        """
        instead = None if fallback is None else to_prompt(fallback)
        try:
            return self._lookup.get(name, version, label, rev, at, deleted)
        except _CANNOT_BE_HAD as error:
            if instead is None:
                raise
            return self._fall_back(name, instead, error)

    def _fall_back(self, name: str, fallback: Prompt, error: Exception) -> Prompt:
        if name not in self._announced:
            self._announced.add(name)
            import logging

            log = logging.getLogger("promptstore")
            log.warning("using the fallback for the prompt %r: %s", name, error)
        prompt = identified(fallback, name=name, is_fallback=True, limits=self._lookup.limits)
        # What is given must not follow what the caller does with the fallback later on.
        return identified(own_copy(prompt))

    def is_in_memory(self, *arguments: Any, **selection: Any) -> bool:
        """Return whether `get` of these arguments asks neither a disk nor git."""
        state = self._backend.known_state()
        name: Any = selection["name"] if "name" in selection else next(iter(arguments), None)
        if state is None or selection.get("at") is not None:
            return False
        version, label, rev = (selection.get(key) for key in ("version", "label", "rev"))
        question = make_question(state, name, version, label, rev, selection.get("deleted", False))
        return self._lookup.known(question) is not None

    @classmethod
    def open_resource(cls, package: str, name: str, *, limits: Limits | None = None) -> Self:
        """Open a bundle that lies in an installed package.

        Args:
            package: The package, for example ``myapp``.
            name: The bundle's path in it, for example ``prompts.bundle``.
            limits: The limits of renders; None for the defaults of `Limits`.

        Raises:
            BundleError: There is no such file, or it is no whole bundle.
            InvalidArgumentError: There is no such package.
        """
        from promptstore.store.bundled import open_resource

        check_arguments(package=package, resource=name, limits=limits)
        again = partial(cls.open_resource, package, name, limits=limits)
        return cls(open_resource(package, name), again, limits=limits)

    @property
    def has_files(self) -> bool:
        """Whether the prompts are files on disk here; a bare repository has none."""
        return self._backend.has_files

    @property
    def path(self) -> Path:
        """The top of the working tree, the bare repository, the plain folder, or the bundle."""
        return self._backend.path

    @property
    def repository(self) -> Repository:
        """The git repository underneath.

        Raises:
            HistoryUnavailableError: There is none.
        """
        if not isinstance(self._backend, RepositoryBackend):
            reason = self._backend.why_no_versions(RefState())
            raise HistoryUnavailableError(reason=reason or f"{self.path} is no repository.")
        return self._backend.repository

    def fetch(self, *, wait: bool = True) -> StoreStatus:
        """Fetch from the remote now, whatever the interval.

        Args:
            wait: Whether to wait until it is fetched; else the background is told to, where there
                is one.

        Returns:
            What is served then.

        Raises:
            FetchError: The remote cannot be reached, has the branch no more, or what it has does
                not pass the check. What was served is served on.
        """
        if self._fetcher is None:
            from promptstore.store.fetching import default_fetcher

            if not isinstance(self._backend, RepositoryBackend):
                reason = "this is no repository, so there is no remote to fetch from."
                raise FetchError(path=str(self.path), reason=reason)
            self._fetcher = default_fetcher(self._lookup, self._backend)
        check_arguments(wait=wait)
        if wait:
            self._fetcher.fetch()
        else:
            self._fetcher.ask()
        return self.status()

    def status(self) -> StoreStatus:
        """Return what is served at this moment, and how fresh it is."""
        from promptstore.store.fetching import status_of

        return status_of(self._backend, self._fetcher)


def _find_backend(
    path: Path,
    root: str,
    branch: str | None,
    refresh_interval: float,
    progress: Progress | None,
) -> Backend:
    root = _checked_root(root)
    if not path.exists():
        raise RepositoryNotFoundError(path=str(path), reason="there is no such path.")
    if path.is_file() and path.name != ".git":
        from promptstore.store.bundled import open_bundle

        return open_bundle(path, None if root == DEFAULT_ROOT else root, branch)
    try:
        repository = Repository.discover(path)
    except RepositoryNotFoundError:
        if (path / root).is_dir():
            return Backend(path, root)
        raise RepositoryNotFoundError(
            path=str(path.resolve()),
            reason=f"this is neither in a git repository nor a folder that holds {root!r}. "
            f"`promptstore init {shlex.quote(str(path))}` makes a store there.",
        ) from None
    tip = repository.tip(branch)
    remote = None
    is_other = branch is not None and "/" in branch and tip is not None
    if branch and is_other and repository.branch_tip(f"refs/heads/{branch}") is None:
        from promptstore.git.fetch import remote_of  # most stores read a branch of their own

        remote = remote_of(repository, branch) or branch.partition("/")[0]
    return RepositoryBackend(repository, root, branch, refresh_interval, progress, remote)


def _wants_files() -> bool:
    return os.environ.get(WORKTREE_VARIABLE, "").lower() in ("1", "true", "yes", "on")


def _checked_root(root: str) -> str:
    parts = PurePosixPath(root).parts
    if root.startswith("/") or ".." in parts or "\0" in root or "\\" in root:
        raise InvalidArgumentError(
            message=f"the root {root!r} must be a folder within the repository, "
            "written with '/' and without '..'"
        )
    return "/".join(parts)
