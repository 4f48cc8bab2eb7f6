"""Opening a repository if git may trust it, with git's whole configuration."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Final

import pygit2

from promptstore.errors import RepositoryError
from promptstore.git.configuration import add_environment, safe_directories

_NOT_OWNED: Final = re.compile(r"repository path '(.*)' is not owned by current user")
_OPENING: Final = threading.Lock()


def open_repository(git_dir: Path) -> pygit2.Repository:
    """Open a git directory, unless it belongs to another user whom git is not told to trust.

    Raises:
        RepositoryError: Another user owns it.
        pygit2.GitError: It cannot be opened.
    """
    try:
        handle = pygit2.Repository(str(git_dir))
    except pygit2.GitError as error:
        not_owned = _NOT_OWNED.search(str(error))
        if not_owned is None:
            raise
        if not _is_trusted(not_owned[1]):
            raise RepositoryError(
                path=str(git_dir),
                reason="another user owns this repository, so git does not trust it. If you do: "
                f"`git config --global --add safe.directory {not_owned[1]}`, or without the git "
                f"program the lines `[safe]` and `directory = {not_owned[1]}` in ~/.gitconfig.",
            ) from error
        handle = _open_trusted(git_dir)
    add_environment(handle.config)
    return handle


def _open_trusted(git_dir: Path) -> pygit2.Repository:
    # libgit2 has this as a switch of the whole process only.
    with _OPENING:
        checks = pygit2.settings.owner_validation
        pygit2.settings.owner_validation = False
        try:
            return pygit2.Repository(str(git_dir))
        finally:
            pygit2.settings.owner_validation = checks


def _is_trusted(path: str) -> bool:
    return any(
        trusted in ("*", path) or (trusted.endswith("/*") and path.startswith(trusted[:-1]))
        for trusted in safe_directories()
    )
