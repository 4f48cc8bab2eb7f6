"""The objects of a repository, read with care: each is an error that names it, or whole."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import pygit2
from pygit2.enums import FileMode, ObjectType

from promptstore.errors import RepositoryError
from promptstore.git.opening import explain

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the tree without entries, which git knows without storing it."""

# Plain numbers: looking up a member takes longer than comparing with it.
_TREE: Final = int(FileMode.TREE)
_FILE, _EXECUTABLE = int(FileMode.BLOB), int(FileMode.BLOB_EXECUTABLE)
_KIND: Final = 0o170000
"""The bits of a mode that tell a file from a folder."""

_ENTRY: Final = re.compile(rb"[^\0]+\0.{20}", re.DOTALL)

_MAX_DEPTH: Final = 5
"""How many repositories may borrow objects in a row, as in git."""


class LooseObjects:
    """The loose objects of a repository and of those that it borrows from.

    Args:
        folder: The repository's folder of objects.
    """

    def __init__(self, folder: Path) -> None:
        self._folders = [str(path) for path in _with_alternates(folder, _MAX_DEPTH)]

    def is_sound(self, object_id: str) -> bool:
        """Return whether an object is whole, or is not loose at all."""
        name = f"{object_id[:2]}/{object_id[2:]}"
        return all(_is_whole(f"{folder}/{name}") for folder in self._folders)

    def checker(self) -> Callable[[str], bool]:
        """Return `is_sound` for very many objects, which lists each folder once."""
        listed: dict[str, set[str]] = {}

        def is_sound(object_id: str) -> bool:
            start, rest = object_id[:2], object_id[2:]
            if start not in listed:
                listed[start] = self._list(start)
            return rest not in listed[start] or self.is_sound(object_id)

        return is_sound

    def find_damaged(self) -> str | None:
        """Return the id of a loose object that is cut off, or None; every one is read."""
        for number in range(256):
            start = f"{number:02x}"
            for rest in self._list(start):
                if not self.is_sound(start + rest):
                    return start + rest
        return None

    def _list(self, start: str) -> set[str]:
        found: set[str] = set()
        for folder in self._folders:
            with suppress(FileNotFoundError, NotADirectoryError):
                found.update(os.listdir(f"{folder}/{start}"))  # noqa: PTH208 - an id a name
        return found


def _is_whole(file: str) -> bool:
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - Path takes twice as long
            data = stream.readall()
    except (FileNotFoundError, NotADirectoryError):
        return True
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(data)
    except zlib.error:
        return False
    return inflate.eof


def _with_alternates(folder: Path, depth: int) -> list[Path]:
    """List a folder of objects and those that it names (gitrepository-layout(5))."""
    found = [folder]
    with suppress(FileNotFoundError, NotADirectoryError):
        lines = os.fsdecode((folder / "info/alternates").read_bytes()).splitlines()
        for line in lines if depth else ():
            if line and not line.startswith("#"):
                found += _with_alternates(folder / line, depth - 1)
    return found


_Object = TypeVar("_Object", pygit2.Blob, pygit2.Commit, pygit2.Tree)
_T = TypeVar("_T")


class Entry(NamedTuple):
    """One entry of a tree.

    Attributes:
        mode: Git's file mode, such as 0o100644.
        id: The id of the blob, tree or commit.
    """

    mode: int
    id: str

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file, executable or not; a symbolic link is none."""
        return self.mode in (_FILE, _EXECUTABLE)

    @property
    def is_tree(self) -> bool:
        """Whether this is a folder."""
        return self.mode == _TREE


class Difference(NamedTuple):
    """What differs between two trees of one folder.

    Attributes:
        name: The name of the entry.
        before: The entry in the one tree, or None.
        after: The entry in the other, or None.
    """

    name: str
    before: Entry | None
    after: Entry | None


class Commit(NamedTuple):
    """What promptstore needs to know of a commit.

    Attributes:
        id: Its id.
        tree: The id of its root tree.
        author: Its author, as ``name <email>``.
        committed_at: When it was committed, in the committer's time zone.
        message: Its whole message.
        authored_at: When it was written, in the author's time zone, where that is known.
    """

    id: str
    tree: str
    author: str
    committed_at: datetime
    message: str
    authored_at: datetime | None = None


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
            authored_at=_datetime(author.time, author.offset),
        )

    def tree(self, tree_id: str) -> pygit2.Tree:
        """Read a tree."""
        return self.read(tree_id, pygit2.Tree)

    def _tree_data(self, tree_id: str) -> bytes:
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
        """Compare the trees of one folder along a history, not what is inside folders that differ.

        Args:
            pairs: The number of a commit, and the ids of the folder's trees before and after it.

        Yields:
            The number of a commit, and what differs.
        """
        return _compare_along(pairs, self._tree_data)

    def check_loose(self) -> None:
        """Check that no loose object is cut off, before libgit2 reads some that are not known."""
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
        if self._handle().is_shallow:
            return self._problem(
                f"the object {object_id} is not in this shallow clone. Fetch it with "
                "`git fetch --unshallow`."
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


def _compare_along(
    pairs: Iterable[tuple[int, str, str]], read: Callable[[str], bytes]
) -> Iterator[tuple[int, Difference]]:
    # What git stores is compared: libgit2 takes ten times as long to list the entries of a tree.
    last_id, last = "", list[bytes]()
    for number, before, after in pairs:
        new = last if after == last_id else _ENTRY.findall(read(after))
        last_id, last = before, _ENTRY.findall(read(before))
        gone, come = (dict(map(_parse, entries)) for entries in _differing(last, new))
        for name in gone.keys() | come.keys():
            if gone.get(name) != come.get(name):
                yield number, Difference(name, gone.get(name), come.get(name))


def _differing(old: list[bytes], new: list[bytes]) -> tuple[Iterable[bytes], Iterable[bytes]]:
    """Return the entries of two trees without most of those that both have."""
    if len(old) != len(new):
        return set(old).difference(new), set(new).difference(old)
    # Mostly one entry has another id, and the others stand where they stood.
    pairs = [(was, now) for was, now in zip(old, new, strict=True) if was != now]
    return [was for was, _ in pairs], [now for _, now in pairs]


def _parse(entry: bytes) -> tuple[str, Entry]:
    """Return the name of an entry of a tree, and what it is."""
    digits, _, rest = entry.partition(b" ")
    mode = int(digits, 8)
    if mode & _KIND == _FILE & _KIND:
        # Old programs wrote other modes, which git reads as one of these.
        mode = _EXECUTABLE if mode & 0o100 else _FILE
    return rest[:-21].decode(errors="surrogateescape"), Entry(mode, rest[-20:].hex())
