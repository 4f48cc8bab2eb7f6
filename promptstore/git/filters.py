"""Running the command of a content filter that the user's own configuration knows.

Only a write does so: git would, libgit2 runs none, and unfiltered text may be a secret in clear.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import Final

import pygit2
from pygit2.enums import ConfigLevel

from promptstore.errors import RepositoryError

_COMMANDS: Final = ("clean", "smudge", "process")
_OF_THE_REPOSITORY: Final = (ConfigLevel.LOCAL, ConfigLevel.WORKTREE)


def run_filter(handle: pygit2.Repository, name: str, step: str, path: str, data: bytes) -> bytes:
    """Convert the content of a file by one step of a filter, as gitattributes(5) says.

    Args:
        handle: The repository.
        name: The filter.
        step: Its step, ``clean`` or ``smudge``.
        path: The file's path in the repository.
        data: The content.

    Raises:
        RepositoryError: The filter comes with the repository, or failed.
    """
    known: dict[str, str] = {}
    own: dict[str, str] = {}
    prefix, config = f"filter.{name}.", handle.config
    # The names of a section and of a key are in lower case, and a filter's own name is not.
    for entry in config:
        if entry.name.startswith(prefix):
            key = entry.name.removeprefix(prefix)
            known[key] = entry.value or ""
            if entry.level not in _OF_THE_REPOSITORY:
                own[key] = entry.value or ""
    if not known:
        return data
    for key in _COMMANDS:
        if known.get(key) and known[key] != own.get(key):
            raise RepositoryError(
                path=path,
                reason=f"the content filter {name!r} is known to the configuration of this "
                "repository only, whose commands promptstore does not run. If you trust it, "
                f"make it yours: `git config --global filter.{name}.{key} "
                f"{shlex.quote(known[key])}`.",
            )
    command = known.get(step)
    if command:
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
        said = done.stderr.decode(errors="replace").strip()
        reason = said or f"it ended with {done.returncode}"
    elif known.get("process"):
        reason = "promptstore runs 'clean' and 'smudge', not 'process'"
    else:
        reason = "there is no such command in git's configuration"
    required = f"{prefix}required"
    is_required = required in config and config.get_bool(required)
    if is_required or (not command and known.get("process")):
        raise RepositoryError(
            path=path, reason=f"the content filter {name!r} ({step}) failed: {reason}."
        )
    return data
