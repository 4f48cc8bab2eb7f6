"""Finding the repository that a path lies in, and opening it if git may trust it."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Final

import pygit2

from promptstore.errors import RepositoryError, RepositoryNotFoundError
from promptstore.git.failures import explain

_NOT_OWNED: Final = re.compile(r"repository path '(.*)' is not owned by current user")
_PARTS: Final = ("HEAD", "objects", "refs")
"""What makes a folder a git directory, for git and for libgit2."""

_PARTIAL: Final = "extensions.partialclone"

_OPENING: Final = threading.Lock()


def find_repository(path: Path) -> Path:
    """Return the git directory of the repository that a path lies in.

    Raises:
        RepositoryNotFoundError: The path lies in no repository.
        RepositoryError: The repository there is damaged.
    """
    _refuse_damaged(path)
    try:
        found = pygit2.discover_repository(str(path))
    except (pygit2.GitError, OSError) as error:
        raise explain(path, error) from error
    if found is None:
        raise RepositoryNotFoundError(
            path=str(path),
            reason="this is not in a git repository. Run `git init`, or give another path.",
        )
    return Path(found)


def open_repository(git_dir: Path) -> pygit2.Repository:
    """Open a git directory, unless it belongs to another user whom git is not told to trust.

    Raises:
        UnsupportedRepositoryError: Its format cannot be read by libgit2.
        RepositoryError: It cannot be opened.
    """
    try:
        return _open(git_dir)
    except (pygit2.GitError, OSError) as error:
        not_owned = _NOT_OWNED.search(str(error))
        if not_owned is None:
            raise explain(git_dir, error) from error
        if not _is_trusted(not_owned[1]):
            raise RepositoryError(
                path=str(git_dir),
                reason="another user owns this repository, so git does not trust it. If you do: "
                f"`git config --global --add safe.directory {not_owned[1]}`, or without the git "
                f"program the lines `[safe]` and `directory = {not_owned[1]}` in ~/.gitconfig.",
            ) from error
        return _open_trusted(git_dir)


def _open(git_dir: Path) -> pygit2.Repository:
    try:
        return pygit2.Repository(str(git_dir))
    except pygit2.GitError as error:
        if _PARTIAL not in str(error):
            raise
    # Older gits mark a partial clone so. libgit2 reads it well, but must be told for the process.
    known = pygit2.settings.extensions
    pygit2.settings.set_extensions([*known, "partialclone"])
    return pygit2.Repository(str(git_dir))


def _open_trusted(git_dir: Path) -> pygit2.Repository:
    # libgit2 knows the trust that files tell of, not that of the environment.
    with _OPENING:
        checks = pygit2.settings.owner_validation
        pygit2.settings.owner_validation = False
        try:
            return _open(git_dir)
        finally:
            pygit2.settings.owner_validation = checks


def _is_trusted(path: str) -> bool:
    from promptstore.git.configuration import safe_directories

    return any(
        trusted in ("*", path) or (trusted.endswith("/*") and path.startswith(trusted[:-1]))
        for trusted in safe_directories()
    )


def _refuse_damaged(path: Path) -> None:
    """See that what git would find first is whole: it would pass over what is not."""
    path = path.resolve()
    if (path / "config").is_file():
        _refuse_incomplete(path)
    for folder in (path, *path.parents):
        found = folder / ".git"
        if found.is_file():
            _refuse_dead_link(found)
            return
        if found.is_dir() and any((found / part).exists() for part in _PARTS):
            _refuse_incomplete(found)
            return


def _refuse_incomplete(git_dir: Path) -> None:
    missing = [part for part in _PARTS if not (git_dir / part).exists()]
    if not missing or len(missing) == len(_PARTS):
        return
    mend = {
        "HEAD": f"`echo 'ref: refs/heads/main' > {git_dir}/HEAD`",
        "objects": f"`mkdir {git_dir}/objects`",
        "refs": f"`mkdir {git_dir}/refs`",
    }
    raise RepositoryError(
        path=str(git_dir),
        reason=f"this git directory is damaged: it holds no {' and no '.join(missing)}. Clone it "
        f"anew, or run {' and '.join(mend[part] for part in missing)}, after which `git fsck` says "
        "what else is missing.",
    )


def _refuse_dead_link(file: Path) -> None:
    text = file.read_text(errors="replace").strip()
    target = Path(file.parent, text.removeprefix("gitdir:").strip())
    if not text.startswith("gitdir:") or not target.exists():
        raise RepositoryError(
            path=str(file),
            reason=f"this file names no git directory, but {text[:200]!r}. For a linked worktree "
            "run `git worktree repair` in the main clone, for a submodule `git submodule update "
            "--init` in the repository around it.",
        )
