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

from promptstore.git.reading import Repository
from promptstore.git.trees import Step

_COMPARE: Final = (
    "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff",
    "--no-color", "--ignore-submodules=none",
)  # fmt: skip
_KEPT_VARIABLES: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
_NOTHING: Final = b"0" * 40
_LISTED: Final = re.compile(r"(?:\d+ commit [0-9a-f]{40}\n[0-9a-f]{40}\n)*")
_RECORD: Final = len(":100644 100644 OLD NEW M") - 6 + 2 * 40
_RECORDS: Final = re.compile(rb"(?::[0-7]{6} [0-7]{6} [0-9a-f]{40} [0-9a-f]{40} [A-Z])*")
"""As git-diff-tree(1) tells of each file before its path. A match for each takes a quarter longer
than one for all."""

_PAIR: Final = 2 * 41
"""So long is the line for two trees, with which git asks and answers."""

_PART: Final = 25_000
_AT_ONCE: Final = 2
"""So many trees at most are asked of one process, and so many of these run side by side."""


class GitProgramError(Exception):
    """The git program is not there, or did not do what was asked of it."""


Listed: TypeAlias = tuple[str, str, int]
"""A commit: its id, the id of its root tree, and its time in seconds since 1970."""

Compared: TypeAlias = tuple[int, str, int | None, str | None]
"""A file that a commit changed: the number of the commit, the file's path, and the mode and the id
that stand there since then; None where it was removed. Python's garbage collector stops looking
after plain tuples.
"""


@contextmanager
def listing_first_parents(
    repository: Repository, tip: str, known: Collection[str]
) -> Iterator[Callable[[], list[Listed]]]:
    """List a first-parent history, newest first, beside other work.

    Args:
        repository: The repository.
        tip: The id of its newest commit.
        known: Commits whose whole history may be left out.

    Yields:
        What waits for the list.

    Raises:
        GitProgramError: It cannot be told.
    """
    without = (f"^{commit}" for commit in known)
    words = (
        "rev-list", "--first-parent", "--timestamp", "--format=%T", "--ignore-missing",
        tip, *without,
    )  # fmt: skip
    with _running(repository, words) as run:
        yield lambda: _read_list(run.output().decode(errors="replace"))


def compare_trees(repository: Repository, steps: Sequence[Step], folder: str) -> Iterator[Compared]:
    """Find what differs between the root trees before and after some commits.

    `git log` would find it too, but it compares the trees of each commit twice where it is asked
    about one folder. Asked about commits, `git diff-tree` reads each of them, a fifth of its time.

    Args:
        repository: The repository.
        steps: The trees, best along a history: each is then read soon after its like.
        folder: The folder whose changes are wanted; empty for all.

    Yields:
        The changed files, in the order of the steps.

    Raises:
        GitProgramError: It cannot be told. What came before is of no use then.
    """
    words = (*_COMPARE, "--", folder) if folder else _COMPARE
    # In two rounds, so that the first is read here while git works on the second.
    size = min(_PART, len(steps) // (2 * _AT_ONCE) + 1)
    parts = [steps[start : start + size] for start in range(0, len(steps), size)]
    waiting = deque(parts)
    with ExitStack() as stack:

        def run_next() -> None:
            if waiting:
                asked = _lines(waiting.popleft())
                runs.append(stack.enter_context(_running(repository, words, asked)))

        runs: deque[_Run] = deque()
        for _ in range(_AT_ONCE):
            run_next()
        for part in parts:
            output = runs.popleft().output()
            run_next()
            yield from _read_part(part, output)


def _read_list(output: str) -> list[Listed]:
    if not _LISTED.fullmatch(output):
        raise GitProgramError("these are no commits")
    facts = output.split()
    return list(zip(facts[2::4], facts[3::4], map(int, facts[::4]), strict=True))


def _lines(part: Sequence[Step]) -> bytes:
    return "".join([f"{before} {after}\n" for _, before, after in part]).encode()


def _read_part(part: Sequence[Step], output: bytes) -> Iterator[Compared]:
    # What is told of a file stands behind the lines for its trees, and those for equal ones before.
    *fields, rest = output.split(b"\0")
    records, paths = fields[::2], fields[1::2]
    lines = [record[:-_RECORD] for record in records]
    told = b"".join([record[-_RECORD:] for record in records])
    fits = b"".join([*lines, rest]) == _lines(part) and len(records) == len(paths)
    if not fits or lines[:1] == [b""] or not _RECORDS.fullmatch(told):
        raise GitProgramError("git tells of other trees than it was asked for")
    place = -1
    for line, record, path in zip(lines, records, paths, strict=True):
        place += len(line) // _PAIR
        number, name, blob = part[place][0], path.decode(errors="replace"), record[-42:-2]
        if blob == _NOTHING:
            yield number, name, None, None
        else:
            yield number, name, int(record[-90:-84], 8), blob.decode()


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
