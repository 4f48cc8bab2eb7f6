"""What a write does only rarely: after a process died, after a failure, and where git raced it."""

from __future__ import annotations

import errno
import json
import time
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pygit2

from promptstore.git.checkout import (
    LONGEST_COMMIT,
    Checkout,
    find_checkouts,
    modified_at,
    staged,
)
from promptstore.git.commits import REFLOG_WORD, Move, tip_of
from promptstore.git.objects import Entry
from promptstore.git.reading import Repository
from promptstore.git.revs import is_ancestor
from promptstore.git.writing import (
    JOURNAL,
    OTHERS,
    Deadline,
    Write,
    lock_index,
)

_DEAD_LOCK_SECONDS: Final = 1.0
"""How old a reference's lock is that a killed writer left: git itself holds one for milliseconds.
"""

_MOST_LOST: Final = 50
"""How many commits may come while one `git commit` is at work."""

_NO_FILE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""How the system says that there is no file of a name, or can be none."""


def recover(repository: Repository, folder: Path, deadline: Deadline) -> list[str]:
    """Finish or take back the write of a process that died, as its journal says.

    Returns:
        What could not be done, as sentences.
    """
    file = folder / JOURNAL
    try:
        ref, commit, token, moves = json.loads(file.read_bytes())
        write = Write(repository, folder, ref, token, commit, tuple(map(_read_move, moves)))
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
    return write.finish(deadline)


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


def find_untouched(write: Write) -> list[Move] | None:
    """Return the moves that nobody changed since; None where the commit did not happen."""
    tip = tip_of(write.repository.handle, write.ref)
    if not write.commit or tip is None or not is_ancestor(write.repository, write.commit, tip):
        return None
    write.has_moved = True
    tree = write.repository.commit(tip).tree
    return [move for move in write.moves if write.repository.find(tree, move.path) == move.after]


def follow_switch(write: Write, worktree: Checkout) -> None:
    """Set right a working tree that git was just switching to or from the branch.

    Git reads which commits it switches between before it locks the index, and moves HEAD after
    that. A commit that comes in between would be left as a staged change, there or back.
    """
    branch, head = Repository(worktree.index_lock.parent).head()
    if head is None:
        return
    tree = write.repository.commit(head).tree
    moves = [
        move
        if write.ref == f"refs/heads/{branch}"
        else Move(move.name, move.path, move.after, move.before)
        for move in write.moves
    ]
    moves = [move for move in moves if write.repository.find(tree, move.path) == move.after]
    try:
        lock_index(worktree, Deadline(1))
        worktree.prepare(moves)
        worktree.follow(moves)
    finally:
        worktree.clean(moves)


def find_lost(
    checkout: Checkout, index: pygit2.Index, repository: Repository, ref: str, tip: str
) -> list[Move]:
    """Find what a `git commit` that failed took out of the index again.

    Git reads the index before it locks it. Where commits come in between, its own one fails, as the
    branch has moved, but it leaves the index that it had read: to the next `git commit` that would
    say to take those commits back. Such an index is wholly that of an older commit, wherever the
    branch went on and the files on disk went along; and git wrote a message just after the first
    of those commits, all of which are ours.

    Args:
        checkout: The working tree.
        index: Its index.
        repository: The repository.
        ref: The branch.
        tip: Its newest commit.

    Returns:
        What the index is to be told; nothing where a person may have staged it so.
    """

    def read_tree(commit: str) -> pygit2.Tree:
        return repository.objects.read(repository.commit(commit).tree, pygit2.Tree)

    message_at, newest, lost = modified_at(checkout.commit_message), read_tree(tip), list[Move]()
    for entry in islice(repository.handle.references[ref].log(), _MOST_LOST):
        commit, older = str(entry.oid_new), str(entry.oid_old)
        made_at = modified_at(repository.common_dir / "objects" / commit[:2] / commit[2:])
        is_ours = entry.message.startswith(REFLOG_WORD) and older.strip("0")
        if not is_ours or message_at - made_at > LONGEST_COMMIT:
            break
        moves = [_move_of(delta) for delta in read_tree(older).diff_to_tree(newest).deltas]
        found = [staged(index, move.path) for move in moves]
        if any(present == move.after for present, move in zip(found, moves, strict=True)):
            break
        if made_at <= message_at and found == [move.before for move in moves]:
            lost = moves
    return lost if all(checkout.is_at(move.path, move.after) for move in lost) else []


def _move_of(delta: pygit2.DiffDelta) -> Move:
    before, after = (
        Entry(int(file.mode), str(file.id)) if file.mode else None
        for file in (delta.old_file, delta.new_file)
    )
    return Move(delta.new_file.path, delta.new_file.path, before, after)
