"""Opening a repository, resolving revs, reading commits, trees and blobs.

No program is run: neither git nor what a repository's configuration names.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import pygit2
from pygit2.enums import FileMode, FilterMode

from promptstore.errors import RepositoryError, RevisionNotFoundError
from promptstore.git.objects import (
    EMPTY_TREE,
    Commit,
    Entry,
    Link,
    LooseObjects,
    ObjectDatabase,
)
from promptstore.git.opening import explain, find_repository, open_repository, translated

__all__ = [
    "Head",
    "Repository",
    "blob_id",
    "clean_content",
    "create_repository",
    "translated",
]

_MAX_ENTRIES: Final = 50_000
"""How many entries the trees that a thread keeps may hold together."""

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
    """libgit2's own object for one thread of one process, and the trees that it read.

    Trees keep a repository and so its packs open: they go together.
    """

    def __init__(self, git_dir: Path, generation: int) -> None:
        self.pid = os.getpid()
        self.generation = generation
        self.repository = open_repository(git_dir)
        self.trees: dict[str, pygit2.Tree] = {}
        self._entries = 0

    def keep_tree(self, tree_id: str, tree: pygit2.Tree) -> None:
        self._entries += len(tree)
        if self._entries > _MAX_ENTRIES:
            self.trees.clear()
            self._entries = len(tree)
        self.trees[tree_id] = tree


class Repository:
    """A git repository, read through libgit2.

    One object may be shared by threads and survives a fork: each thread of each process opens its
    own handle underneath.

    Attributes:
        git_dir: The repository's own git directory.
        common_dir: The git directory that it shares with its linked worktrees.
        workdir: The top of its working tree, or None for a bare repository.
        objects: Its objects.
    """

    def __init__(self, git_dir: Path, path: Path | None = None) -> None:
        self._path = os.path.abspath(path or git_dir)  # noqa: PTH100 - links are kept
        self._is_linked = os.path.realpath(self._path) != self._path
        self._handles = threading.local()
        self._generation = 0
        self._stamps: list[tuple[int, int, int] | None] = []
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
        return cls(find_repository(path), path)

    @property
    def is_shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return bool(self.handle.is_shallow)

    def configured(self, key: str) -> list[str]:
        """Return all values of a key in git's configuration, such as ``user.name``."""
        with translated(self.git_dir):
            return [value or "" for value in self.handle.config.get_multivar(key)]

    def refresh(self) -> None:
        """Follow a path that leads elsewhere by now, and let go of packs that were replaced."""
        if self._is_linked and _identity(self._path) != self._path_stamp:
            with suppress(RepositoryError):  # while a link is swapped there may be nothing
                self._settle(find_repository(Path(self._path)))
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
            for one in self._tree(tree_id) or ()
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
        entry = Entry(FileMode.TREE, tree_id)
        for segment in path.split("/") if path else ():
            tree = self._tree(entry.id) if entry.is_tree else None
            try:
                found = tree[segment] if tree else None
            except (KeyError, ValueError, TypeError):
                # The others where no name in UTF-8 is asked for.
                return None
            if found is None:
                return None
            entry = Entry(int(found.filemode), str(found.id))
        return entry

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
    def handle(self) -> pygit2.Repository:
        """libgit2's own object, one for each thread of each process; for this package only."""
        return self._current().repository

    def _current(self) -> _Handle:
        handle: _Handle | None = getattr(self._handles, "current", None)
        is_own = handle is not None and handle.pid == os.getpid()
        if handle is None or not is_own or handle.generation != self._generation:
            if handle is not None and is_own:
                # It refers to itself, and would keep its packs open until Python looks for that.
                handle.repository.free()
            handle = self._handles.current = _Handle(self.git_dir, self._generation)
        return handle

    def _settle(self, git_dir: Path) -> None:
        """Read from a git directory from now on."""
        with translated(git_dir):
            self._path_stamp = _identity(self._path)
            self.git_dir = git_dir
            self.common_dir = _common_dir(git_dir)
            self._stamped = str(self.common_dir / "objects/pack"), str(self.common_dir / "shallow")
            self._stamps = self._read_stamps()
            loose = LooseObjects(self.common_dir / "objects")
            self.objects = ObjectDatabase(git_dir, lambda: self.handle, loose)
            self._generation += 1
            workdir = self.handle.workdir
            self.workdir = Path(workdir) if workdir else None

    def _read_stamps(self) -> list[tuple[int, int, int] | None]:
        """Return what tells that packs, or where a shallow history ends, are others by now."""
        return [_stamp(path) for path in self._stamped]

    def _tree(self, tree_id: str) -> pygit2.Tree | None:
        """Read a tree, which is kept; None for the empty one."""
        if tree_id == EMPTY_TREE:
            return None
        handle = self._current()
        tree = handle.trees.get(tree_id)
        if tree is None:
            tree = self.objects.read(tree_id, pygit2.Tree)
            handle.keep_tree(tree_id, tree)
        return tree


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


def _identity(path: str) -> tuple[int, int] | None:
    stamp = _stamp(path)
    return stamp[:2] if stamp else None


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked at each read
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns
