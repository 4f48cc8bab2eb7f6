"""The one primitive of writing: file changes on a reference become one commit, or nothing.

A write has four steps. (1) The objects are stored; nothing refers to them yet. (2) Each working
tree that has the branch checked out is locked and looked at, so that no work of a person is lost,
and its index is written. (3) The reference moves by compare-and-swap: this is the commit. (4) The
files follow. Where no working tree has it checked out, steps 2 and 4 are nothing.

Before step 2 a journal says what is about to happen. A process that dies leaves the journal behind,
and the next writer finishes step 4 or takes away what step 2 laid out (see `recovery`). What fails
after step 3 is a warning: the commit has happened.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import pygit2
from pygit2.transaction import ReferenceTransaction

from promptstore.errors import ConflictError, ReadOnlyError, RepositoryLockedError
from promptstore.git.checkout import Checkout, find_checkouts
from promptstore.git.commits import (
    REFLOG_WORD,
    CommitNote,
    FileChange,
    Move,
    force_to_disk_as_told,
    store_commit,
    tip_of,
)
from promptstore.git.reading import Repository, translated

if sys.platform != "win32":
    import fcntl

JOURNAL: Final = "journal.json"

OTHERS: Final = "another process, perhaps git,"
"""Who holds a lock of git's, in words."""

FAULTS: Final = (pygit2.GitError, OSError, KeyError, ValueError)
"""What libgit2 and the operating system raise."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.01

Plan: TypeAlias = Callable[[str | None], Sequence[FileChange]]
"""Returns the changes for a tip of a reference (None where it has no commit). It is asked again
whenever a commit of somebody else comes in between, and raises what it wants to raise where the
changes do not fit that commit."""


class Update(NamedTuple):
    """What came of a write.

    Attributes:
        commit: The commit that the reference was moved to; None where there was nothing to change.
        warnings: What could not be done after the commit, as sentences.
    """

    commit: str | None
    warnings: tuple[str, ...] = ()


Draft: TypeAlias = Callable[[Repository, str | None], tuple[str, tuple[Move, ...]] | None]
"""Stores a commit for a tip of a reference, and returns what it does; None is nothing to do."""


def update_ref(
    repository: Repository,
    ref: str,
    plan: Plan,
    note: CommitNote,
    *,
    deadline: Deadline,
    start: str | None = None,
) -> Update:
    """Put file changes on top of a reference as one commit, or do nothing at all.

    A branch may be checked out anywhere or nowhere, and may have no commit yet. Hooks are not run,
    and the commit is not signed.

    Args:
        repository: The repository.
        ref: The reference's full name, such as ``refs/heads/main``.
        plan: The changes.
        note: The author, the committer and the message.
        deadline: How long locks of others are waited for.
        start: The commit that a reference grows from that does not exist yet; None begins a
            history.

    Returns:
        What came of it.

    Raises:
        ConflictError: Uncommitted work in a working tree stands in the way.
        RepositoryLockedError: Another process held a lock for too long.
        ReadOnlyError: The repository cannot be written, or the branch stands for another one.
        RepositoryError: Git could not do it.
    """

    def draft(fresh: Repository, tip: str | None) -> tuple[str, tuple[Move, ...]] | None:
        changes = plan(tip)
        if not changes:
            return None
        parent = tip or start
        commit, moves = store_commit(fresh, [parent] if parent else [], changes, note)
        return None if all(move.before == move.after for move in moves) else (commit, moves)

    return move_to(repository, ref, draft, note, deadline)


def move_to(
    shared: Repository, ref: str, draft: Draft, note: CommitNote, deadline: Deadline
) -> Update:
    """Move a reference to a commit that is made for where it stands; see `update_ref`.

    Args:
        shared: The repository.
        ref: The reference's full name.
        draft: Makes the commit.
        note: The author, the committer and the message.
        deadline: How long locks of others are waited for.
    """
    folder = shared.common_dir / "promptstore"
    with translated(shared.git_dir):
        if not folder.is_dir():
            _make_own_folder(shared, folder)
        with exclusive(folder / "write.lock", deadline):
            # One that is opened now follows the configuration of this moment.
            repository = Repository(shared.git_dir)
            force_to_disk_as_told(repository.handle)
            warnings = []
            if (folder / JOURNAL).exists():
                from promptstore.git.recovery import recover

                warnings = recover(repository, folder, deadline)
            write = Write(repository, folder, ref, os.urandom(6).hex())
            try:
                write.run(draft, note, deadline)
            except BaseException as error:
                for warning in write.finish():
                    error.add_note(warning)
                raise
            warnings += write.finish()
            return Update(write.commit if write.has_moved else None, tuple(warnings))


@dataclass
class Write:
    """A write under way.

    Attributes:
        repository: The repository.
        folder: Where its journal is.
        ref: The reference's full name.
        token: A word that marks the files of this write.
        commit: The commit that the reference moves to.
        moves: What the commit does to each path.
        worktrees: All working trees.
        checkouts: Those that have the branch checked out.
        has_moved: Whether the reference has moved, as far as it is known.
        warnings: What could not be done after that.
    """

    repository: Repository
    folder: Path
    ref: str
    token: str
    commit: str = ""
    moves: tuple[Move, ...] = ()
    worktrees: list[Checkout] = field(default_factory=list)
    checkouts: list[Checkout] = field(default_factory=list)
    has_moved: bool = False
    warnings: list[str] = field(default_factory=list)

    def run(self, draft: Draft, note: CommitNote, deadline: Deadline) -> None:
        """Move the reference to a commit, unless there is nothing to change."""
        handle = self.repository.handle
        while True:
            tip = tip_of(handle, self.ref)
            drafted = draft(self.repository, tip)
            if drafted is None:
                return
            self.commit, self.moves = drafted
            fresh = self.folder / "journal.new"
            fresh.write_text(json.dumps([self.ref, self.commit, self.token, self.moves]))
            fresh.replace(self.folder / JOURNAL)
            self.worktrees = self.worktrees or find_checkouts(self.repository, self.token)
            self.checkouts = self.checkouts or [w for w in self.worktrees if w.is_on(self.ref)]
            for checkout in self.checkouts.copy():
                lock_index(checkout, deadline)
                if not checkout.is_on(self.ref):
                    self.checkouts.remove(checkout)
                    checkout.clean(self.moves)
            # Git may have committed just before it was kept out; it cannot do so once more.
            if tip_of(handle, self.ref) == tip:
                for checkout in self.checkouts:
                    checkout.prepare(self.moves, self.ref, tip)
                self._move(tip, note, deadline)
                if self.has_moved:
                    return
                for checkout in self.checkouts:
                    checkout.take_back()
            deadline.wait(self.folder / "write.lock", "ever new commits of others")

    def _move(self, tip: str | None, note: CommitNote, deadline: Deadline) -> None:
        """Move the reference, where it still is where it was.

        The look and the move happen under the reference's lock: one without a commit has no old
        value that git could compare.
        """
        handle, lock = self.repository.handle, self.repository.common_dir / f"{self.ref}.lock"
        handle.set_ident(note.committer.name, note.committer.email)
        subject = note.message.partition("\n")[0]
        try:
            while True:
                with handle.transaction() as transaction:
                    is_locked = _try_lock(handle, transaction, self.ref)
                    is_there = is_locked and tip_of(handle, self.ref) == tip
                    if is_there:
                        message = f"{REFLOG_WORD} {subject}"
                        transaction.set_target(self.ref, self.commit, None, message)
                if is_locked:
                    self.has_moved = is_there
                    return
                deadline.wait(lock, OTHERS)
        except FAULTS as error:
            self.has_moved = tip_of(handle, self.ref) == self.commit
            if not self.has_moved:
                raise
            self.warnings.append(f"the commit was made, but then git said: {error}")

    def finish(self, deadline: Deadline | None = None) -> list[str]:
        """Let the files follow where the reference has moved, else take back what was laid out.

        Args:
            deadline: For the write of a process that died: how long a lock is waited for that it
                may not have by now. Nobody tries once more, as that would hold up every later one.

        Returns:
            What could not be done, as sentences. The next writer tries once more.
        """
        followed: Sequence[Move] | None = self.moves
        if not self.has_moved:
            from promptstore.git.recovery import find_untouched

            try:
                followed = find_untouched(self)
            except FAULTS as error:
                # Nobody knows which of both is right, so the next writer looks.
                return [*self.warnings, f"the state of {self.ref} cannot be read: {error}"]
        steps: list[tuple[Checkout, Callable[[], None]]] = []
        for checkout in self.checkouts:
            if followed is not None and deadline is not None:
                lock_index(checkout, deadline)
            step = checkout.take_back if followed is None else partial(checkout.follow, followed)
            steps += [(checkout, step), (checkout, partial(checkout.clean, self.moves))]
        if self.has_moved:
            steps += [(worktree, partial(self._catch_up, worktree)) for worktree in self.worktrees]
        is_done = True
        for checkout, step in steps:
            try:
                step()
            except (*FAULTS, ConflictError) as error:
                is_done = False
                self.warnings.append(
                    f"the files of {checkout.top} may not be as the commit says "
                    f"(`git status` shows it): {error}"
                )
        if is_done or deadline is not None:
            try:
                (self.folder / JOURNAL).unlink(missing_ok=True)
            except OSError as error:
                self.warnings.append(f"the journal of the write could not be removed: {error}")
        return self.warnings

    def _catch_up(self, worktree: Checkout) -> None:
        worktree.wait_for_git()
        if worktree.is_on(self.ref) != (worktree in self.checkouts):
            from promptstore.git.recovery import follow_switch

            follow_switch(self, worktree)


def lock_index(checkout: Checkout, deadline: Deadline) -> None:
    """Lock the index of a working tree, so that git neither adds nor commits there.

    Raises:
        RepositoryLockedError: The index was locked by another for too long.
    """
    while not checkout.try_lock():
        deadline.wait(checkout.index_lock, OTHERS)


def _try_lock(handle: pygit2.Repository, transaction: ReferenceTransaction, ref: str) -> bool:
    try:
        transaction.lock_ref(ref)
    except pygit2.GitError as error:
        # libgit2 says the one where it sees the lock, the other where it comes at that moment.
        if "failed to lock file" in str(error) or os.strerror(errno.EEXIST) in str(error):
            return False
        from promptstore.git.refs import explain_name

        explain_name(handle, ref)
        raise
    return True


def _make_own_folder(repository: Repository, folder: Path) -> None:
    """Make the folder of this library in the git directory, as open to others as that is."""
    try:
        folder.mkdir()
        # A repository that is shared by a group says so by the mode of its folders.
        folder.chmod(stat.S_IMODE((repository.common_dir / "objects").stat().st_mode))
    except FileExistsError:
        pass
    except PermissionError as error:
        raise ReadOnlyError(path=str(folder), reason="this user may not write here.") from error


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
        while not _try_flock(descriptor):
            deadline.wait(path, "another writer of promptstore")
        yield
    finally:
        # A process forked meanwhile holds a copy of the descriptor: closing would not be enough.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
