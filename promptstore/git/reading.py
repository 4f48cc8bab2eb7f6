"""A repository: finding and opening it, its references, its commits, trees and blobs.

No program is run: neither git nor what a repository's configuration names.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import pygit2
from pygit2.enums import FilterMode

from promptstore.errors import (
    PromptStoreError,
    RepositoryError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from promptstore.git.objects import Commit, Entry, Link, ObjectDatabase
from promptstore.git.opening import add_environment, explain, open_untrusted, refuse_damaged

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+|[^/\\:@]+@[^/\\:]+:.+", re.DOTALL)
_MAX_COMMITS: Final = 4096


class Head(NamedTuple):
    """What HEAD is.

    Attributes:
        branch: The branch that it is on, unborn or not; None when it is detached.
        tip: The commit that it is at; None where there is none yet.
    """

    branch: str | None
    tip: str | None


class _Handle:
    """libgit2's own object for one thread of one process, and the objects that it read.

    These keep it and so its packs open: they go together.
    """

    def __init__(self, git_dir: Path, folder: Path, generation: int) -> None:
        self.owner = os.getpid(), generation
        self.repository = open_repository(git_dir)
        self._folder = folder
        self._objects: ObjectDatabase | None = None

    def objects(self) -> ObjectDatabase:
        # No cached property: its lock, held by a thread while another forks, stays locked there.
        if self._objects is None:
            self._objects = ObjectDatabase(self.repository, self._folder)
        return self._objects


class Repository:
    """A git repository, read through libgit2.

    One object may be shared by threads and survives a fork: each thread of each process opens its
    own handle underneath.

    Attributes:
        git_dir: The repository's own git directory.
        common_dir: The git directory that it shares with its linked worktrees.
        workdir: The top of its working tree, or None for a bare repository.
    """

    def __init__(self, git_dir: Path, path: Path | None = None) -> None:
        self._path = os.path.abspath(path or git_dir)  # noqa: PTH100 - links are kept
        self._is_linked = os.path.realpath(self._path) != self._path
        self._handles = threading.local()
        self._generation = 0
        self._stamps: list[tuple[int, ...]] = []
        self._commits = lru_cache(maxsize=_MAX_COMMITS)(lambda commit: self.objects.commit(commit))
        self._settle(git_dir)

    @classmethod
    def discover(cls, path: Path) -> Repository:
        """Open the repository that a path lies in.

        Args:
            path: A folder in a working tree, a bare repository, a ``.git`` folder. Where it is a
                symbolic link that is pointed elsewhere later, `refresh` follows it.

        Returns:
            The repository.

        Raises:
            RepositoryNotFoundError: The path lies in no repository.
            UnsupportedRepositoryError: Its format cannot be read by libgit2.
            RepositoryError: It is damaged, or cannot be opened, for example because another user
                owns it.
        """
        return cls(_find_repository(path), path)

    @property
    def is_shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        # To libgit2 a linked worktree never is: it looks into the worktree's own directory.
        return any(self._stamps[1][-1:])

    def configured(self, key: str) -> list[str]:
        """Return all values of a key in git's configuration, such as ``user.name``."""
        with translated(self.git_dir):
            return [value or "" for value in self.handle.config.get_multivar(key)]

    def refresh(self) -> None:
        """Follow a path that leads elsewhere by now, and let go of packs that were replaced."""
        if self._is_linked and _stamp(self._path)[:2] != self._top:
            with suppress(RepositoryError):  # while a link is swapped there may be nothing
                self._settle(_find_repository(Path(self._path)))
        stamps = self._read_stamps()
        if stamps != self._stamps:
            self._stamps = stamps
            self._generation += 1

    def head(self) -> Head:
        """Return what HEAD is at this moment.

        Raises:
            RepositoryError: It, or the branch, is damaged.
        """
        try:
            target = self.handle.lookup_reference("HEAD").target
        except (KeyError, pygit2.GitError, OSError) as error:
            raise explain(self.git_dir, error) from error
        if not isinstance(target, str):
            return Head(None, str(target))
        return Head(target.removeprefix("refs/heads/"), self.branch_tip(target))

    def tip(self, branch: str | None = None) -> str | None:
        """Return the newest commit of a branch, as git has it at this moment.

        Args:
            branch: A local branch, or one of a remote such as ``origin/main``; None means HEAD, be
                it on a branch or detached.

        Returns:
            The commit's id; None where there is no commit yet.

        Raises:
            RevisionNotFoundError: There is no such branch.
            RepositoryError: The reference is damaged.
        """
        if branch is None:
            return self.head().tip
        found = self.branch_tip(f"refs/heads/{branch}") or self.branch_tip(f"refs/remotes/{branch}")
        if found is None and branch != self.head().branch:
            raise RevisionNotFoundError(rev=branch, reason="no such branch")
        return found

    def branch_tip(self, full_name: str) -> str | None:
        """Return the commit of a reference given by its full name.

        Args:
            full_name: For example ``refs/heads/main``.

        Returns:
            The commit's id, or None where there is no such reference.

        Raises:
            RepositoryError: The reference is damaged.
        """
        if "\0" in full_name:  # libgit2 would look for what stands before it
            return None
        try:
            target = self.handle.lookup_reference(full_name).target
            if isinstance(target, str):
                target = self.handle.lookup_reference(target).resolve().target
        except (KeyError, ValueError):  # of a name that cannot be, there is none
            return None
        except (pygit2.GitError, OSError) as error:
            raise explain(self.git_dir, error) from error
        return str(target)

    def commit(self, commit_id: str) -> Commit:
        """Read one commit.

        Raises:
            RepositoryError: The object is missing or damaged.
        """
        return self._commits(commit_id)

    def walk(self, tip: str) -> Iterator[Link]:
        """Walk a first-parent history from its newest commit to its first.

        Raises:
            RepositoryError: A commit is missing or damaged.
        """
        return self.objects.for_history().walk(tip)

    def tree(self, tree_id: str) -> dict[str, Entry]:
        """Read the entries of a tree by name; one that is not UTF-8 has surrogates."""
        return {
            one.name or "": Entry(int(one.filemode), str(one.id))
            for one in self.objects.tree(tree_id) or ()
        }

    def files(self, tree_id: str) -> Iterator[tuple[str, Entry]]:
        """List the path and the entry of all that is below a tree and is no folder.

        Raises:
            RepositoryError: A tree is missing or damaged.
        """
        pending = [("", tree_id)]
        while pending:
            folder, current = pending.pop()
            for name, entry in self.tree(current).items():
                if entry.is_tree:
                    pending.append((f"{folder}{name}/", entry.id))
                else:
                    yield folder + name, entry

    def find(self, tree_id: str, path: str) -> Entry | None:
        """Find the entry at a path.

        Args:
            tree_id: The tree to start from.
            path: Names joined by ``/``; the empty path is the tree itself.

        Returns:
            The entry, or None where there is none.

        Raises:
            RepositoryError: A tree on the way is missing or damaged.
        """
        return self.objects.entry(tree_id, path)

    def blob(self, blob_id: str) -> bytes:
        """Read the content of a blob.

        Raises:
            RepositoryError: The object is damaged or not there, for example in a partial clone.
        """
        blob = self.objects.read(blob_id, pygit2.Blob)
        with translated(self.git_dir):
            # libgit2 reads the content only now.
            return blob.data

    @property
    def objects(self) -> ObjectDatabase:
        """Its objects, for the running thread."""
        return self._current().objects()

    @property
    def handle(self) -> pygit2.Repository:
        """libgit2's own object, one for each thread of each process; for this package only."""
        return self._current().repository

    def _current(self) -> _Handle:
        handle: _Handle | None = getattr(self._handles, "current", None)
        owner = os.getpid(), self._generation
        if handle is None or handle.owner != owner:
            if handle is not None and handle.owner[0] == owner[0]:
                # It refers to itself, and would keep its packs open until Python looks for that.
                handle.repository.free()
            folder = self.common_dir / "objects"
            handle = self._handles.current = _Handle(self.git_dir, folder, self._generation)
        return handle

    def _settle(self, git_dir: Path) -> None:
        """Read from a git directory from now on."""
        with translated(git_dir):
            self._top = _stamp(self._path)[:2]
            self.git_dir = git_dir
            self.common_dir = _common_dir(git_dir)
            self._stamped = str(self.common_dir / "objects/pack"), str(self.common_dir / "shallow")
            self._stamps = self._read_stamps()
            self._generation += 1
            workdir = self.handle.workdir
            self.workdir = Path(workdir) if workdir else None

    def _read_stamps(self) -> list[tuple[int, ...]]:
        """Return what tells that packs, or where a shallow history ends, are others by now."""
        return [_stamp(path) for path in self._stamped]


def create_repository(path: Path) -> Repository:
    """Make an ordinary, empty repository, as ``git init`` does.

    Args:
        path: Its folder, which must exist.
    """
    with translated(path):
        pygit2.init_repository(str(path), initial_head="main")
    return Repository.discover(path)


def clean_content(repository: Repository, path: str, data: bytes) -> bytes:
    """Return the content of a file on disk as git would commit it, with git's own line ends.

    Args:
        repository: The repository.
        path: The file's path in it, by which its attributes are found.
        data: Its content on disk.
    """
    with translated(repository.git_dir):
        filters = repository.handle.load_filter_list(path, FilterMode.TO_ODB)
        return filters.apply_to_buffer(data) if filters else data


def blob_id(data: bytes) -> str:
    """Compute the id that git gives to a file's content."""
    return str(pygit2.hash(data))


def _common_dir(git_dir: Path) -> Path:
    # gitrepository-layout(5): a linked worktree names the shared directory in `commondir`.
    pointer = git_dir / "commondir"
    if not pointer.is_file():
        return git_dir
    return (git_dir / pointer.read_text().strip()).resolve()


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked at each read
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def is_url(text: str) -> bool:
    """Return whether a string is the URL of a repository rather than a path on this machine."""
    return _URL.fullmatch(text) is not None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the errors of libgit2 and of the operating system into ours.

    Args:
        path: The repository that they are about.

    Raises:
        RepositoryError: With what git says, and what helps.
    """
    try:
        yield
    except PromptStoreError:
        raise
    except (pygit2.GitError, OSError) as error:
        raise explain(path, error) from error


def open_repository(git_dir: Path) -> pygit2.Repository:
    """Open a git directory, unless it belongs to another user whom git is not told to trust.

    Raises:
        UnsupportedRepositoryError: Its format cannot be read by libgit2.
        RepositoryError: It cannot be opened.
    """

    def open_it() -> pygit2.Repository:
        try:
            return pygit2.Repository(str(git_dir))
        except pygit2.GitError as error:
            if "extensions.partialclone" not in str(error):
                raise
        # Older gits mark a partial clone so. libgit2 reads it, but must be told for the process.
        pygit2.settings.set_extensions([*pygit2.settings.extensions, "partialclone"])
        return pygit2.Repository(str(git_dir))

    try:
        handle = open_it()
    except (pygit2.GitError, OSError) as error:
        handle = open_untrusted(git_dir, error, open_it)
    if any(name.startswith("GIT_CONFIG_") for name in os.environ):
        with translated(git_dir):
            add_environment(handle.config)
    return handle


def _find_repository(path: Path) -> Path:
    start = path.resolve()
    try:
        found = pygit2.discover_repository(str(path))
    except (pygit2.GitError, OSError) as error:
        refuse_damaged(start)
        raise explain(path, error) from error
    tops = (start, *start.parents)
    nearest = next((top / ".git" for top in tops if (top / ".git").exists()), None)
    if found is None or Path(found) not in (start, nearest):
        refuse_damaged(start)
    if found is None:
        advice = (
            "Give a folder of a clone" if path.is_file() else "Run `git init`, or give another path"
        )
        reason = f"this is not in a git repository. {advice}."
        raise RepositoryNotFoundError(path=str(path), reason=reason)
    return Path(found)
