"""A commit in the making: file changes become objects, and a reference moves to them.

Objects that nothing refers to do no harm, so a commit happens at the one moment when its reference
moves, by compare-and-swap.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import pygit2
from pygit2.enums import FileMode
from pygit2.transaction import ReferenceTransaction

from promptstore.errors import ConflictError, ReadOnlyError, RepositoryLockedError
from promptstore.git.configuration import Settings
from promptstore.git.identity import Signature
from promptstore.git.locks import LinkedLock, Patience
from promptstore.git.objects import NewObjects
from promptstore.git.reading import Repository
from promptstore.git.trees import EMPTY_TREE, Entry

_FOLDER: Final = b"40000"
_NOTHING: Final = b"", b""
_TREE_ENTRY: Final = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)

_MORE_THAN_A_MOVE: Final = ("core.logallrefupdates", "core.fsyncobjectfiles")
"""What git may be told to do besides when a reference moves: log it, or force it to the disk."""

_LONGEST_REF: Final = 100

OTHERS: Final = "another process, perhaps git,"
"""Who holds a lock, in words."""


class FileChange(NamedTuple):
    """What is to become of one file.

    Attributes:
        name: What a person calls it.
        path: Its path in the repository.
        data: Its new content, or None to remove it.
    """

    name: str
    path: str
    data: bytes | None


@dataclass(frozen=True, slots=True)
class CommitNote:
    """What a commit says beside its files.

    Attributes:
        author: Who wrote the change.
        committer: Who committed it.
        message: The whole message.
        authored_at: When the change was written, with a time zone; None is this moment.
    """

    author: Signature
    committer: Signature
    message: str
    authored_at: datetime | None = None


class Move(NamedTuple):
    """What a commit does to one path.

    Attributes:
        name: What a person calls the file.
        path: Its path in the repository.
        before: The entry that stood there, or None.
        after: The entry that stands there now, or None.
    """

    name: str
    path: str
    before: Entry | None
    after: Entry | None


def tip_of(repository: Repository, ref: str) -> str | None:
    """Find the commit that a reference stands at; None where there is no such reference.

    Args:
        repository: The repository.
        ref: The reference's full name.

    Raises:
        ReadOnlyError: It stands for another reference.
    """
    try:
        reference = repository.handle.lookup_reference(ref)
    except KeyError:
        return None
    if isinstance(reference.target, str):
        raise ReadOnlyError(
            path=str(repository.git_dir),
            reason=f"{ref} stands for {reference.target}. Name that branch instead.",
        )
    return str(reference.target)


def new_objects(repository: Repository) -> NewObjects:
    """Begin with the objects of a commit."""
    return NewObjects(repository.common_dir / "objects")


def add_files(
    repository: Repository,
    objects: NewObjects,
    parent: str | None,
    changes: Sequence[FileChange],
) -> tuple[Move, ...]:
    """Take in the contents of files, and tell what they change on top of a commit.

    Args:
        repository: The repository.
        objects: Where the contents are kept.
        parent: The commit's id; None for no commit at all.
        changes: What is to become of the files.

    Returns:
        What a commit of them does to each path.

    Raises:
        ConflictError: A path leads through a file, or to what is no file.
    """
    tree = repository.commit(parent).tree if parent else EMPTY_TREE
    moves = []
    for change in changes:
        before = repository.find(tree, change.path)
        if before is None or not before.is_file:
            _refuse_obstacle(repository, tree, change)
        if before is None:
            _refuse_invalid(change.path)
        after = None
        if change.data is not None:
            mode = before.mode if before else FileMode.BLOB
            after = Entry(int(mode), objects.add("blob", change.data))
        moves.append(Move(change.name, change.path, before, after))
    return tuple(moves)


def _refuse_invalid(path: str) -> None:
    """Refuse a path that git would not check out, such as one through ``.git`` in any spelling."""
    pygit2.Index().add(pygit2.IndexEntry(path, pygit2.Oid(hex=EMPTY_TREE), FileMode.BLOB))


def _refuse_obstacle(repository: Repository, tree: str, change: FileChange) -> None:
    """Refuse a path that leads through a file, or to what is no file."""
    *folders, _ = segments = change.path.split("/")
    for depth in range(1, len(segments) + 1):
        place = "/".join(segments[:depth])
        entry = repository.find(tree, place)
        if entry is None:
            return
        if depth <= len(folders) and not entry.is_tree:
            reason = f"{place} is a file, so nothing can lie in it. Choose another name."
            raise ConflictError(names=[change.name], reason=reason)
        if depth > len(folders) and not entry.is_file:
            reason = f"{place} is no regular file in git. Move it away first."
            raise ConflictError(names=[change.name], reason=reason)


def store_commit(
    repository: Repository,
    objects: NewObjects,
    parents: Sequence[str],
    moves: Sequence[Move],
    note: CommitNote,
) -> str:
    """Store a commit that no reference stands at yet.

    Args:
        repository: The repository.
        objects: The contents of its new files, which are stored with it.
        parents: The ids of its parents; its files are those of the first one, with the moves.
        moves: What it does to each path.
        note: The author, the committer and the message.

    Returns:
        Its id.
    """
    tree = _add_tree(
        repository,
        objects,
        repository.commit(parents[0]).tree if parents else EMPTY_TREE,
        {tuple(move.path.encode().split(b"/")): move.after for move in moves},
    )
    objects.store()
    for parent in parents[1:]:
        # It must be there, as the first one is.
        repository.commit(parent)
    data = _commit_data(tree, parents, note)
    commit = objects.add("commit", data)
    objects.store()
    return commit


def _commit_data(tree: str, parents: Sequence[str], note: CommitNote) -> bytes:
    """Write a commit as git does.

    libgit2 would read the tree and the parents once more, which takes three times as long.
    """
    # What git cannot write in a name is left out, as libgit2 does.
    committer = pygit2.Signature(*note.committer)
    author = pygit2.Signature(*note.author, *(_moment(note.authored_at) or _time_of(committer)))
    lines = [
        f"tree {tree}",
        *(f"parent {parent}" for parent in parents),
        f"author {_attributed(author)}",
        f"committer {_attributed(committer)}",
        "",
        note.message,
    ]
    return "\n".join(lines).encode()


def _time_of(person: pygit2.Signature) -> tuple[int, int]:
    return person.time, person.offset


def _moment(time: datetime | None) -> tuple[int, int] | None:
    """Return seconds and the minutes of the zone, as git keeps a time."""
    if time is None:
        return None
    zone = time.utcoffset() or timedelta()
    return int(time.timestamp()), int(zone.total_seconds()) // 60


def _attributed(person: pygit2.Signature) -> str:
    sign, minutes = "-" if person.offset < 0 else "+", abs(person.offset)
    zone = f"{sign}{minutes // 60:02}{minutes % 60:02}"
    return f"{person.name} <{person.email}> {person.time} {zone}"


def _add_tree(
    repository: Repository,
    objects: NewObjects,
    tree: str,
    changes: Mapping[tuple[bytes, ...], Entry | None],
) -> str:
    """Take in a tree with some entries changed, and give its id."""
    data = b"" if tree == EMPTY_TREE else repository.handle.read(tree)[1]
    before = {name: (mode, raw_id) for mode, name, raw_id in _TREE_ENTRY.findall(data)}
    entries = dict(before)
    inside: dict[bytes, dict[tuple[bytes, ...], Entry | None]] = {}
    for (name, *rest), entry in changes.items():
        if rest:
            inside.setdefault(name, {})[tuple(rest)] = entry
        else:
            _set(entries, name, entry)
    for name, below in inside.items():
        mode, raw_id = entries.get(name, (b"", b""))
        folder = raw_id.hex() if mode == _FOLDER else EMPTY_TREE
        below_id = _add_tree(repository, objects, folder, below)
        _set(entries, name, None if below_id == EMPTY_TREE else Entry(FileMode.TREE, below_id))
    names = {name for name, *_ in changes}
    edited = _edited(data, before, entries, names)
    if edited is None:
        entries = dict(sorted(entries.items(), key=_git_order))
        edited = b"".join(
            [b"%b %b\0%b" % (mode, name, raw_id) for name, (mode, raw_id) in entries.items()]
        )
    return objects.add("tree", edited)


def _edited(
    data: bytes,
    entries: Mapping[bytes, tuple[bytes, bytes]],
    after: Mapping[bytes, tuple[bytes, bytes]],
    names: Iterable[bytes],
) -> bytes | None:
    """Put new ids into a tree, which takes a twentieth of the time of writing it anew.

    Returns:
        The tree, or None where it must be written anew: an entry came, went or is of another kind.
    """
    for name in names:
        (mode, old_id), (new_mode, new_id) = entries.get(name, _NOTHING), after.get(name, _NOTHING)
        if mode != new_mode or not mode:
            return None
        entry = b"%b %b\0%b" % (mode, name, old_id)
        start = data.find(entry)
        if data.find(entry, start + 1) >= 0:
            # Ids hold any bytes, so one of the two may only look like an entry.
            return None
        data = data[:start] + b"%b %b\0%b" % (mode, name, new_id) + data[start + len(entry) :]
    return data


def _set(entries: dict[bytes, tuple[bytes, bytes]], name: bytes, entry: Entry | None) -> None:
    if entry is None:
        entries.pop(name, None)
    else:
        entries[name] = b"%o" % entry.mode, bytes.fromhex(entry.id)


def _git_order(entry: tuple[bytes, tuple[bytes, bytes]]) -> bytes:
    """Order the entries of a tree as git does: a folder as if its name ended with a slash."""
    name, (mode, _) = entry
    return name + b"/" if mode == _FOLDER else name


def move_ref(
    repository: Repository,
    ref: str,
    tip: str | None,
    commit: str,
    note: CommitNote,
    patience: Patience,
) -> bool:
    """Move a reference, and tell whether it was still where it was.

    The look and the move happen under the reference's lock: one without a commit has no old value
    that git could compare.

    Args:
        repository: The repository.
        ref: The reference's full name.
        tip: The commit that it must stand at; None for one that must not be there.
        commit: The commit to move it to.
        note: Who moves it; the subject goes into the reflog.
        patience: How long the lock is waited for.

    Raises:
        RepositoryLockedError: Another process held the lock for too long.
    """
    handle = repository.handle
    handle.set_ident(note.committer.name, note.committer.email)
    subject = note.message.partition("\n")[0]
    lock = repository.common_dir / f"{ref}.lock"
    while True:
        with handle.transaction() as transaction:
            if _try_lock_ref(transaction, ref):
                if tip_of(repository, ref) != tip:
                    return False
                transaction.set_target(ref, commit, None, f"promptstore: {subject}")
                return True
        patience.wait(lock, OTHERS)


def move_plain_ref(
    repository: Repository, ref: str, tip: str | None, commit: str, token: str, patience: Patience
) -> bool:
    """Move a reference that is a file and has no log, in a third of the time that libgit2 takes.

    Its lock is git's own, and so are the look under the lock and the move by renaming it.

    Args:
        repository: The repository.
        ref: The reference's full name.
        tip: The commit that it must stand at.
        commit: The commit to move it to.
        token: See `free_dead_lock`; one writer at a time uses it.
        patience: How long the lock is waited for.

    Returns:
        Whether it has moved. If not, nothing happened: `move_ref` does it or tells why it cannot.

    Raises:
        RepositoryLockedError: Another process held the lock for too long.
    """
    if tip is None or not _moves_plainly(repository):
        return False
    file = f"{repository.common_dir}/{ref}"
    lock = LinkedLock(f"{file}.lock", token, f"{commit}\n".encode())
    try:
        lock.acquire(patience)
        if _read_plain_ref(file) != f"{tip}\n".encode():
            return False
        os.rename(f"{file}.lock", file)  # noqa: PTH104
    except RepositoryLockedError:
        raise
    except OSError:
        # There is no such file, say, but a line in packed-refs, or the locks cannot be links.
        return False
    else:
        return True
    finally:
        lock.release()


def free_dead_lock(repository: Repository, ref: str, token: str) -> None:
    """Remove the lock that a killed `move_plain_ref` left; one that somebody else holds stays.

    Args:
        repository: The repository.
        ref: The reference's full name.
        token: The path of a file that is a second name of the lock, and that is used for nothing
            but this reference.
    """
    LinkedLock(f"{repository.common_dir}/{ref}.lock", token).release()


def _moves_plainly(repository: Repository) -> bool:
    """Tell whether a move of a reference is one of its file and nothing else.

    By default a repository without a working tree keeps no log of its references.
    """
    return repository.handle.is_bare and repository.configuration.ask(_is_quiet)


def _is_quiet(config: Settings) -> bool:
    return not any(key in config for key in _MORE_THAN_A_MOVE)


def _read_plain_ref(file: str) -> bytes:
    # A symbolic link is an old kind of symbolic reference.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LONGEST_REF)
    finally:
        os.close(descriptor)


def _try_lock_ref(transaction: ReferenceTransaction, ref: str) -> bool:
    try:
        transaction.lock_ref(ref)
    except pygit2.GitError as error:
        # libgit2 says the one where it sees the lock, the other where it comes at that moment.
        if "failed to lock file" in str(error) or os.strerror(errno.EEXIST) in str(error):
            return False
        raise
    return True
