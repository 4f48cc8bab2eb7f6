"""A working tree whose branch is written: its files and its index follow the commit.

Files are converted as gitattributes(5) says: line ends by libgit2, and by the commands of a
``filter`` where the user's own configuration knows it. One that comes with a repository is refused.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pygit2
from pygit2.enums import AttrCheck, ConfigLevel, FileMode, FilterMode

from promptstore.errors import ConflictError, RepositoryError
from promptstore.git.commits import Move
from promptstore.git.locks import Deadline, LinkedLock
from promptstore.git.objects import Entry
from promptstore.git.reading import Repository, open_repository

_YOUNG: Final = 0.03
_LONGEST_SWITCH: Final = 0.2
_PAUSE: Final = 0.002
"""How old an index is, in seconds, when git is done with what it wrote it for; how long that is
waited for, and how often it is looked at."""


_OF_THE_REPOSITORY: Final = (ConfigLevel.LOCAL, ConfigLevel.WORKTREE)
_COMMANDS: Final = ("clean", "smudge", "process")


class Checkout:
    """The working tree and the index of one checked-out branch.

    Args:
        repository: The repository.
        handle: The working tree, as libgit2 opened it for this write.
        token: A word that marks the files of one write.

    Attributes:
        top: The top of the working tree.
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
        self._lock = LinkedLock(git_dir / "index.lock", git_dir / f"index.{token}")

    def lock(self, deadline: Deadline) -> None:
        """Lock the index, so that git neither adds nor commits here.

        Raises:
            RepositoryLockedError: The index was locked by another for too long.
        """
        self._lock.acquire(deadline)

    def is_on(self, ref: str) -> bool:
        """Return whether a branch is checked out here."""
        return bool(self._handle.lookup_reference("HEAD").target == ref)

    def head(self) -> str | None:
        """Return the commit that is checked out here; None where there is none."""
        try:
            return str(self._handle.lookup_reference("HEAD").resolve().target)
        except KeyError:
            return None

    def wait_for_git(self) -> None:
        """Wait a moment where git may be about to switch: it writes the index before HEAD."""
        end = time.monotonic() + _LONGEST_SWITCH
        while time.monotonic() < end and (self._lock.is_taken or self._is_index_young()):
            time.sleep(_PAUSE)  # git tells nobody that it is done, so one can only look again

    def prepare(self, moves: Sequence[Move]) -> None:
        """Check that nothing would be lost, write the index, and lay the new files beside the old.

        The index goes before the branch, as with git itself: whoever reads the new commit and then
        the index never finds an old index, from which the next commit would take the change back.

        Raises:
            ConflictError: Uncommitted work stands in the way.
        """
        index = self._copy_index()
        for move in moves:
            reason = _staged_fault(index, move) or self._file_fault(move)
            if reason:
                raise ConflictError(names=[move.name], reason=reason)
        for number, move in enumerate(moves):
            if move.after is not None:
                self._lay(number, move, move.after)
        if _update(index, moves):
            self._replace_index(index)

    def follow(self, moves: Sequence[Move], untouched: Sequence[bool]) -> None:
        """Let the files follow a commit, wherever they still are as they were before.

        Args:
            moves: What the commit does.
            untouched: Whether each path is still as this commit left it.
        """
        for number, (move, is_same) in enumerate(zip(moves, untouched, strict=True)):
            if not is_same or self._blocked(move.path) or not self._is_at(move.path, move.before):
                continue
            file, beside = self.top / move.path, self._beside(number, move)
            if move.after is None:
                file.unlink(missing_ok=True)
                continue
            if not beside.exists():
                self._lay(number, move, move.after)
            beside.replace(file)

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
        for number, move in enumerate(moves):
            with suppress(FileNotFoundError, NotADirectoryError):
                self._beside(number, move).unlink()
        # The second one is what a writer left that was killed while it wrote the copy.
        for file in (self._fresh, Path(f"{self._fresh}.lock"), self._old):
            file.unlink(missing_ok=True)
        self._lock.release()

    def _is_index_young(self) -> bool:
        try:
            return time.time() - self._index.stat().st_mtime < _YOUNG
        except FileNotFoundError:
            return False

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

    def _file_fault(self, move: Move) -> str:
        path = move.path
        blocked = self._blocked(path)
        if blocked:
            return blocked
        if self._is_at(path, move.before) or self._is_at(path, move.after):
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

    def _is_at(self, path: str, entry: Entry | None) -> bool:
        """Return whether the file on disk is what an entry says, or absent where there is none."""
        if not self._is_there(path):
            return entry is None
        file = self.top / path
        if entry is None or file.is_symlink() or not file.is_file():
            return False
        return str(pygit2.hash(self._filters().to_git(path, file.read_bytes()))) == entry.id

    def _beside(self, number: int, move: Move) -> Path:
        # The longest name of a file leaves no room for any longer one.
        return (self.top / move.path).with_name(f".{self._token}.{number}")

    def _lay(self, number: int, move: Move, after: Entry) -> None:
        file, beside = self.top / move.path, self._beside(number, move)
        file.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o777 if after.mode == FileMode.BLOB_EXECUTABLE else 0o666
        data = self._filters().to_worktree(move.path, self._repository.blob(after.id))
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        with suppress(FileNotFoundError):
            beside.chmod(stat.S_IMODE(file.stat().st_mode))


def find_checkouts(repository: Repository, token: str) -> list[Checkout]:
    """Find all working trees of a repository; see `Checkout` for the token."""
    linked = sorted(repository.common_dir.glob("worktrees/*/HEAD"))
    git_dirs = [repository.common_dir, *(head.parent for head in linked)]
    handles = [open_repository(git_dir) for git_dir in git_dirs]
    return [
        Checkout(repository, handle, token)
        for handle in handles
        if handle.workdir and Path(handle.workdir).is_dir()
    ]


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
    """Let an index follow a commit, and return whether anything changed."""
    changed = [move for move in moves if _staged(index, move.path) != move.after]
    for path, after in ((move.path, move.after) for move in changed):
        if after is None:
            index.remove(path)
        else:
            index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=after.id), FileMode(after.mode)))
    return bool(changed)


class _Driver(NamedTuple):
    """A filter as git's configuration knows it: its keys, and those of the user's own."""

    known: dict[str, str]
    own: dict[str, str]


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
        self._drivers = _read_drivers(handle.config)

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
        """Apply the command that cleans a file before it is committed, where there is one.

        Raises:
            RepositoryError: The filter is refused, or failed.
        """
        return self._run("clean", path, data)

    def _attribute(self, path: str, name: str) -> str | bool | None:
        return self._handle.get_attr(path, name, self._flags, self._commit)

    def _run(self, step: str, path: str, data: bytes) -> bytes:
        # Most repositories know no filter at all, and looking for attributes takes its time.
        name = self._attribute(path, "filter") if self._drivers else None
        driver = self._drivers.get(name) if isinstance(name, str) else None
        if driver is None:
            return data
        for key in _COMMANDS:
            if driver.known.get(key) and driver.known[key] != driver.own.get(key):
                raise RepositoryError(
                    path=path,
                    reason=f"the content filter {name!r} is known to the configuration of this "
                    "repository only, whose commands promptstore does not run. If you trust it, "
                    f"make it yours: `git config --global filter.{name}.{key} "
                    f"{shlex.quote(driver.known[key])}`.",
                )
        command = driver.known.get(step)
        if command:
            done = subprocess.run(  # noqa: S602 - so does git, and the command is the user's own
                command.replace("%f", shlex.quote(path)),
                shell=True,
                cwd=self._handle.workdir or self._handle.path,
                input=data,
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return done.stdout
            said = done.stderr.decode(errors="replace").strip()
            reason = said or f"it ended with {done.returncode}"
        elif driver.known.get("process"):
            reason = "promptstore runs 'clean' and 'smudge', not 'process'"
        else:
            reason = "there is no such command in git's configuration"
        required, config = f"filter.{name}.required", self._handle.config
        is_required = required in config and config.get_bool(required)
        if is_required or (not command and driver.known.get("process")):
            raise RepositoryError(
                path=path, reason=f"the content filter {name!r} ({step}) failed: {reason}."
            )
        return data


def _read_drivers(config: pygit2.Config) -> dict[str, _Driver]:
    drivers: dict[str, _Driver] = {}
    for entry in config:
        # The names of a section and of a key are in lower case, and a filter's own name is not.
        if entry.name.startswith("filter."):
            name, _, key = entry.name.removeprefix("filter.").rpartition(".")
            driver = drivers.setdefault(name, _Driver({}, {}))
            driver.known[key] = entry.value or ""
            if entry.level not in _OF_THE_REPOSITORY:
                driver.own[key] = entry.value or ""
    return drivers
