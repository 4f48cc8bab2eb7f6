"""Running the command of a content filter that the user's own configuration knows."""

from __future__ import annotations

import shlex
import subprocess
from typing import Final

import pygit2

from promptstore.errors import RepositoryError
from promptstore.git.checkout import Driver

_COMMANDS: Final = ("clean", "smudge", "process")


def run_filter(
    handle: pygit2.Repository, driver: Driver, step: str, path: str, data: bytes
) -> bytes:
    """Convert the content of a file by one step of a filter, as gitattributes(5) says.

    Args:
        handle: The repository.
        driver: The filter.
        step: Its step, ``clean`` or ``smudge``.
        path: The file's path in the repository.
        data: The content.

    Raises:
        RepositoryError: The filter comes with the repository, or failed.
    """
    for key in _COMMANDS:
        if driver.known.get(key) and driver.known[key] != driver.own.get(key):
            raise RepositoryError(
                path=path,
                reason=f"the content filter {driver.name!r} is known to the configuration of this "
                "repository only, whose commands promptstore does not run. If you trust it, "
                f"make it yours: `git config --global filter.{driver.name}.{key} "
                f"{shlex.quote(driver.known[key])}`.",
            )
    command = driver.known.get(step)
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
    elif driver.known.get("process"):
        reason = "promptstore runs 'clean' and 'smudge', not 'process'"
    else:
        reason = "there is no such command in git's configuration"
    required, config = f"filter.{driver.name}.required", handle.config
    is_required = required in config and config.get_bool(required)
    if is_required or (not command and driver.known.get("process")):
        raise RepositoryError(
            path=path, reason=f"the content filter {driver.name!r} ({step}) failed: {reason}."
        )
    return data
