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
    """A filter as git's configuration knows it: its commands, and those of the user's own."""

    known: dict[str, str]
    own: dict[str, str]
    is_required: bool


class Filters:
    """What converts the files of a repository, by the configuration of one moment.

    Args:
        handle: The repository.
        commit: A commit whose .gitattributes count too, as a bare repository has no others.
    """

    def __init__(self, handle: pygit2.Repository, commit: str | None = None) -> None:
        self._handle = handle
        self._flags = AttrCheck.INCLUDE_COMMIT if commit else AttrCheck(0)
        self._commit = pygit2.Oid(hex=commit) if commit else None
        self._drivers = _read_drivers(handle.config)

    def to_git(self, path: str, data: bytes) -> bytes:
        """Convert the content of a file on disk to what git would commit.

        Raises:
            RepositoryError: A filter is refused, or failed.
        """
        data = self.clean(path, data)
        filters = self._handle.load_filter_list(path, FilterMode.TO_ODB)
        return filters.apply_to_buffer(data) if filters else data

    def to_worktree(self, path: str, data: bytes) -> bytes:
        """Convert what git has of a file to its content on disk.

        Raises:
            RepositoryError: A filter is refused, or failed.
        """
        encoding = self._attribute(path, "working-tree-encoding")
        if isinstance(encoding, str) and encoding.lower() not in ("utf-8", "utf8"):
            raise RepositoryError(
                path=path,
                reason=f".gitattributes asks for {encoding} on disk, and prompts are UTF-8. Add "
                f"the line `{path} !working-tree-encoding` to .gitattributes.",
            )
        filters = self._handle.load_filter_list(path, FilterMode.TO_WORKTREE)
        return self._run("smudge", path, filters.apply_to_buffer(data) if filters else data)

    def clean(self, path: str, data: bytes) -> bytes:
        """Apply the command that cleans a file before it is committed, where there is one.

        Raises:
            RepositoryError: The filter is refused, or failed.
        """
        return self._run("clean", path, data)

    def _attribute(self, path: str, name: str) -> str | bool | None:
        return self._handle.get_attr(path, name, self._flags, self._commit)

    def _run(self, step: str, path: str, data: bytes) -> bytes:
        # Most repositories know no filter at all, and looking for attributes takes its time.
        name = self._attribute(path, "filter") if self._drivers else None
        driver = self._drivers.get(name) if isinstance(name, str) else None
        if driver is None:
            return data
        for key in _COMMANDS:
            if driver.known.get(key) and driver.known[key] != driver.own.get(key):
                raise RepositoryError(
                    path=path,
                    reason=f"the content filter {name!r} is known to the configuration of this "
                    "repository only, whose commands promptstore does not run. If you trust it, "
                    f"make it yours: `git config --global filter.{name}.{key} "
                    f"{shlex.quote(driver.known[key])}`.",
                )
        command = driver.known.get(step)
        if command:
            done = subprocess.run(  # noqa: S602 - so does git, and the command is the user's own
                command.replace("%f", shlex.quote(path)),
                shell=True,
                cwd=self._handle.workdir or self._handle.path,
                input=data,
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return done.stdout
            said = done.stderr.decode(errors="replace").strip()
            reason = said or f"it ended with {done.returncode}"
        elif driver.known.get("process"):
            reason = "promptstore runs 'clean' and 'smudge', not 'process'"
        else:
            reason = "there is no such command in git's configuration"
        if driver.is_required or (not command and driver.known.get("process")):
            raise RepositoryError(
                path=path, reason=f"the content filter {name!r} ({step}) failed: {reason}."
            )
        return data


def _read_drivers(config: pygit2.Config) -> dict[str, _Driver]:
    drivers: dict[str, _Driver] = {}
    for entry in config:
        # The names of a section and of a key are in lower case, and a filter's own name is not.
        if not entry.name.startswith("filter."):
            continue
        name, _, key = entry.name.removeprefix("filter.").rpartition(".")
        driver = drivers.get(name) or _Driver({}, {}, is_required=False)
        if key == "required":
            drivers[name] = driver._replace(is_required=config.get_bool(entry.name))
            continue
        drivers[name] = driver
        driver.known[key] = entry.value or ""
        if entry.level not in _OF_THE_REPOSITORY:
            driver.own[key] = entry.value or ""
    return drivers
