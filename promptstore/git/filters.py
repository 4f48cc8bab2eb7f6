"""What git makes of a file on its way between the working tree and its objects.

libgit2 converts line ends. The commands that ``filter`` in .gitattributes names are run here, as
gitattributes(5) describes it, but only those that the user's own configuration knows: one that
comes with a repository alone is refused.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import Final, NamedTuple

import pygit2
from pygit2.enums import AttrCheck, ConfigLevel, FilterMode

from promptstore.errors import RepositoryError

_OF_THE_REPOSITORY: Final = (ConfigLevel.LOCAL, ConfigLevel.WORKTREE)
_COMMANDS: Final = ("clean", "smudge", "process")


class _Driver(NamedTuple):
    name: str
    commands: dict[str, str]
    is_required: bool


def to_git(handle: pygit2.Repository, path: str, data: bytes) -> bytes:
    """Convert the content of a file on disk to what git would commit.

    Args:
        handle: The repository.
        path: The file's path in the repository.
        data: Its content on disk.

    Raises:
        RepositoryError: A filter is refused, or failed.
    """
    data = clean(handle, path, data)
    filters = handle.load_filter_list(path, FilterMode.TO_ODB)
    return filters.apply_to_buffer(data) if filters else data


def to_worktree(handle: pygit2.Repository, path: str, data: bytes) -> bytes:
    """Convert what git has of a file to its content on disk.

    Args:
        handle: The repository.
        path: The file's path in the repository.
        data: Its content in git.

    Raises:
        RepositoryError: A filter is refused, or failed.
    """
    filters = handle.load_filter_list(path, FilterMode.TO_WORKTREE)
    data = filters.apply_to_buffer(data) if filters else data
    return _run(handle, _find_driver(handle, path, None), "smudge", path, data)


def clean(handle: pygit2.Repository, path: str, data: bytes, commit: str | None = None) -> bytes:
    """Apply the command that cleans a file before it is committed, where there is one.

    Args:
        handle: The repository.
        path: The file's path in the repository.
        data: Its content.
        commit: A commit whose .gitattributes count too, as a bare repository has no others.

    Raises:
        RepositoryError: The filter is refused, or failed.
    """
    return _run(handle, _find_driver(handle, path, commit), "clean", path, data)


def _find_driver(handle: pygit2.Repository, path: str, commit: str | None) -> _Driver | None:
    flags = AttrCheck.INCLUDE_COMMIT if commit else AttrCheck(0)
    oid = pygit2.Oid(hex=commit) if commit else None
    encoding = handle.get_attr(path, "working-tree-encoding", flags, oid)
    if isinstance(encoding, str) and encoding.lower() not in ("utf-8", "utf8"):
        raise RepositoryError(
            path=path,
            reason=f".gitattributes asks for {encoding} on disk, and prompts are UTF-8. Add the "
            f"line `{path} !working-tree-encoding` to .gitattributes.",
        )
    name = handle.get_attr(path, "filter", flags, oid)
    if not isinstance(name, str):
        return None
    prefix = f"filter.{name}."
    own: dict[str, str] = {}
    known: dict[str, str] = {}
    for entry in handle.config:
        # The names of a section and of a key are in lower case, and a filter's own name is not.
        if entry.name.startswith(prefix):
            key, value = entry.name.removeprefix(prefix), entry.value or ""
            known[key] = value
            if entry.level not in _OF_THE_REPOSITORY:
                own[key] = value
    for key in _COMMANDS:
        if known.get(key) and known[key] != own.get(key):
            raise RepositoryError(
                path=path,
                reason=f"the content filter {name!r} is known to the configuration of this "
                "repository only, whose commands promptstore does not run. If you trust it, make "
                f"it yours: `git config --global {prefix}{key} {shlex.quote(known[key])}`.",
            )
    commands = {key: known[key] for key in _COMMANDS if known.get(key)}
    is_required = prefix + "required" in handle.config and handle.config.get_bool(
        prefix + "required"
    )
    if not commands and not is_required:
        return None
    return _Driver(name, commands, is_required)


def _run(
    handle: pygit2.Repository, driver: _Driver | None, step: str, path: str, data: bytes
) -> bytes:
    if driver is None:
        return data
    command = driver.commands.get(step)
    reason = "there is no such command in git's configuration"
    if command is None and "process" in driver.commands:
        reason = "promptstore runs 'clean' and 'smudge', not 'process'"
    elif command is not None:
        done = subprocess.run(  # noqa: S602 - so does git, and the command is the user's own
            command.replace("%f", shlex.quote(path)),
            shell=True,
            cwd=handle.workdir or handle.path,
            input=data,
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        reason = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
    elif not driver.is_required:
        return data
    if driver.is_required or command is None:
        raise RepositoryError(
            path=path, reason=f"the content filter {driver.name!r} ({step}) failed: {reason}."
        )
    return data
