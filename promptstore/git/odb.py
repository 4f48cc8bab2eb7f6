"""The objects of a repository: read, checked, and compared along a history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple, TypeVar

import pygit2
from pygit2.enums import ObjectType

from promptstore.errors import RepositoryError
from promptstore.git.failures import explain
from promptstore.git.loose import LooseObjects
from promptstore.git.trees import EMPTY_TREE, Difference, compare_along

_Object = TypeVar("_Object", pygit2.Blob, pygit2.Commit, pygit2.Tree)
_T = TypeVar("_T")


class Commit(NamedTuple):
    """What promptstore needs to know of a commit.

    Attributes:
        id: Its id.
        tree: The id of its root tree.
        author: Its author, as ``name <email>``.
        committed_at: When it was committed, in the committer's time zone.
        message: Its whole message.
    """

    id: str
    tree: str
    author: str
    committed_at: datetime
    message: str


class Link(NamedTuple):
    """One step of a first-parent history: just enough to walk it quickly.

    Attributes:
        id: The commit's id.
        tree: The id of its root tree.
        parent: The id of its first parent, or None for a root commit.
        time: When it was committed, in seconds since 1970.
    """

    id: str
    tree: str
    parent: str | None
    time: int


class ObjectDatabase:
    """The objects of a repository.

    Every method raises `RepositoryError` for an object that is missing or damaged, or is of another
    type than it must be.

    Args:
        git_dir: The git directory, for errors.
        handle: Returns libgit2's own object for the running thread.
        loose: The loose objects.
        is_sound: Returns whether an object is not a loose one that is cut off.
    """

    def __init__(
        self,
        git_dir: Path,
        handle: Callable[[], pygit2.Repository],
        loose: LooseObjects,
        is_sound: Callable[[str], bool] | None = None,
    ) -> None:
        self._git_dir = git_dir
        self._handle = handle
        self._loose = loose
        self._is_sound = is_sound or loose.is_sound

    def for_history(self) -> ObjectDatabase:
        """Return the same for reading one long history, which lists loose objects only once."""
        handle = self._handle()
        return ObjectDatabase(self._git_dir, lambda: handle, self._loose, self._loose.checker())

    def find(self, object_id: str) -> pygit2.Object:
        """Read an object of any type."""
        return self._checked(object_id, lambda: self._handle()[object_id])

    def read(self, object_id: str, kind: type[_Object]) -> _Object:
        """Read an object that must be of one type."""
        found = self.find(object_id)
        if not isinstance(found, kind):
            raise self._wrong(object_id, kind.__name__)
        return found

    def commit(self, commit_id: str) -> Commit:
        """Read a commit."""
        found = self.read(commit_id, pygit2.Commit)
        author, committer = found.author, found.committer
        return Commit(
            id=commit_id,
            tree=str(found.tree_id),
            author=f"{author.name} <{author.email}>",
            committed_at=_datetime(committer.time, committer.offset),
            message=found.message,
        )

    def tree(self, tree_id: str) -> pygit2.Tree:
        """Read a tree."""
        return self.read(tree_id, pygit2.Tree)

    def tree_data(self, tree_id: str) -> bytes:
        """Read the bytes of a tree, which need not be stored if it is the empty one."""
        if tree_id == EMPTY_TREE:
            return b""
        kind, data = self._checked(tree_id, lambda: self._handle().read(tree_id))
        if kind != ObjectType.TREE:
            raise self._wrong(tree_id, "tree")
        return data

    def walk(self, tip: str) -> Iterator[Link]:
        """Walk a first-parent history from its newest commit to its first."""
        current: str | None = tip
        while current is not None:
            found = self.read(current, pygit2.Commit)
            parents = found.parent_ids
            parent = str(parents[0]) if parents else None
            yield Link(current, str(found.tree_id), parent, found.commit_time)
            current = parent

    def subtrees(self, tree_ids: Iterable[str], path: str) -> Iterator[str]:
        """Return the id of the folder at a path in each of many trees, the empty tree for none."""
        for tree_id in tree_ids:
            found = tree_id
            for segment in path.split("/") if path else ():
                if found == EMPTY_TREE:
                    break
                tree = self.tree(found)
                below = tree[segment] if segment in tree else None  # noqa: SIM401 - it has no get
                found = str(below.id) if isinstance(below, pygit2.Tree) else EMPTY_TREE
            yield found

    def compare(self, pairs: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, Difference]]:
        """Compare the trees of one folder along a history; see `compare_along`."""
        return compare_along(pairs, self)

    def check_loose(self) -> None:
        """See that no loose object is cut off, before libgit2 reads some that are not known."""
        damaged = self._loose.find_damaged()
        if damaged is not None:
            raise self._damaged(damaged)

    def _checked(self, object_id: str, read: Callable[[], _T]) -> _T:
        try:
            found = read() if self._is_sound(object_id) else None
        except KeyError:
            raise self._missing(object_id) from None
        except pygit2.GitError as error:
            raise self._damaged(object_id) from error
        except (ValueError, OSError) as error:
            raise explain(self._git_dir, error) from error
        if found is None:
            raise self._damaged(object_id)
        return found

    def _missing(self, object_id: str) -> RepositoryError:
        names = (entry.name for entry in self._handle().config)
        if any(name == "extensions.partialclone" or name.endswith(".promisor") for name in names):
            return self._problem(
                f"the object {object_id} was left out of this partial clone. Fetch all that is "
                "missing with `git fetch --refetch --no-filter`."
            )
        return self._problem(
            f"the object {object_id} is missing. Check the repository with `git fsck`."
        )

    def _damaged(self, object_id: str) -> RepositoryError:
        return self._problem(
            f"the object {object_id} is damaged. Check the repository with `git fsck`; if a pack "
            "or another clone holds the object too, remove "
            f"objects/{object_id[:2]}/{object_id[2:]} and fetch."
        )

    def _wrong(self, object_id: str, kind: str) -> RepositoryError:
        return self._problem(
            f"the object {object_id} is no {kind.lower()}. Check the repository with `git fsck`."
        )

    def _problem(self, reason: str) -> RepositoryError:
        return RepositoryError(path=str(self._git_dir), reason=reason)


def _datetime(seconds: int, offset: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset)))
    except (OverflowError, ValueError, OSError):
        # A hand-made commit may carry a time that no calendar holds.
        return datetime.fromtimestamp(0, UTC)
