"""A commit in the making: file changes become objects, and a reference moves to them.

Objects that nothing refers to do no harm, so a commit happens at the one moment when its reference
moves, by compare-and-swap.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

import pygit2
from pygit2.enums import FileMode
from pygit2.transaction import ReferenceTransaction

from promptstore.errors import ConflictError, ReadOnlyError
from promptstore.git.identity import CommitNote
from promptstore.git.locks import OTHERS, Deadline
from promptstore.git.objects import EMPTY_TREE, Entry
from promptstore.git.reading import Repository

_FORCED: Final = {"all", "added", "committed", "objects", "loose-object", "reference"}
"""The components of ``core.fsync`` that a commit consists of."""

_ATTEMPTS: Final = 10


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


def force_to_disk_as_told(handle: pygit2.Repository) -> None:
    """Let libgit2 force what it writes to the disk, where ``core.fsync`` asks for that.

    libgit2 has this as a switch of the whole process only, so it is never turned off again. Each
    object is forced when it is written, and so before the reference that needs it.
    """
    config = handle.config
    named = (config["core.fsync"] or "") if "core.fsync" in config else ""
    words = {word.strip() for word in named.split(",")}
    old = "core.fsyncobjectfiles"
    if words & _FORCED or (old in config and config.get_bool(old)):
        pygit2.settings.enable_fsync_gitdir(True)


def tip_of(handle: pygit2.Repository, ref: str) -> str | None:
    """Return the commit of a reference.

    Args:
        handle: The repository.
        ref: The reference's full name.

    Returns:
        The commit's id, or None where there is no such reference.

    Raises:
        ReadOnlyError: It stands for another reference.
    """
    try:
        target = handle.lookup_reference(ref).target
    except (KeyError, ValueError):  # of a name that cannot be, there is none
        return None
    if isinstance(target, str):
        raise ReadOnlyError(
            path=handle.path, reason=f"{ref} stands for {target}. Name that branch instead."
        )
    return str(target)


def store_commit(
    repository: Repository,
    parents: Sequence[str],
    changes: Sequence[FileChange],
    note: CommitNote,
) -> tuple[str, tuple[Move, ...]]:
    """Store a commit that no reference stands at yet.

    Args:
        repository: The repository.
        parents: The ids of its parents; its files are those of the first one, with the changes.
        changes: What becomes of the files.
        note: The author, the committer and the message.

    Returns:
        Its id, and what it does to each path.

    Raises:
        ConflictError: A path leads through a file, or to what is no file.
    """
    handle = repository.handle
    trees = [repository.commit(parent).tree for parent in parents]
    tree = trees[0] if trees else EMPTY_TREE
    before = [_entry_before(repository, tree, change) for change in changes]
    for attempt in range(_ATTEMPTS):
        try:
            moves = tuple(
                Move(change.name, change.path, old, _store_blob(handle, change, old))
                for change, old in zip(changes, before, strict=True)
            )
            after = {tuple(move.path.split("/")): move.after for move in moves}
            parent = cast("pygit2.Tree", handle[tree]) if trees else None
            made = _store_tree(handle, parent, after) or handle.TreeBuilder().write()
            commit = handle.create_commit(
                None,
                note.author,
                note.committer,
                note.message,
                made,
                [pygit2.Oid(hex=parent) for parent in parents],
            )
        except (pygit2.GitError, OSError) as error:
            # `git gc` removes a folder of objects that is empty, such as one just made for this.
            if os.strerror(errno.ENOENT) not in str(error) or attempt == _ATTEMPTS - 1:
                raise
        else:
            return str(commit), moves
    raise AssertionError


def _entry_before(repository: Repository, tree: str, change: FileChange) -> Entry | None:
    """Find the file that is to change; refuse a path through a file, or to what is no file."""
    before = repository.find(tree, change.path)
    if before is not None and before.is_file:
        return before
    segments = change.path.split("/")
    for depth in range(1, len(segments) + 1):
        place = "/".join(segments[:depth])
        entry = repository.find(tree, place)
        if entry is None:
            return None
        if depth < len(segments) and not entry.is_tree:
            reason = f"{place} is a file, so nothing can lie in it. Choose another name."
            raise ConflictError(names=[change.name], reason=reason)
    reason = f"{change.path} is no regular file in git. Move it away first."
    raise ConflictError(names=[change.name], reason=reason)


def _store_blob(
    handle: pygit2.Repository, change: FileChange, before: Entry | None
) -> Entry | None:
    if change.data is None:
        return None
    mode = before.mode if before else int(FileMode.BLOB)
    return Entry(mode, str(handle.create_blob(change.data)))


def _store_tree(
    handle: pygit2.Repository,
    before: pygit2.Tree | None,
    changes: Mapping[tuple[str, ...], Entry | None],
) -> pygit2.Oid | None:
    """Store a tree with some entries changed; None stands for one without entries."""
    builder = handle.TreeBuilder(before) if before is not None else handle.TreeBuilder()
    inside: dict[str, dict[tuple[str, ...], Entry | None]] = {}
    for (name, *rest), entry in changes.items():
        if rest:
            inside.setdefault(name, {})[tuple(rest)] = entry
        elif entry is not None:
            builder.insert(name, pygit2.Oid(hex=entry.id), entry.mode)
        elif builder.get(name) is not None:
            builder.remove(name)
    for name, below in inside.items():
        folder = before[name] if before is not None and name in before else None
        stored = _store_tree(handle, folder if isinstance(folder, pygit2.Tree) else None, below)
        if stored is not None:
            builder.insert(name, stored, FileMode.TREE)
        elif folder is not None:
            builder.remove(name)
    return builder.write() if len(builder) else None


def move_ref(
    repository: Repository,
    ref: str,
    tip: str | None,
    commit: str,
    note: CommitNote,
    deadline: Deadline,
) -> bool:
    """Move a reference, where it still is where it was.

    The look and the move happen under the reference's lock: one without a commit has no old value
    that git could compare.

    Args:
        repository: The repository.
        ref: The reference's full name.
        tip: The commit that it must stand at; None for one that must not be there.
        commit: The commit to move it to.
        note: Who moves it; the subject goes into the reflog.
        deadline: How long the lock is waited for.

    Returns:
        Whether it has moved.

    Raises:
        RepositoryLockedError: Another process held the lock for too long.
        ConflictError: Another reference has the name of a folder that this one needs.
    """
    handle, lock = repository.handle, repository.common_dir / f"{ref}.lock"
    handle.set_ident(note.committer.name, note.committer.email)
    subject = note.message.partition("\n")[0]
    while True:
        with handle.transaction() as transaction:
            if _try_lock(handle, transaction, ref):
                if tip_of(handle, ref) != tip:
                    return False
                transaction.set_target(ref, commit, None, f"promptstore: {subject}")
                return True
        deadline.wait(lock, OTHERS)


def _try_lock(handle: pygit2.Repository, transaction: ReferenceTransaction, ref: str) -> bool:
    try:
        transaction.lock_ref(ref)
    except pygit2.GitError as error:
        # libgit2 says the one where it sees the lock, the other where it comes at that moment.
        if "failed to lock file" in str(error) or os.strerror(errno.EEXIST) in str(error):
            return False
        _explain_name(handle, ref)
        raise
    return True


def _explain_name(handle: pygit2.Repository, ref: str) -> None:
    """Raise an error where a branch has the name of a folder that a reference needs."""
    segments = ref.split("/")
    for depth in range(3, len(segments)):
        other = "/".join(segments[:depth])
        if other in handle.references:
            name, wanted = (full.split("/", 2)[2] for full in (other, ref))
            raise ConflictError(
                names=[wanted],
                reason=f"git cannot have this branch beside one that is called {name!r}. Rename "
                f"that one: `git branch -m {name} NEW-NAME`.",
            )
