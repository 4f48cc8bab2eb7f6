"""A working tree whose branch is written: its files and its index follow the commit.

Files are converted as gitattributes(5) says: line ends by libgit2, and by the commands of a
``filter`` where the user's own configuration knows it. One that comes with a repository is refused.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import pygit2
from pygit2.enums import AttrCheck, FileMode, FilterMode

from promptstore.errors import ConflictError, RepositoryError
from promptstore.git.commits import REFLOG_WORD, Move
from promptstore.git.objects import Entry
from promptstore.git.reading import Repository, blob_id, open_repository

LONGEST_COMMIT: Final = 2.0
"""How many seconds may pass from where `git commit` reads the index to where it notes its message.
"""

YOUNG: Final = 0.03
"""How old an index is, in seconds, when git is done with what it wrote it for."""

LONGEST_SWITCH: Final = 0.2
"""How many seconds that is waited for."""

_PAUSE: Final = 0.002  # seconds between two looks


class Checkout:
    """The working tree and the index of one checked-out branch.

    Args:
        repository: The repository.
        handle: The working tree, as libgit2 opened it for this write.
        token: A word that marks the files of one write.

    Attributes:
        top: The top of the working tree.
        index_lock: The lock that git takes on its index.
        commit_message: What `git commit` writes after it wrote the index, before it commits.
    """

    def __init__(self, repository: Repository, handle: pygit2.Repository, token: str) -> None:
        git_dir = Path(handle.path)
        self._repository = repository
        self._handle = handle
        self._filters = cache(lambda: Filters(handle))
        self.top = Path(handle.workdir)
        self._token = token
        self._index = git_dir / "index"
        self._fresh = git_dir / f"index.{token}.new"
        self._old = git_dir / f"index.{token}.old"
        self._token_file = git_dir / f"index.{token}"
        self.index_lock = git_dir / "index.lock"
        self.commit_message = git_dir / "COMMIT_EDITMSG"

    def try_lock(self) -> bool:
        """Lock the index, so that git neither adds nor commits here, unless another has done so.

        The lock is a hard link to a file that only its owner knows: so one that a killed process
        left can be told from one of git's own.
        """
        self._token_file.touch()
        try:
            self.index_lock.hardlink_to(self._token_file)
        except FileExistsError:
            return self._has_lock()
        return True

    def _has_lock(self) -> bool:
        try:
            return self._token_file.samefile(self.index_lock)
        except FileNotFoundError:
            return False

    def is_on(self, ref: str) -> bool:
        """Return whether a branch is checked out here."""
        return bool(self._handle.lookup_reference("HEAD").target == ref)

    def wait_for_git(self) -> None:
        """Wait a moment where git may be about to switch: it writes the index before HEAD."""
        end = time.monotonic() + LONGEST_SWITCH
        while time.monotonic() < end and (
            self.index_lock.exists() or time.time() - modified_at(self._index) < YOUNG
        ):
            time.sleep(_PAUSE)  # git tells nobody that it is done, so one can only look again

    def prepare(self, moves: Sequence[Move], ref: str = "", tip: str | None = None) -> None:
        """Check that nothing would be lost, write the index, and lay the new files beside the old.

        The index goes before the branch, as with git itself: whoever reads the new commit and then
        the index never finds an old index, from which the next commit would take the change back.

        Args:
            moves: What the commit does.
            ref: The branch that it moves.
            tip: Where that is; None where it has no commit, or where nothing can have raced it.

        Raises:
            ConflictError: Uncommitted work stands in the way.
        """
        index = self._copy_index()
        is_changed = False
        if tip is not None and self._may_be_behind(ref):
            from promptstore.git.recovery import find_lost

            is_changed = _update(index, find_lost(self, index, self._repository, ref, tip))
        for move in moves:
            reason = self._staged_fault(index, move) or self._file_fault(move)
            if reason:
                raise ConflictError(names=[move.name], reason=reason)
        for move in moves:
            if move.after is not None:
                self._lay(move, move.after)
        if _update(index, moves) or is_changed:
            self._replace_index(index)

    def follow(self, moves: Sequence[Move]) -> None:
        """Let the files follow a commit, wherever they still are as they were before."""
        for move in moves:
            if self._blocked(move.path) or not self.is_at(move.path, move.before):
                continue
            file, beside = self.top / move.path, self._beside(move)
            if move.after is None:
                file.unlink(missing_ok=True)
            else:
                if not beside.exists():
                    self._lay(move, move.after)
                beside.replace(file)

    def take_back(self) -> None:
        """Put the index back that `prepare` found, unless somebody broke the lock since."""
        if not self._has_lock() or not self._old.exists():
            return
        if self._old.stat().st_size:
            self._old.replace(self._index)
        else:
            self._index.unlink(missing_ok=True)

    def clean(self, moves: Sequence[Move]) -> None:
        """Take away what `prepare` laid, and give the lock back."""
        for move in moves:
            with suppress(FileNotFoundError, NotADirectoryError):
                self._beside(move).unlink()
        # The second one is what a writer left that was killed while it wrote the copy.
        for file in (self._fresh, Path(f"{self._fresh}.lock"), self._old):
            file.unlink(missing_ok=True)
        if self._has_lock():  # one that somebody else holds stays
            self.index_lock.unlink()
        self._token_file.unlink(missing_ok=True)

    def _may_be_behind(self, ref: str) -> bool:
        """Return whether git may have been committing when we moved the branch."""
        # It notes its message after it wrote the index: a younger one is what somebody staged.
        if modified_at(self._index) > modified_at(self.commit_message):
            return False
        moved_at = modified_at(self._repository.common_dir / "logs" / ref)
        if modified_at(self.commit_message) < moved_at - LONGEST_COMMIT:
            return False
        newest = next(iter(self._repository.handle.references[ref].log()), None)
        return newest is not None and newest.message.startswith(REFLOG_WORD)

    def _copy_index(self) -> pygit2.Index:
        """Read the index under another name, as libgit2 would take the lock itself to write it.

        It writes a new file and renames that, so a link is as good as a copy.
        """
        for file in (self._fresh, Path(f"{self._fresh}.lock")):
            file.unlink(missing_ok=True)
        # An index that is there is read when it is opened, and pygit2 stumbles over a broken one.
        index = pygit2.Index(str(self._fresh))
        with suppress(FileNotFoundError):
            self._fresh.hardlink_to(self._index)
        index.read()
        return index

    def _replace_index(self, index: pygit2.Index) -> None:
        """Write the index, and keep the old one for `take_back`; an empty file stands for none."""
        self._old.unlink(missing_ok=True)
        index.write()
        try:
            self._old.hardlink_to(self._index)
        except FileNotFoundError:
            self._old.touch()
        else:
            # Git looks again at files that are as young as the index, as an edit within one tick
            # of the clock cannot be seen otherwise: a younger index would hide it.
            was = self._index.stat()
            os.utime(self._fresh, ns=(was.st_atime_ns, was.st_mtime_ns))
            self._fresh.chmod(stat.S_IMODE(was.st_mode))
        self._fresh.replace(self._index)

    def _staged_fault(self, index: pygit2.Index, move: Move) -> str:
        path = move.path
        if index.conflicts is not None and path in index.conflicts:
            return f"{path} is in the middle of a merge. Finish the merge first."
        if staged(index, path) in (move.before, move.after):
            return ""
        if self.is_at(path, move.before):
            return (
                f"{path} has staged changes that are not in the file on disk: somebody staged "
                "them, or a `git commit` failed that ran beside another one, and left what was "
                f"there before. `git restore --staged {path}` takes them back."
            )
        return (
            f"{path} has staged changes. Commit them, or take them back with "
            f"`git restore --staged {path}`."
        )

    def _file_fault(self, move: Move) -> str:
        path = move.path
        if blocked := self._blocked(path):
            return blocked
        if self.is_at(path, move.before) or self.is_at(path, move.after):
            return ""
        if move.before is None:
            return f"{path} is there on disk, but not committed. Commit it or move it away."
        if self._is_there(path):
            return (
                f"{path} has uncommitted edits. Commit them, or drop them with "
                f"`git restore {path}`."
            )
        config = self._handle.config
        if "core.sparsecheckout" in config and config.get_bool("core.sparsecheckout"):
            folder = path.rpartition("/")[0] or path
            return (
                f"{path} is not on disk, as this checkout is sparse. "
                f"`git sparse-checkout add {folder}` brings it."
            )
        return f"{path} was removed on disk. `git restore {path}` brings it back."

    def _blocked(self, path: str) -> str:
        """Return which folder on the way is none; a symbolic link is none either, as for git."""
        *folders, _ = path.split("/")
        place = self.top
        for folder in folders:
            place = place / folder
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                return f"{place.relative_to(self.top)} is no folder on disk. Move it away."
        return ""

    def _is_there(self, path: str) -> bool:
        """Return whether anything is at a path; one that cannot be on disk is an error."""
        try:
            (self.top / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_at(self, path: str, entry: Entry | None) -> bool:
        """Return whether the file on disk is what an entry says, or absent where there is none."""
        file = self.top / path
        if not self._is_there(path):
            return entry is None
        if entry is None or file.is_symlink() or not file.is_file():
            return False
        return blob_id(self._filters().to_git(path, file.read_bytes())) == entry.id

    def _beside(self, move: Move) -> Path:
        # The longest name of a file leaves no room for any longer one.
        return (self.top / move.path).with_name(f".{self._token}.{blob_id(move.path.encode())}")

    def _lay(self, move: Move, after: Entry) -> None:
        file, beside = self.top / move.path, self._beside(move)
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o777 if after.mode == FileMode.BLOB_EXECUTABLE else 0o666
        data = self._filters().to_worktree(move.path, self._repository.blob(after.id))
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        with suppress(FileNotFoundError):
            beside.chmod(stat.S_IMODE(file.stat().st_mode))


def modified_at(file: Path) -> float:
    """Return when a file was written, in seconds since 1970; 0 where there is none."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def find_checkouts(repository: Repository, token: str) -> list[Checkout]:
    """Find all working trees of a repository; see `Checkout` for the token."""
    linked = sorted(repository.common_dir.glob("worktrees/*/HEAD"))
    handles = [
        repository.handle if git_dir == repository.git_dir else open_repository(git_dir)
        for git_dir in (repository.common_dir, *(head.parent for head in linked))
    ]
    return [
        Checkout(repository, handle, token)
        for handle in handles
        if handle.workdir and Path(handle.workdir).is_dir()
    ]


def staged(index: pygit2.Index, path: str) -> Entry | None:
    """Return what an index holds at a path; None for nothing."""
    try:
        entry = index[path]
    except KeyError:  # nothing, or the sides of a merge
        return None
    return Entry(int(entry.mode), str(entry.id))


def _update(index: pygit2.Index, moves: Sequence[Move]) -> bool:
    """Let an index follow a commit, and return whether anything changed."""
    changed = [move for move in moves if staged(index, move.path) != move.after]
    for _, path, _, after in changed:
        if after is None:
            index.remove(path)
        else:
            index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=after.id), FileMode(after.mode)))
    return bool(changed)


class Filters:
    """What converts the files of a repository, by the configuration of one moment.

    Args:
        handle: The repository.
        commit: A commit whose .gitattributes count too, as a bare repository has no others.
    """

    def __init__(self, handle: pygit2.Repository, commit: str | None = None) -> None:
        self._handle = handle
        self._flags = AttrCheck.INCLUDE_COMMIT if commit else AttrCheck(0)
        self._commit = pygit2.Oid(hex=commit) if commit else None
        # Most repositories know no filter at all, and looking for attributes takes its time.
        self._are_known = any(entry.name.startswith("filter.") for entry in handle.config)

    def to_git(self, path: str, data: bytes) -> bytes:
        """Convert the content of a file on disk to what git would commit.

        Raises:
            RepositoryError: A filter is refused, or failed.
        """
        data = self.clean(path, data)
        filters = self._handle.load_filter_list(path, FilterMode.TO_ODB)
        return filters.apply_to_buffer(data) if filters else data

    def to_worktree(self, path: str, data: bytes) -> bytes:
        """Convert what git has of a file to its content on disk.

        Raises:
            RepositoryError: A filter is refused, or failed.
        """
        encoding = self._attribute(path, "working-tree-encoding")
        if isinstance(encoding, str) and encoding.lower() not in ("utf-8", "utf8"):
            raise RepositoryError(
                path=path,
                reason=f".gitattributes asks for {encoding} on disk, and prompts are UTF-8. Add "
                f"the line `{path} !working-tree-encoding` to .gitattributes.",
            )
        filters = self._handle.load_filter_list(path, FilterMode.TO_WORKTREE)
        return self._run("smudge", path, filters.apply_to_buffer(data) if filters else data)

    def clean(self, path: str, data: bytes) -> bytes:
        """Apply the command that cleans a file before it is committed, where there is one."""
        return self._run("clean", path, data)

    def _attribute(self, path: str, name: str) -> str | bool | None:
        return self._handle.get_attr(path, name, self._flags, self._commit)

    def _run(self, step: str, path: str, data: bytes) -> bytes:
        name = self._attribute(path, "filter") if self._are_known else None
        if not isinstance(name, str):
            return data
        from promptstore.git.filters import run_filter

        return run_filter(self._handle, name, step, path, data)
