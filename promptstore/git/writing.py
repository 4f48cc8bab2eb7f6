"""The one primitive of writing: file changes on a branch become one commit, or nothing.

A write has four steps. (1) The objects are stored; nothing refers to them yet. (2) Each working
tree that has the branch checked out is locked and looked at, so that no work of a person is lost,
and its index is written. (3) The branch moves by compare-and-swap: this is the commit. (4) The
files follow.

Before step 2 a journal says what is about to happen. A process that dies leaves the journal behind,
and the next writer finishes step 4 or takes away what step 2 laid out. The step 4 of an undisturbed
write is the same code.

Where no working tree has the branch checked out, steps 2 and 4 are nothing. The journal then only
tells that the branch's lock may be a dead one, and is left out where the lock itself tells whose it
is.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha1
from pathlib import Path
from typing import Any, Final, NamedTuple

from promptstore.errors import ReadOnlyError
from promptstore.git.checkout import Checkout, find_checkouts
from promptstore.git.commits import (
    OTHERS,
    CommitNote,
    FileChange,
    Move,
    add_files,
    free_dead_lock,
    move_plain_ref,
    move_ref,
    new_objects,
    store_commit,
    tip_of,
)
from promptstore.git.locks import Patience, exclusive
from promptstore.git.reading import Repository, translated
from promptstore.git.trees import Entry

_JOURNAL: Final = "journal.json"

_DEAD_LOCK_SECONDS: Final = 1.0
"""How old a branch's lock is that a killed writer left: git itself holds one for milliseconds."""


def update_branch(
    repository: Repository,
    branch: str,
    plan: Callable[[str | None], Sequence[FileChange]],
    note: CommitNote,
    *,
    patience: Patience,
    start: str | None = None,
) -> str | None:
    """Put file changes on top of a branch as one commit, or do nothing at all.

    The branch may be checked out anywhere or nowhere, and may have no commit yet. Hooks are not
    run, and the commit is not signed.

    Args:
        repository: The repository.
        branch: The branch's name.
        plan: Gives the changes for a tip of the branch (None where it has no commit). It is asked
            again whenever a commit of somebody else comes in between, and raises what it wants to
            raise where the changes do not fit that commit.
        note: The author, the committer and the message.
        patience: How long locks of others are waited for.
        start: The commit that a branch grows from that does not exist yet; None begins a history.

    Returns:
        The commit's id, or None where the plan has no changes.

    Raises:
        ConflictError: Uncommitted work in a working tree stands in the way.
        RepositoryLockedError: Another process held a lock for too long.
        ReadOnlyError: The repository cannot be written, or the branch stands for another one.
        RepositoryError: Git could not do it.
    """
    ref = f"refs/heads/{branch}"

    def draft(tip: str | None, token: str) -> _Journal | None:
        changes = plan(tip)
        if not changes:
            return None
        parent = tip or start
        objects = new_objects(repository)
        moves = add_files(repository, objects, parent, changes)
        commit = store_commit(repository, objects, [parent] if parent else [], moves, note)
        return _Journal(ref, commit, token, moves)

    with translated(repository.git_dir), only_writer(repository, patience) as folder:
        _recover(repository, folder, patience)
        moving = f"{folder}/{token_of(ref)}"
        free_dead_lock(repository, ref, moving)
        while True:
            tip = tip_of(repository, ref)
            journal = draft(tip, os.urandom(8).hex())
            if journal is None:
                return None
            checkouts = find_checkouts(repository, ref, journal.token)
            if not checkouts and move_plain_ref(
                repository, ref, tip, journal.commit, moving, patience
            ):
                return journal.commit
            _write_journal(folder, journal)
            try:
                for checkout in checkouts:
                    checkout.lock(patience)
                if checkouts and tip_of(repository, ref) != tip:
                    # Git committed just before it was kept out. Another attempt would meet its next
                    # commit, so the changes are planned once more while git has to wait.
                    tip = tip_of(repository, ref)
                    again = draft(tip, journal.token)
                    if again is None:
                        return None
                    journal = again
                    _write_journal(folder, journal)
                has_moved = _prepare(repository, journal, tip, checkouts) and move_ref(
                    repository, ref, tip, journal.commit, note, patience
                )
            finally:
                _settle(repository, folder, journal, checkouts, patience)
            if has_moved:
                return journal.commit
            patience.wait(f"{folder}/write.lock", "ever new commits of others")


@contextmanager
def only_writer(repository: Repository, patience: Patience) -> Iterator[str]:
    """Keep other writers of this library out.

    Args:
        repository: The repository.
        patience: How long they are waited for.

    Yields:
        The folder for what a write notes down.
    """
    folder = f"{repository.common_dir}/promptstore"
    # Paths as objects would take as long as all the rest of a save's look at its own files.
    if not os.path.isdir(folder):  # noqa: PTH112
        _make_own_folder(repository, Path(folder))
    with exclusive(f"{folder}/write.lock", patience):
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


def token_of(ref: str) -> str:
    """Return the name of the file that tells a lock that a killed writer left from one of git's."""
    return f"moving-{sha1(ref.encode(), usedforsecurity=False).hexdigest()}"


class _Journal(NamedTuple):
    """What a write is about to do.

    Attributes:
        ref: The branch's full name.
        commit: The commit that it moves to.
        token: A word that marks the files of this write.
        moves: What the commit does to each path.
    """

    ref: str
    commit: str
    token: str
    moves: tuple[Move, ...]


def _write_journal(folder: str, journal: _Journal) -> None:
    fresh = Path(folder, "journal.new")
    fresh.write_bytes(json.dumps(journal).encode())
    fresh.replace(f"{folder}/{_JOURNAL}")


def _read_journal(folder: str) -> _Journal | None:
    file = f"{folder}/{_JOURNAL}"
    if not os.path.exists(file):  # noqa: PTH110
        return None
    try:
        ref, commit, token, moves = json.loads(Path(file).read_bytes())
        return _Journal(ref, commit, token, tuple(_read_move(move) for move in moves))
    except (ValueError, TypeError):
        # It is written whole or not at all; what cannot be read is not from here.
        Path(file).unlink()
        return None


def _read_move(values: Any) -> Move:
    name, path, before, after = values
    return Move(name, path, Entry(*before) if before else None, Entry(*after) if after else None)


def _prepare(
    repository: Repository, journal: _Journal, tip: str | None, checkouts: Sequence[Checkout]
) -> bool:
    """Prepare each working tree for the commit, or tell that something has moved meanwhile.

    The look comes after the locks: git, too, locks the index before it commits or switches, so the
    branch will hardly move once a changed index is there for all to read. Where there is none, the
    move of the branch looks by itself.
    """
    if not checkouts:
        return True
    if tip_of(repository, journal.ref) != tip:
        return False
    if not all(checkout.is_on(journal.ref) for checkout in checkouts):
        return False
    for checkout in checkouts:
        checkout.prepare(journal.moves)
    return True


def _recover(repository: Repository, folder: str, patience: Patience) -> None:
    """Settle what a killed process left."""
    journal = _read_journal(folder)
    if journal is not None:
        break_dead_lock(repository, journal.ref, patience)
        checkouts = find_checkouts(repository, journal.ref, journal.token)
        _settle(repository, folder, journal, checkouts, patience)


def _settle(
    repository: Repository,
    folder: str,
    journal: _Journal,
    checkouts: Sequence[Checkout],
    patience: Patience,
) -> None:
    """Finish the write that a journal tells of, or take back what it laid out."""
    try:
        for checkout in checkouts:
            tip = tip_of(repository, journal.ref)
            if tip is not None and _contains(repository, tip, journal.commit):
                checkout.lock(patience)
                checkout.follow(_still_standing(repository, tip, journal.moves))
            else:
                checkout.take_back()
    finally:
        for checkout in checkouts:
            checkout.clean(journal.moves)
    Path(folder, _JOURNAL).unlink()


def _contains(repository: Repository, tip: str, commit: str) -> bool:
    return tip == commit or repository.handle.descendant_of(tip, commit)


def _still_standing(repository: Repository, tip: str, moves: Sequence[Move]) -> list[Move]:
    """Give the moves that no later commit has changed."""
    tree = repository.commit(tip).tree
    return [move for move in moves if repository.find(tree, move.path) == move.after]


def break_dead_lock(repository: Repository, ref: str, patience: Patience) -> None:
    """Remove a reference's lock that a killed writer may have left.

    Nobody else of this library can hold it now, and git holds one only for a moment.
    """
    lock = repository.common_dir / f"{ref}.lock"
    with suppress(FileNotFoundError):
        while time.time() - lock.stat().st_mtime < _DEAD_LOCK_SECONDS:
            patience.wait(lock, OTHERS)
        lock.unlink()
