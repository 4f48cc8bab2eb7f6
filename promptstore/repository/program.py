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
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import IO, Final, TypeAlias

import pygit2

from promptstore.repository.reading import Repository

_COMPARE: Final = (
    "diff-tree", "--stdin", "-r", "-z", "--root", "--always", "--diff-merges=first-parent",
    "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-color",
    "--ignore-submodules=none",
)  # fmt: skip
_KEPT_VARIABLES: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
_NOTHING: Final = b"0" * 40
_LISTED: Final = re.compile(r"(?:\d+ [0-9a-f]{40}\n)*")
_COMPARED: Final = re.compile(
    rb"([0-9a-f]{40})\0|:[0-7]{6} ([0-7]{6}) [0-9a-f]{40} ([0-9a-f]{40}) [A-Z]\0([^\0]+)\0"
)
"""As git-diff-tree(1) tells: a commit's id, or ":100644 100644 OLD NEW M" and a path."""

_PART: Final = 25_000
_AT_ONCE: Final = 2
"""So many commits at most are asked of one process, and so many of these run side by side."""


class GitProgramError(Exception):
    """The git program is not there, or did not do what was asked of it."""


Compared: TypeAlias = tuple[int, str, int | None, str | None]
"""A file that a commit changed against its first parent: which of the commits it was, counted from
0, the file's path, and the mode and the id that stand there since then; None where it was removed.
It is a plain tuple because Python's garbage collector stops looking after those.
"""


@contextmanager
def listing_first_parents(
    repository: Repository, tip: str, known: Collection[str]
) -> Iterator[Callable[[], list[tuple[str, int]]]]:
    """List a first-parent history, newest first, beside other work.

    Args:
        repository: The repository.
        tip: The id of its newest commit.
        known: Commits whose whole history may be left out.

    Yields:
        What waits for the list: the id of each commit, and when it was committed, in seconds since
        1970.

    Raises:
        GitProgramError: It cannot be told.
    """
    without = (f"^{commit}" for commit in known)
    words = ("rev-list", "--first-parent", "--timestamp", "--ignore-missing", tip, *without)
    with _running(repository, words) as run:
        yield lambda: _read_list(run.output().decode(errors="replace"))


def compare_commits(repository: Repository, ids: Sequence[str], folder: str) -> Iterator[Compared]:
    """Find what each of some commits changed against its first parent.

    `git log` would find it too, but it compares the trees of each commit twice where it is asked
    about one folder.

    Args:
        repository: The repository.
        ids: The commits' ids, best along a history: each tree is then read soon after its like.
        folder: The folder whose changes are wanted; empty for all.

    Yields:
        The changed files, in the order of the commits.

    Raises:
        GitProgramError: It cannot be told. What came before is of no use then.
    """
    words = (*_COMPARE, "--", folder) if folder else _COMPARE
    # In two rounds, so that the first is read here while git works on the second.
    size = min(_PART, len(ids) // (2 * _AT_ONCE) + 1)
    starts = range(0, len(ids), size)
    parts = deque(ids[start : start + size] for start in starts)
    with ExitStack() as stack:

        def run_next() -> None:
            if parts:
                asked = "\n".join([*parts.popleft(), ""]).encode()
                runs.append(stack.enter_context(_running(repository, words, asked)))

        runs: deque[_Run] = deque()
        for _ in range(_AT_ONCE):
            run_next()
        for start in starts:
            output = runs.popleft().output()
            run_next()
            yield from _read_part(ids[start : start + size], start, output)


def _read_list(output: str) -> list[tuple[str, int]]:
    if not _LISTED.fullmatch(output):
        raise GitProgramError("these are no ids")
    facts = output.split()
    return list(zip(facts[1::2], map(int, facts[::2]), strict=True))


def _read_part(ids: Sequence[str], start: int, output: bytes) -> Iterator[Compared]:
    found = _COMPARED.findall(output)
    told = [record[0].decode() for record in found if record[0]]
    if told != ids or not found[0][0] or output.count(b"\0") != 2 * len(found) - len(told):
        raise GitProgramError("git tells of other commits than it was asked for")
    number = start - 1
    for commit, mode, blob, path in found:
        if commit:
            number += 1
        elif blob == _NOTHING:
            yield number, path.decode(errors="replace"), None, None
        else:
            yield number, path.decode(errors="replace"), int(mode, 8), blob.decode()


class _Run:
    """A process of git, and the file that it writes to: a pipe would stop it until it is read."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process = process
        self._output = output

    def output(self) -> bytes:
        """Wait for its end, and give what it wrote."""
        if self._process.wait():
            raise GitProgramError(f"git ended with {self._process.returncode}")
        self._output.seek(0)
        return self._output.read()


@contextmanager
def _running(repository: Repository, words: Collection[str], asked: bytes = b"") -> Iterator[_Run]:
    """Run git, let it read what it is asked, and end it when nobody wants to know any more."""
    if _fetches_what_is_missing(repository):
        raise GitProgramError("a partial clone would ask its remote")
    command = [
        "git", "--no-replace-objects", "--literal-pathspecs", "--no-pager",
        "--git-dir", str(repository.git_dir), *words,
    ]  # fmt: skip
    with TemporaryFile() as given, TemporaryFile() as output:
        given.write(asked)
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - no word comes from outside but ids and a path
                command,
                stdin=given,
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
