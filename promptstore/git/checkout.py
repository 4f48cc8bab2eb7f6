"""A working tree whose branch is written: its files and its index follow the commit."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import FileMode, FilterMode

from promptstore.errors import ConflictError
from promptstore.git.commits import Move
from promptstore.git.configuration import Settings
from promptstore.git.locks import LinkedLock, Patience
from promptstore.git.reading import Repository, translated
from promptstore.git.trees import Entry

_LONGEST_HEAD: Final = 1 << 13


class Checkout:
    """The working tree and the index of one checked-out branch.

    Args:
        handle: The working tree, as libgit2 opened it for this write.
        token: A word that marks the files of one write.
    """

    def __init__(self, handle: pygit2.Repository, token: str) -> None:
        git_dir = Path(handle.path)
        self._handle = handle
        self._top = Path(handle.workdir)
        self._git_dir = git_dir
        self._index = git_dir / "index"
        self._token = token
        self._fresh = git_dir / f"index.{token}.new"
        self._old = git_dir / f"index.{token}.old"
        self._lock = LinkedLock(f"{git_dir}/index.lock", f"{git_dir}/index.{token}")

    def lock(self, patience: Patience) -> None:
        """Lock the index, so that git neither adds nor commits here.

        Raises:
            RepositoryLockedError: The index was locked by another for too long.
        """
        self._lock.acquire(patience)

    def is_on(self, ref: str) -> bool:
        """Tell whether a branch is checked out here, now that it is locked."""
        return _head(str(self._git_dir)) == ref

    def prepare(self, moves: Sequence[Move]) -> None:
        """See that nothing would be lost, write the index, and lay the new files beside the old.

        The index goes before the branch, as with git itself: whoever reads the new commit and then
        the index never finds an old index, from which the next commit would take the change back.

        Raises:
            ConflictError: Uncommitted work stands in the way.
        """
        index = self._link_index()
        for move in moves:
            reason = _staged_fault(index, move) or self._file_fault(move)
            if reason:
                raise ConflictError(names=[move.name], reason=reason)
        if _update(index, moves):
            self._keep_old()
            self._write_index(index)
        for move in moves:
            if move.after is not None:
                self._lay(move, move.after)

    def follow(self, moves: Sequence[Move]) -> None:
        """Let the files follow a commit, wherever they still are as they were before."""
        for move in moves:
            if self._is_at(move.path, move.before):
                self._put(move)

    def take_back(self) -> None:
        """Put the index back that `prepare` found, unless somebody broke the lock since."""
        if not self._lock.is_held or not self._old.exists():
            return
        if self._old.stat().st_size:
            self._old.replace(self._index)
        else:
            self._index.unlink(missing_ok=True)

    def clean(self, moves: Sequence[Move]) -> None:
        """Take away what `prepare` laid, and give the lock back."""
        for move in moves:
            with suppress(FileNotFoundError, NotADirectoryError):
                self._beside(move.path).unlink()
        self._drop_fresh()
        self._old.unlink(missing_ok=True)
        self._lock.release()

    def _keep_old(self) -> None:
        """Keep the index for `take_back`; an empty file stands for none."""
        self._old.unlink(missing_ok=True)
        try:
            os.link(self._index, self._old)
        except FileNotFoundError:
            self._old.touch()

    def _link_index(self) -> pygit2.Index:
        """Read the index under another name.

        libgit2 would take the lock itself to write the index in its place. It writes a new file and
        renames that, so a link is as good as a copy.
        """
        self._drop_fresh()
        # An index that is there is read when it is opened, and pygit2 stumbles over a broken one.
        index = pygit2.Index(str(self._fresh))
        with suppress(FileNotFoundError):
            os.link(self._index, self._fresh)
        index.read()
        return index

    def _drop_fresh(self) -> None:
        """Remove the copy of the index, and the lock that a killed writer had on its copy."""
        for file in (self._fresh, Path(f"{self._fresh}.lock")):
            file.unlink(missing_ok=True)

    def _write_index(self, index: pygit2.Index) -> None:
        index.write()
        with suppress(FileNotFoundError):
            # Git looks again at files that are as young as the index, as an edit within one tick
            # of the clock cannot be seen otherwise: a younger index would hide it.
            was = self._index.stat()
            os.utime(self._fresh, ns=(was.st_atime_ns, was.st_mtime_ns))
            self._fresh.chmod(stat.S_IMODE(was.st_mode))
        self._fresh.replace(self._index)

    def _file_fault(self, move: Move) -> str:
        blocked = self._blocked(move.path)
        if blocked:
            return blocked
        if self._is_at(move.path, move.before) or self._is_at(move.path, move.after):
            return ""
        if move.before is None:
            return f"{move.path} is there on disk, but not committed. Commit it or move it away."
        if not os.path.lexists(self._top / move.path):
            return f"{move.path} was removed on disk. `git restore {move.path}` brings it back."
        return (
            f"{move.path} has uncommitted edits. Commit them, or drop them with "
            f"`git restore {move.path}`."
        )

    def _blocked(self, path: str) -> str:
        """Say which folder on the way is none; git does not write through symbolic links either."""
        *folders, _ = path.split("/")
        place = self._top
        for folder in folders:
            place = place / folder
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                return f"{place.relative_to(self._top)} is no folder on disk. Move it away."
        return ""

    def _is_at(self, path: str, entry: Entry | None) -> bool:
        """Tell whether the file on disk is what an entry says, or absent where there is none."""
        file = self._top / path
        if not os.path.lexists(file):
            return entry is None
        if entry is None or file.is_symlink() or not file.is_file():
            return False
        return str(self._handle.hashfile(path)) == entry.id

    def _beside(self, path: str) -> Path:
        file = self._top / path
        return file.with_name(f".{file.name}.{self._token}")

    def _lay(self, move: Move, after: Entry) -> None:
        file, beside = self._top / move.path, self._beside(move.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o777 if after.mode == FileMode.BLOB_EXECUTABLE else 0o666
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self._converted(move.path, after))
        with suppress(FileNotFoundError):
            beside.chmod(stat.S_IMODE(file.stat().st_mode))

    def _converted(self, path: str, entry: Entry) -> bytes:
        """Give a file the line ends that its attributes ask for in a working tree."""
        blob = self._handle[entry.id]
        data = blob.data if isinstance(blob, pygit2.Blob) else b""
        filters = self._handle.load_filter_list(path, FilterMode.TO_WORKTREE)
        return filters.apply_to_buffer(data) if filters else data

    def _put(self, move: Move) -> None:
        file = self._top / move.path
        if move.after is None:
            file.unlink(missing_ok=True)
            return
        if self._blocked(move.path):
            return
        if not self._beside(move.path).exists():
            self._lay(move, move.after)
        self._beside(move.path).replace(file)


def find_checkouts(repository: Repository, ref: str, token: str) -> list[Checkout]:
    """Find the working trees that have a branch checked out.

    Args:
        repository: The repository.
        ref: The branch's full name.
        token: See `Checkout`.
    """
    common_dir = str(repository.common_dir)
    with translated(repository.common_dir):
        handles = [
            pygit2.Repository(git_dir)
            for git_dir in (common_dir, *_worktrees(common_dir))
            # Opening takes eight times as long as these two looks, and is seldom needed.
            if not (git_dir == common_dir and repository.configuration.ask(_is_bare))
            and _head(git_dir) == ref
        ]
        return [
            Checkout(handle, token)
            for handle in handles
            if handle.workdir and Path(handle.workdir).is_dir()
        ]


def _worktrees(common_dir: str) -> list[str]:
    """List the git directories of the linked working trees."""
    folder = f"{common_dir}/worktrees"
    try:
        # As objects, paths would take four times as long as what the file system does here.
        names = os.listdir(folder)  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [f"{folder}/{name}" for name in sorted(names)]
    return [git_dir for git_dir in found if os.path.isfile(f"{git_dir}/HEAD")]  # noqa: PTH113


def _head(git_dir: str) -> str | None:
    """Name the branch that a HEAD is on; None where it is on none."""
    descriptor = os.open(f"{git_dir}/HEAD", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.fsdecode(os.read(descriptor, _LONGEST_HEAD))
    finally:
        os.close(descriptor)
    return text.removeprefix("ref:").strip() if text.startswith("ref:") else None


def _is_bare(config: Settings) -> bool:
    """Tell whether git is told that the main git directory has no working tree."""
    return config.get_bool("core.bare")


def _staged_fault(index: pygit2.Index, move: Move) -> str:
    if index.conflicts is not None and move.path in index.conflicts:
        return f"{move.path} is in the middle of a merge. Finish the merge first."
    if _staged(index, move.path) in (move.before, move.after):
        return ""
    return (
        f"{move.path} has staged changes. Commit them, or take them back with "
        f"`git restore --staged {move.path}`."
    )


def _staged(index: pygit2.Index, path: str) -> Entry | None:
    if path not in index:
        return None
    entry = index[path]
    return Entry(int(entry.mode), str(entry.id))


def _update(index: pygit2.Index, moves: Sequence[Move]) -> bool:
    changed = False
    for move in moves:
        staged = _staged(index, move.path)
        if staged != move.before or staged == move.after:
            continue
        if move.after is None:
            index.remove(move.path)
        else:
            index.add(_index_entry(move.path, move.after))
        changed = True
    return changed


def _index_entry(path: str, entry: Entry) -> pygit2.IndexEntry:
    return pygit2.IndexEntry(path, pygit2.Oid(hex=entry.id), FileMode(entry.mode))
