"""Fetching from a remote by libgit2: over https, over ssh by the agent, or from a path.

What comes is first stored as objects that no reference leads to. So a fetch that fails, or brings
what nobody wants to serve, leaves every reference where it was.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit, urlunsplit

import pygit2
from pygit2.enums import CredentialType
from pygit2.ffi import ffi

from promptstore.errors import FetchError
from promptstore.git.reading import Repository, is_url, translated
from promptstore.git.writing import Deadline, exclusive

TOKEN_VARIABLE: Final = "PROMPTSTORE_GIT_TOKEN"  # noqa: S105 - a name, no secret
"""The environment variable that holds the token for https."""

HOST_VARIABLE: Final = "PROMPTSTORE_GIT_TOKEN_HOST"
"""The environment variable that names the one host that the token is for."""

ORIGIN: Final = "origin"
_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"
_ENDS_HOST: Final = frozenset("?#")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_PORTS: Final = {"http": 80, "https": 443}
_CONNECT_MILLISECONDS: Final = 15_000
_SILENCE_MILLISECONDS: Final = 60_000

_SETTINGS: Final = threading.Lock()

_Credentials: TypeAlias = pygit2.UserPass | pygit2.KeypairFromAgent | pygit2.Username


class RemoteUrl(NamedTuple):
    """Where a remote is.

    Attributes:
        text: The URL, or a path.
        is_given: Whether the user named it. Else the configuration of a repository did, which may
            be a stranger's.
    """

    text: str
    is_given: bool


class RemoteHeads(NamedTuple):
    """The branches that a remote has.

    Attributes:
        default: The branch that its HEAD is on, or None.
        tips: The newest commit of each branch.
        tags: What each tag names.
    """

    default: str | None
    tips: Mapping[str, str]
    tags: Mapping[str, str]


def open_mirror(folder: Path, url: str, purpose: str, *, deadline: Deadline) -> Repository:
    """Open the bare mirror of a remote, which is made where it is missing.

    Args:
        folder: Where mirrors are.
        url: The remote's URL.
        purpose: What the mirror is for; mirrors for other purposes share nothing with it.
        deadline: How long another process that makes it is waited for.

    Raises:
        ReadOnlyError: It cannot be made.
        RepositoryError: It is damaged.
    """
    place = without_secrets(url)
    word = re.sub(r"[^A-Za-z0-9.-]+", "-", place.rstrip("/").removesuffix(".git"))[-40:].strip("-.")
    digest = sha256(f"{_without_login(url)} {purpose}".encode()).hexdigest()
    path = folder / f"{word}-{digest[:16]}.git"
    with translated(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(folder / "mirrors.lock", deadline):
            # A process may have been killed in the middle: what is there already stays.
            pygit2.init_repository(str(path), bare=True, initial_head="promptstore-mirror")
    return Repository.discover(path)


def remote_url(repository: Repository, remote: str) -> RemoteUrl:
    """Return where a remote of a clone is, as the configuration says.

    Raises:
        FetchError: It has no such remote.
    """
    with translated(repository.git_dir):
        try:
            url = repository.handle.remotes[remote].url
        except KeyError:
            url = None
    if not url:
        raise FetchError(
            path=str(repository.git_dir),
            reason=f"there is no remote {remote!r} to fetch from. "
            f"`git remote add {remote} URL` adds one.",
        )
    if not is_url(url) and not Path(url).is_absolute():
        url = str((repository.workdir or repository.git_dir) / url)
    return RemoteUrl(url, is_given=False)


def read_heads(repository: Repository, url: RemoteUrl) -> RemoteHeads:
    """Ask a remote which branches and tags it has.

    Raises:
        FetchError: It cannot be reached, or refuses.
    """
    with _connected(repository, url) as (remote, callbacks):
        heads = remote.list_heads(callbacks=callbacks, proxy=True)
    found = {head.name: str(head.oid) for head in heads if head.name}
    default = next((head.symref_target or "" for head in heads if head.name == "HEAD"), "")
    return RemoteHeads(
        default.removeprefix(_HEADS) or None, _below(_HEADS, found), _below(_TAGS, found)
    )


def _below(prefix: str, found: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): target
        for name, target in found.items()
        if name.startswith(prefix) and not name.endswith("^{}")
    }


def download(repository: Repository, url: RemoteUrl, heads: RemoteHeads) -> None:
    """Store the objects of branches and tags; no reference moves.

    Raises:
        FetchError: They did not come whole.
    """
    wanted = {_HEADS + branch: tip for branch, tip in heads.tips.items()}
    wanted |= {_TAGS + tag: target for tag, target in heads.tags.items()}
    missing = [ref for ref, target in wanted.items() if not _has(repository, target)]
    if not missing:
        return
    if repository.is_shallow:
        # libgit2 would forget where the history ends, and not bring what is behind.
        raise FetchError(
            path=str(repository.git_dir),
            reason="into a shallow clone only git itself can fetch. `git fetch --unshallow` makes "
            "it a whole one.",
        )
    with _connected(repository, url) as (remote, callbacks):
        # Without a place to the right of a colon, libgit2 writes no reference.
        remote.fetch(missing, callbacks=callbacks, proxy=True)
    repository.refresh()
    lost = [ref for ref in missing if not _has(repository, wanted[ref])]
    if lost:
        raise FetchError(
            path=without_secrets(url.text),
            reason=f"{', '.join(lost)} moved while it was fetched. Try again.",
        )


def track(
    repository: Repository, remote: str, heads: RemoteHeads, *, keep: Collection[str] = ()
) -> None:
    """Let the remote-tracking branches say what a remote has; those that it has no more go.

    Tags that are here already stay where they are, as with ``git fetch``.

    Args:
        repository: The repository.
        remote: The remote's name.
        heads: The branches that it has; their objects are here.
        keep: Branches that stay where they are.

    Raises:
        RepositoryError: A reference cannot be written.
    """
    try:
        with translated(repository.git_dir):
            _track(repository, f"refs/remotes/{remote}/", heads, keep)
    except (KeyError, ValueError) as error:
        # A name that libgit2 does not take, or another program that writes at the same time.
        reason = f"its branches cannot be tracked: {error}."
        raise FetchError(path=remote, reason=reason) from error
    repository.refresh()


def _track(repository: Repository, prefix: str, heads: RemoteHeads, keep: Collection[str]) -> None:
    references = repository.handle.references
    present = {
        name.removeprefix(prefix): str(references[name].target)
        for name in references
        if name.startswith(prefix) and name != f"{prefix}HEAD"
    }
    for branch in present.keys() - heads.tips.keys() - set(keep):
        references.delete(prefix + branch)
    for branch, tip in heads.tips.items():
        if branch not in keep and present.get(branch) != tip:
            references.create(prefix + branch, tip, force=True)
    tags = {name.removeprefix(_TAGS) for name in references if name.startswith(_TAGS)}
    for tag in heads.tags.keys() - tags:
        # Git cannot have `v1/x` beside `v1`, which may be here and no more at the remote.
        if not any(f"{tag}/".startswith(f"{one}/") or one.startswith(f"{tag}/") for one in tags):
            references.create(_TAGS + tag, heads.tags[tag])
    if heads.default and heads.default in heads.tips:
        references.create(f"{prefix}HEAD", prefix + heads.default, force=True)


def tracking_branch(repository: Repository, branch: str | None) -> str:
    """Return the remote-tracking branch that a branch follows.

    Args:
        repository: The repository.
        branch: A branch, local or remote-tracking; None is whatever HEAD is.

    Returns:
        For example ``origin/main``; it need not be there yet.
    """
    name = branch or repository.head().branch
    if name is None:
        return f"{ORIGIN}/HEAD"
    if remote_of(repository, name) is not None:
        return name
    remote = (repository.configured(f"branch.{name}.remote") or [ORIGIN])[-1]
    merge = (repository.configured(f"branch.{name}.merge") or [name])[-1]
    return f"{remote}/{merge.removeprefix(_HEADS)}"


def remote_of(repository: Repository, branch: str) -> str | None:
    """Return the remote that a remote-tracking branch is of; None where there is no such remote.

    Args:
        repository: The repository.
        branch: The branch, for example ``origin/main``.
    """
    with translated(repository.git_dir):
        remotes = [str(remote.name) for remote in repository.handle.remotes]
    found = [remote for remote in remotes if branch.startswith(f"{remote}/")]
    return max(found, key=len, default=None)


def _has(repository: Repository, commit: str) -> bool:
    with translated(repository.git_dir):
        return commit in repository.handle


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    # Behind one of these libgit2 still looks for an @, and takes what follows it for the host.
    is_clear = _ENDS_HOST.isdisjoint(url.partition("://")[2].partition("/")[0])
    host = parts.hostname if is_clear else None
    return parts.scheme, host, parts.port or _PORTS.get(parts.scheme)


def _token_for(url: RemoteUrl) -> tuple[str | None, str]:
    """Return the token of the environment where it is for a remote, and what to do where not.

    It is for the host that the environment names beside it, else for that of a URL that the user
    gave: what a repository's configuration names may be anybody's.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    scheme, host, port = _origin(url.text)
    if not token or not host or (scheme != "https" and (scheme != "http" or host not in _LOOPBACK)):
        return None, f"Set {TOKEN_VARIABLE} to a token that may read it"
    place = host if port == _PORTS[scheme] else f"{host}:{port}"
    named = os.environ.get(HOST_VARIABLE, "").lower().removesuffix(f":{_PORTS[scheme]}")
    if named == place or (not named and url.is_given):
        return token, f"Set {TOKEN_VARIABLE} to a token that may read it"
    return None, f"If {TOKEN_VARIABLE} is for this host, set {HOST_VARIABLE}={place} to say so"


class Callbacks(pygit2.RemoteCallbacks):
    """Answers a remote that asks who it is.

    Args:
        url: The remote's URL, which may hold a user and a password.
    """

    def __init__(self, url: RemoteUrl) -> None:
        super().__init__()
        parts = urlsplit(url.text) if "://" in url.text else None
        self._origin = _origin(url.text) if parts else None
        token, _ = _token_for(url)
        user, password = (parts.username, parts.password) if parts else (None, None)
        secret = unquote(password or "") or token
        self._login = pygit2.UserPass(unquote(user or "x-access-token"), secret) if secret else None
        self._asked = 0

    @property
    def fetch_options(self) -> Any:
        """What libgit2 is told; pygit2 sets it."""
        return self._options

    @fetch_options.setter
    def fetch_options(self, options: Any) -> None:
        # Python would be called for each object that comes, and hold up who reads meanwhile.
        options.callbacks.transfer_progress = options.callbacks.sideband_progress = ffi.NULL
        self._options = options

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:  # noqa: ARG002
        """Return whether the server is who it says: pygit2 by itself believes any host of ssh."""
        return valid

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> _Credentials:
        """Return the token, or the key that the agent of ssh holds."""
        self._asked += 1
        if self._asked <= 2:  # a refused one would be asked for again without end
            if allowed_types & CredentialType.USERNAME:
                return pygit2.Username(username_from_url or "git")
            if allowed_types & CredentialType.SSH_KEY:
                return pygit2.KeypairFromAgent(username_from_url or "git")
            # One that redirects elsewhere, or to where everybody can listen, is shown no secret.
            is_same = _origin(url) == self._origin and _origin(url)[1] is not None
            if allowed_types & CredentialType.USERPASS_PLAINTEXT and self._login and is_same:
                return self._login
        raise pygit2.Passthrough


@contextmanager
def _connected(repository: Repository, url: RemoteUrl) -> Iterator[tuple[pygit2.Remote, Callbacks]]:
    """Make a remote without a name, and turn what fails into our error."""
    place = without_secrets(url.text)
    with _SETTINGS:
        settings = pygit2.settings
        # A server that says nothing would be waited for without end.
        settings.server_connect_timeout = settings.server_connect_timeout or _CONNECT_MILLISECONDS
        settings.server_timeout = settings.server_timeout or _SILENCE_MILLISECONDS
    spellings = [url.text, _without_login(url.text)]
    try:
        remote = repository.handle.remotes.create_anonymous(spellings[-1])
        spellings.append(remote.url or url.text)  # git's `insteadOf` may add a password
        yield remote, Callbacks(url)
    except (pygit2.GitError, OSError, ValueError, KeyError) as error:
        text = str(error.args[0] if error.args else error).rstrip(".")
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, place)
        advice = ""
        if "authentication" in text:
            advice = f" {_token_for(url)[1]}, or for ssh load the key into the agent."
        elif "hostkey" in text:
            advice = " `ssh-keyscan HOST` shows its key; compare that, and add it to known_hosts."
        raise FetchError(path=place, reason=f"this cannot be fetched: {text}.{advice}") from error


def without_secrets(url: str) -> str:
    """Return a URL without its user, password and query, as it may be shown and logged.

    Raises:
        FetchError: It is no URL.
    """
    if "://" not in url:
        return url
    try:
        return urlunsplit(urlsplit(_without_login(url))._replace(query="", fragment=""))
    except ValueError as error:
        reason = f"this is no URL: {error}."
        raise FetchError(path=url.rpartition("@")[2], reason=reason) from None


def _without_login(url: str) -> str:
    if "://" not in url:
        return url
    parts = urlsplit(url)
    if parts.scheme == "ssh":  # the user is no secret there, and needed
        user = f"{parts.username}@" if parts.username else ""
        return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
