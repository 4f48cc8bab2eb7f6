"""The git program, where it is installed: it reads long histories many times faster than libgit2.

It is only asked for what libgit2 can answer too, and nothing that it says is believed unless it
fits together. It is told to look at nothing but the repository: neither settings that change its
output, nor replaced objects, nor a remote.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
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
_ID: Final = re.compile(r"[0-9a-f]{40}")
_PART: Final = 25_000
_AT_ONCE: Final = 2
"""So many commits are asked of one process, and so many of these run side by side."""


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


def list_first_parents(repository: Repository, tip: str, known: Collection[str]) -> list[str]:
    """List the ids of a first-parent history, newest first.

    Args:
        repository: The repository.
        tip: The id of its newest commit.
        known: Commits whose whole history may be left out.

    Raises:
        GitProgramError: It cannot be told.
    """
    words = ("rev-list", "--first-parent", "--ignore-missing", tip, *_without(known))
    with _running(repository, words) as run:
        ids = run.lines()
    if not all(map(_ID.fullmatch, ids)):
        raise GitProgramError("these are no ids")
    return ids


def log_commits(repository: Repository, ids: Sequence[str], folder: str) -> Iterator[Logged]:
    """Read commits of a first-parent history with what each of them changed.

    Args:
        repository: The repository.
        ids: Their ids, newest first, none left out, as `list_first_parents` gives them.
        folder: The folder whose changes are wanted; empty for all.

    Raises:
        GitProgramError: It cannot be told. What came before is of no use then.
    """
    paths = ("--", folder) if folder else ()
    parts = deque(ids[start : start + _PART] for start in range(0, len(ids), _PART))
    with ExitStack() as stack:
        running: deque[tuple[Sequence[str], _Run]] = deque()
        while parts or running:
            while parts and len(running) < _AT_ONCE:
                part = parts.popleft()
                words = (*_LOG, f"--max-count={len(part)}", part[0], *paths)
                running.append((part, stack.enter_context(_running(repository, words))))
            try:
                yield from _read_commits(*running.popleft())
            except ValueError as error:
                raise GitProgramError(str(error)) from error


def _read_commits(ids: Sequence[str], run: _Run) -> Iterator[Logged]:
    expected = iter(ids)
    commit: Logged | None = None
    for line in run.lines():
        if line.startswith(":"):
            if commit is None:
                raise GitProgramError(line)
            commit.changes.append(_change(line))
        elif line:
            if commit is not None:
                yield commit
            commit = _commit(line)
            if commit.id != next(expected, None):
                raise GitProgramError(line)
    if commit is not None:
        yield commit
    if next(expected, None) is not None:
        raise GitProgramError("git tells of fewer commits than it lists")


def _commit(line: str) -> Logged:
    commit_id, time, *parents = line.split()
    return Logged(commit_id, parents[0] if parents else None, int(time), [])


def _change(line: str) -> tuple[str, Entry | None]:
    # As git-diff-tree(1) tells: ":100644 100644 OLD NEW M\tPATH"
    facts, _, path = line.partition("\t")
    _, mode, _, blob, _ = facts.split(" ")
    return path, None if blob == _NOTHING else Entry(int(mode, 8), blob)


def _without(known: Collection[str]) -> list[str]:
    return [f"^{commit}" for commit in known]


class _Run:
    """A process of git, and the file that it writes to: a pipe would stop it until it is read."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process = process
        self._output = output

    def lines(self) -> list[str]:
        """Wait for its end, and give the lines that it wrote."""
        if self._process.wait():
            raise GitProgramError(f"git ended with {self._process.returncode}")
        self._output.seek(0)
        return self._output.read().decode(errors="replace").split("\n")[:-1]


@contextmanager
def _running(repository: Repository, words: Collection[str]) -> Iterator[_Run]:
    """Run git, and end it when nobody wants to know any more."""
    if _fetches_what_is_missing(repository):
        raise GitProgramError("a partial clone would ask its remote")
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = [
        "git", "--no-replace-objects", "--literal-pathspecs", "--no-pager",
        "--git-dir", str(repository.git_dir), *settings, *words,
    ]  # fmt: skip
    with TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - no word comes from outside but ids and a path
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                cwd=repository.common_dir,
                env=_environment(),
            )
        except (OSError, ValueError) as error:
            raise GitProgramError(str(error)) from error
        with process:
            try:
                yield _Run(process, output)
            finally:
                process.kill()


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
