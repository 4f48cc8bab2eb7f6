"""Locks between processes, each waited for within a bound."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from promptstore.errors import ReadOnlyError, RepositoryLockedError

if sys.platform != "win32":
    import fcntl

OTHERS: Final = "another process, perhaps git,"
"""Who holds a lock of git's, in words."""

_FIRST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.01


class Deadline:
    """How long one write may still wait for others.

    Args:
        seconds: The bound, in seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def wait(self, path: Path | str, holder: str) -> None:
        """Wait a moment for a lock.

        Args:
            path: The lock's path.
            holder: Who holds it, in words.

        Raises:
            RepositoryLockedError: The bound is reached.
        """
        if time.monotonic() > self._end:
            raise RepositoryLockedError(
                path=str(path),
                reason=f"{holder} held this lock for more than {self._seconds:g} seconds. "
                "Try again; if no such process runs, remove the file.",
            )
        # Git's locks are files, and a file that goes wakes nobody: one can only look again.
        time.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


@contextmanager
def exclusive(path: Path | str, deadline: Deadline) -> Iterator[None]:
    """Keep all other writers of this library out, in this process and in others.

    The operating system takes the lock away from a process that dies.

    Args:
        path: The lock's file, which is made and stays.
        deadline: How long may be waited.

    Raises:
        RepositoryLockedError: Another writer held it for too long.
        ReadOnlyError: The file cannot be made.
    """
    if sys.platform == "win32":
        raise ReadOnlyError(path=str(path), reason="writing works on Linux and macOS only.")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError as error:
        raise ReadOnlyError(path=str(path), reason="this user may not write here.") from error
    try:
        while not _try_lock(descriptor):
            deadline.wait(path, "another writer of promptstore")
        yield
    finally:
        # A process forked meanwhile holds a copy of the descriptor: closing would not be enough.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class LinkedLock:
    """A lock file in git's manner, such as ``index.lock``, which tells who made it.

    It is a hard link to a token, a file that only its owner knows. So a lock that a killed process
    left can be told from one of git's own, and removed.

    Args:
        path: The lock's path.
        token: The token's path, on the same file system.
    """

    def __init__(self, path: Path, token: Path) -> None:
        self._path = path
        self._token = token

    def acquire(self, deadline: Deadline) -> None:
        """Take the lock, or do nothing where it is taken already.

        Raises:
            RepositoryLockedError: Another process held it for too long.
        """
        self._token.touch()
        while True:
            try:
                self._path.hardlink_to(self._token)
            except FileExistsError:
                if self.is_held:
                    return
                deadline.wait(self._path, OTHERS)
            else:
                return

    @property
    def is_taken(self) -> bool:
        """Whether anybody has the lock."""
        return self._path.exists()

    @property
    def is_held(self) -> bool:
        """Whether the lock is there and has this token."""
        try:
            return self._token.samefile(self._path)
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Release the lock; one that somebody else holds stays."""
        if self.is_held:
            self._path.unlink()
        with suppress(FileNotFoundError):
            self._token.unlink()
