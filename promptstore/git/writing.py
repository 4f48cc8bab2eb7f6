"""The one primitive of writing: file changes on a reference become one commit, or nothing.

A write has four steps. (1) The objects are stored; nothing refers to them yet. (2) Each working
tree that has the branch checked out is locked and looked at, so that no work of a person is lost,
and its index is written. (3) The reference moves by compare-and-swap: this is the commit. (4) The
files follow. Where no working tree has it checked out, steps 2 and 4 are nothing.

Before step 2 a journal says what is about to happen. A process that dies leaves the journal behind,
and the next writer finishes step 4 or takes away what step 2 laid out, with the locks that are
left. The step 4 of an undisturbed write is the same code. What fails after step 3 is a warning: the
commit has happened.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import pygit2

from promptstore.errors import ConflictError, ReadOnlyError
from promptstore.git.checkout import Checkout, find_checkouts
from promptstore.git.commits import (
    FileChange,
    Move,
    force_to_disk_as_told,
    move_ref,
    store_commit,
    tip_of,
)
from promptstore.git.identity import CommitNote
from promptstore.git.locks import OTHERS, Deadline, exclusive
from promptstore.git.objects import Entry
from promptstore.git.reading import Repository, translated
from promptstore.git.revs import is_ancestor

_JOURNAL: Final = "journal.json"

_DEAD_LOCK_SECONDS: Final = 1.0
"""How old a reference's lock is that a killed writer left: git itself holds one for milliseconds.
"""

_NO_FILE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""How the system says that there is no file of a name, or can be none."""

Plan: TypeAlias = Callable[[str | None], Sequence[FileChange]]
"""Returns the changes for a tip of a reference (None where it has no commit). It is asked again
whenever a commit of somebody else comes in between, and raises what it wants to raise where the
changes do not fit that commit."""

FAULTS: Final = (pygit2.GitError, OSError, KeyError, ValueError)
"""What libgit2 and the operating system raise."""


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
    with translated(shared.git_dir), _only_writer(shared, deadline) as folder:
        # One that is opened now follows the configuration of this moment.
        repository = Repository(shared.git_dir)
        force_to_disk_as_told(repository.handle)
        warnings = _recover(repository, folder, deadline)
        write = _Write(repository, folder, ref, os.urandom(6).hex())
        try:
            write.run(draft, note, deadline)
        except BaseException as error:
            for warning in write.settle():
                error.add_note(warning)
            raise
        warnings += write.settle()
        return Update(write.commit if write.has_moved else None, tuple(warnings))


@dataclass
class _Write:
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
            self._write_journal()
            self.worktrees = self.worktrees or find_checkouts(self.repository, self.token)
            self.checkouts = self.checkouts or [w for w in self.worktrees if w.is_on(self.ref)]
            for checkout in self.checkouts.copy():
                checkout.lock(deadline)
                if not checkout.is_on(self.ref):
                    self.checkouts.remove(checkout)
                    checkout.clean(self.moves)
            # Git may have committed just before it was kept out; it cannot do so once more.
            if tip_of(handle, self.ref) == tip:
                for checkout in self.checkouts:
                    checkout.prepare(self.moves)
                self._move(tip, note, deadline)
                if self.has_moved:
                    return
                for checkout in self.checkouts:
                    checkout.take_back()
            deadline.wait(self.folder / "write.lock", "ever new commits of others")

    def _move(self, tip: str | None, note: CommitNote, deadline: Deadline) -> None:
        try:
            self.has_moved = move_ref(self.repository, self.ref, tip, self.commit, note, deadline)
        except FAULTS as error:
            if tip_of(self.repository.handle, self.ref) != self.commit:
                raise
            self.has_moved = True
            self.warnings.append(f"the commit was made, but then git said: {error}")

    def settle(self, deadline: Deadline | None = None) -> list[str]:
        """Finish the write where the reference has moved, else take back what was laid out.

        Args:
            deadline: For the write of a process that died: how long a lock is waited for that it
                may not have by now.

        Returns:
            What could not be done, as sentences. The next writer tries once more, and no other one,
            as that would hold up every later write.
        """
        try:
            untouched = self._untouched()
        except FAULTS as error:
            # Nobody knows which of both is right, so the next writer looks.
            return [*self.warnings, f"the state of {self.ref} cannot be read: {error}"]
        steps: list[tuple[Checkout, Callable[[], None]]] = []
        for checkout in self.checkouts:
            if untouched is None:
                steps.append((checkout, checkout.take_back))
            else:
                if deadline is not None:
                    checkout.lock(deadline)
                steps.append((checkout, partial(checkout.follow, self.moves, untouched)))
            steps.append((checkout, partial(checkout.clean, self.moves)))
        if untouched is not None and deadline is None:
            steps += [(worktree, partial(self._catch_up, worktree)) for worktree in self.worktrees]
        is_left = False
        for checkout, step in steps:
            try:
                step()
            except (*FAULTS, ConflictError) as error:
                is_left = True
                self.warnings.append(
                    f"the files of {checkout.top} may not be as the commit says "
                    f"(`git status` shows it): {error}"
                )
        if deadline is not None or not is_left:
            try:
                (self.folder / _JOURNAL).unlink(missing_ok=True)
            except OSError as error:
                self.warnings.append(f"the journal of the write could not be removed: {error}")
        return self.warnings

    def _catch_up(self, worktree: Checkout) -> None:
        """Set right a working tree that git was just switching to or from the branch.

        Git reads which commits it switches between before it locks the index, and moves HEAD after
        that. A commit that comes in between would be left as a staged change, there or back.
        """
        worktree.wait_for_git()
        head, is_on = worktree.head(), worktree.is_on(self.ref)
        if head is None or is_on == (worktree in self.checkouts):
            return
        tree = self.repository.commit(head).tree
        moves = [
            move if is_on else Move(move.name, move.path, move.after, move.before)
            for move in self.moves
        ]
        moves = [move for move in moves if self.repository.find(tree, move.path) == move.after]
        try:
            worktree.lock(Deadline(1))
            worktree.prepare(moves)
            worktree.follow(moves, [True] * len(moves))
        finally:
            worktree.clean(moves)

    def _untouched(self) -> list[bool] | None:
        """Return which paths are as the commit left them; None where it did not happen."""
        if self.has_moved:
            return [True] * len(self.moves)
        tip = tip_of(self.repository.handle, self.ref)
        if not self.commit or tip is None or not is_ancestor(self.repository, self.commit, tip):
            return None
        self.has_moved = True
        tree = self.repository.commit(tip).tree
        return [self.repository.find(tree, move.path) == move.after for move in self.moves]

    def _write_journal(self) -> None:
        fresh = self.folder / "journal.new"
        fresh.write_text(json.dumps([self.ref, self.commit, self.token, self.moves]))
        fresh.replace(self.folder / _JOURNAL)


def _recover(repository: Repository, folder: Path, deadline: Deadline) -> list[str]:
    """Settle what a killed process left."""
    file = folder / _JOURNAL
    try:
        ref, commit, token, moves = json.loads(file.read_bytes())
        write = _Write(repository, folder, ref, token, commit, tuple(map(_read_move, moves)))
    except FileNotFoundError:
        return []
    except (ValueError, TypeError):
        # It is written whole or not at all; what cannot be read is not from here.
        file.unlink()
        return []
    _break_dead_lock(repository.common_dir / f"{ref}.lock", deadline)
    for checkout in find_checkouts(repository, token):
        if checkout.is_on(ref):
            write.checkouts.append(checkout)
        else:
            checkout.clean(write.moves)
    return write.settle(deadline)


def _read_move(values: Any) -> Move:
    name, path, before, after = values
    return Move(name, path, Entry(*before) if before else None, Entry(*after) if after else None)


def _break_dead_lock(lock: Path, deadline: Deadline) -> None:
    """Remove the lock of a reference that a killed writer may have left.

    Nobody else of this library can hold it now, and git holds one only for a moment.
    """
    try:
        while time.time() - lock.stat().st_mtime < _DEAD_LOCK_SECONDS:
            deadline.wait(lock, OTHERS)
        lock.unlink()
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise


@contextmanager
def _only_writer(repository: Repository, deadline: Deadline) -> Iterator[Path]:
    """Keep other writers of this library out, and give the folder for what a write notes down."""
    folder = repository.common_dir / "promptstore"
    if not folder.is_dir():
        _make_own_folder(repository, folder)
    with exclusive(folder / "write.lock", deadline):
        yield folder


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
