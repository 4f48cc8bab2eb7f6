"""The git program, where it is installed: it reads long histories many times faster than libgit2.

It is only asked for what libgit2 can answer too, and nothing that it says is believed unless it
fits together. It is told to look at nothing but the repository: neither settings that change its
output, nor replaced objects, nor a remote.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import IO, Final, NamedTuple

import pygit2

from promptstore.repository.reading import Entry, Repository

_SETTINGS: Final = ("log.showSignature=false", "log.showRoot=true")
_LOG: Final = (
    "log", "--first-parent", "--diff-merges=first-parent", "--sparse", "--raw", "--no-abbrev",
    "--no-renames", "--no-ext-diff", "--no-color", "--no-notes", "--ignore-submodules=none",
    "--ignore-missing", "--format=%H %ct %P",
)  # fmt: skip
_KEPT_VARIABLES: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
_NOTHING: Final = "0" * 40


class GitProgramError(Exception):
    """The git program is not there, or did not do what was asked of it."""


class Logged(NamedTuple):
    """One commit of a first-parent history.

    Attributes:
        id: Its id.
        parent: The id of its first parent, or None for a root commit.
        time: When it was committed, in seconds since 1970.
        changes: The paths of files that it changed against its first parent, each with what stands
            there since then, or None where it was removed.
    """

    id: str
    parent: str | None
    time: int
    changes: list[tuple[str, Entry | None]]


def count_first_parents(repository: Repository, tip: str, known: Collection[str]) -> int:
    """Count the commits that `log_first_parents` gives.

    Raises:
        GitProgramError: It cannot be told.
    """
    words = ("rev-list", "--count", "--first-parent", "--ignore-missing")
    with _running(repository, (*words, tip, *_without(known))) as output:
        return int(output.read() or 0)


def log_first_parents(
    repository: Repository, tip: str, known: Collection[str], folder: str
) -> Iterator[Logged]:
    """Read a first-parent history, newest first, with what each commit changed.

    Args:
        repository: The repository.
        tip: The id of its newest commit.
        known: Commits whose whole history may be left out.
        folder: The folder whose changes are wanted; empty for all.

    Raises:
        GitProgramError: It cannot be told. What came before is of no use then.
    """
    paths = ("--", folder) if folder else ()
    with _running(repository, (*_LOG, tip, *_without(known), *paths)) as output:
        expected: str | None = tip
        commit: Logged | None = None
        for line in output:
            if line.startswith(":"):
                if commit is None:
                    raise GitProgramError(line)
                commit.changes.append(_change(line))
            elif line != "\n":
                if commit is not None:
                    yield commit
                commit = _commit(line)
                if commit.id != expected:
                    raise GitProgramError(line)
                expected = commit.parent
        if commit is not None:
            yield commit


def _commit(line: str) -> Logged:
    commit_id, time, *parents = line.split()
    return Logged(commit_id, parents[0] if parents else None, int(time), [])


def _change(line: str) -> tuple[str, Entry | None]:
    # As git-diff-tree(1) tells: ":100644 100644 OLD NEW M\tPATH"
    facts, _, path = line.rstrip("\n").partition("\t")
    _, mode, _, blob, _ = facts.split(" ")
    return path, None if blob == _NOTHING else Entry(int(mode, 8), blob)


def _without(known: Collection[str]) -> list[str]:
    return [f"^{commit}" for commit in known]


@contextmanager
def _running(repository: Repository, words: Collection[str]) -> Iterator[IO[str]]:
    """Run git, and raise where anything goes wrong with it."""
    if _fetches_what_is_missing(repository):
        raise GitProgramError("a partial clone would ask its remote")
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = [
        "git", "--no-replace-objects", "--literal-pathspecs", "--no-pager",
        "--git-dir", str(repository.git_dir), *settings, *words,
    ]  # fmt: skip
    try:
        process = subprocess.Popen(  # noqa: S603 - no word comes from outside but ids and a path
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=repository.common_dir,
            env=_environment(),
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise GitProgramError(str(error)) from error
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout
        except ValueError as error:
            raise GitProgramError(str(error)) from error
        finally:
            process.kill() if process.stdout.read(1) else process.wait()
    if process.returncode:
        raise GitProgramError(f"git ended with {process.returncode}")


def _fetches_what_is_missing(repository: Repository) -> bool:
    try:
        return any(
            entry.name == "extensions.partialclone" or entry.name.endswith(".promisor")
            for entry in repository.handle.config
        )
    except (KeyError, pygit2.GitError):
        return True


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT_VARIABLES
    }
    return kept | {"GIT_GRAFT_FILE": os.devnull, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
