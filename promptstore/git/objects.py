"""The objects of a repository, read with care: each is an error that names it, or whole."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

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

_REGULAR: Final = _FILE & _KIND

_ENTRY: Final = re.compile(rb"[^\0]+\0.{20}", re.DOTALL)

_MAX_DEPTH: Final = 5
"""How many repositories may borrow objects in a row, as in git."""

_MAX_ENTRIES: Final = 50_000
"""How many entries the trees that are kept may hold together."""

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


Difference: TypeAlias = tuple[str, Entry | None, Entry | None]
"""The name of an entry of a folder, and what it is in one tree and in another."""


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
    """The objects of a repository, for one thread.

    Every method raises `RepositoryError` for an object that is missing or damaged, or is of another
    type than it must be.

    Args:
        handle: libgit2's own object for the repository.
        folder: The folder of its objects.
        is_long: Whether many objects will be read; each folder of loose ones is then listed once.
    """

    def __init__(self, handle: pygit2.Repository, folder: Path, *, is_long: bool = False) -> None:
        self._handle = handle
        self._folder = folder
        try:
            self._odb = handle.odb
            self._folders = _with_alternates(folder, _MAX_DEPTH)
        except (pygit2.GitError, OSError) as error:
            raise explain(Path(handle.path), error) from error
        self._listed: dict[str, set[str]] | None = {} if is_long else None
        self._trees: dict[str, pygit2.Tree] = {}
        self._entries = 0

    def for_history(self) -> ObjectDatabase:
        """Return the same for reading one long history."""
        return ObjectDatabase(self._handle, self._folder, is_long=True)

    def find(self, object_id: str) -> pygit2.Object:
        """Read an object of any type."""
        return self._checked(object_id, self._handle.__getitem__)

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

    def tree(self, tree_id: str) -> pygit2.Tree | None:
        """Read a tree, which is kept; None for the empty one, which need not be stored."""
        if tree_id == EMPTY_TREE:
            return None
        tree = self._trees.get(tree_id)
        if tree is None:
            tree = self.read(tree_id, pygit2.Tree)
            self._entries += len(tree)
            if self._entries > _MAX_ENTRIES:
                self._trees.clear()
                self._entries = len(tree)
            self._trees[tree_id] = tree
        return tree

    def entry(self, tree_id: str, path: str) -> Entry | None:
        """Find the entry at a path below a tree, None where there is none.

        Args:
            tree_id: The tree to start from.
            path: Names joined by ``/``; the empty path is the tree itself.
        """
        entry = Entry(_TREE, tree_id)
        for segment in path.split("/") if path else ():
            tree = self.tree(entry.id) if entry.is_tree else None
            try:
                found = tree[segment] if tree else None
            except (KeyError, ValueError, TypeError):
                # The others where no name in UTF-8 is asked for.
                return None
            if found is None:
                return None
            entry = Entry(int(found.filemode), str(found.id))
        return entry

    def walk(self, tip: str) -> Iterator[Link]:
        """Walk a first-parent history from its newest commit to its first."""
        current: str | None = tip
        while current is not None:
            found = self.read(current, pygit2.Commit)
            parents = found.parent_ids
            parent = str(parents[0]) if parents else None
            yield Link(current, str(found.tree_id), parent, found.commit_time)
            current = parent

    def compare(self, pairs: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, Difference]]:
        """Compare the trees of one folder along a history, not what is inside folders that differ.

        What git stores is compared: libgit2 lists every entry of every tree below, and takes fifty
        times as long.

        Args:
            pairs: The number of a commit, and the ids of the folder's trees before and after it.

        Yields:
            The number of a commit, and what differs.
        """
        known_id, known, starts = EMPTY_TREE, b"", [0]
        for number, before, after in pairs:
            if after != known_id:
                known = self._tree_data(after)
                starts = [*accumulate(map(len, _ENTRY.findall(known)), initial=0)]
            new, known_id, known = known, before, self._tree_data(before)
            gone, come, starts = _differing(known, new, starts)
            for name in gone.keys() | come.keys():
                if gone.get(name) != come.get(name):
                    yield number, (name, gone.get(name), come.get(name))

    def check_loose(self) -> None:
        """Check that no loose object is cut off, before libgit2 reads some that are not known."""
        for number in range(256):
            start = f"{number:02x}"
            for rest in self._list(start):
                if not self._is_sound(start + rest):
                    raise self._damaged(start + rest)

    def _tree_data(self, tree_id: str) -> bytes:
        if tree_id == EMPTY_TREE:
            return b""
        kind, data = self._checked(tree_id, self._odb.read)
        if kind != ObjectType.TREE:
            raise self._wrong(tree_id, "tree")
        return data

    def _checked(self, object_id: str, read: Callable[[str], _T]) -> _T:
        try:
            if self._is_sound(object_id):
                return read(object_id)
        except KeyError:
            raise self._missing(object_id) from None
        except pygit2.GitError as error:
            raise self._damaged(object_id) from error
        except (ValueError, OSError) as error:
            raise explain(Path(self._handle.path), error) from error
        raise self._damaged(object_id)

    def _is_sound(self, object_id: str) -> bool:
        """Return whether an object is whole, or is not loose at all."""
        start, rest = object_id[:2], object_id[2:]
        if self._listed is not None:
            if start not in self._listed:
                self._listed[start] = self._list(start)
            if rest not in self._listed[start]:
                return True
        return all(_is_whole(f"{folder}/{start}/{rest}") for folder in self._folders)

    def _list(self, start: str) -> set[str]:
        found: set[str] = set()
        for folder in self._folders:
            with suppress(FileNotFoundError, NotADirectoryError):
                found.update(os.listdir(f"{folder}/{start}"))  # noqa: PTH208 - an id a name
        return found

    def _missing(self, object_id: str) -> RepositoryError:
        names = (entry.name for entry in self._handle.config)
        if any(name == "extensions.partialclone" or name.endswith(".promisor") for name in names):
            return self._problem(
                f"the object {object_id} was left out of this partial clone. Fetch all that is "
                "missing with `git fetch --refetch --no-filter`."
            )
        if self._handle.is_shallow:
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
        return RepositoryError(path=str(Path(self._handle.path)), reason=reason)


@contextmanager
def each_read_once() -> Iterator[None]:
    """Let libgit2 keep no objects meanwhile: it takes time and memory to keep a whole history."""
    pygit2.settings.enable_caching(False)
    try:
        yield
    finally:
        pygit2.settings.enable_caching(True)


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


def _with_alternates(folder: Path, depth: int) -> list[str]:
    """List a folder of objects and those that it names (gitrepository-layout(5))."""
    found = [str(folder)]
    with suppress(FileNotFoundError, NotADirectoryError):
        lines = os.fsdecode((folder / "info/alternates").read_bytes()).splitlines()
        for line in lines if depth else ():
            if line and not line.startswith("#"):
                found += _with_alternates(folder / line, depth - 1)
    return found


def _datetime(seconds: int, offset: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset)))
    except (OverflowError, ValueError, OSError):
        # A hand-made commit may carry a time that no calendar holds.
        return datetime.fromtimestamp(0, UTC)


def _differing(
    old: bytes, new: bytes, starts: list[int]
) -> tuple[dict[str, Entry], dict[str, Entry], list[int]]:
    """Return the entries that only one of two trees has, and where those of `old` start.

    Args:
        old: The one tree.
        new: The other.
        starts: Where the entries of `new` start, and where the last one ends.
    """
    low, high = 0, len(starts) - 1
    while low < high:
        middle = (low + high + 1) // 2
        start, end = starts[low], starts[middle]
        low, high = (middle, high) if old[start:end] == new[start:end] else (low, middle - 1)
    start, end = starts[low], starts[low + 1] if low + 1 < len(starts) else len(new)
    # Mostly one entry has another id, and what follows is the same.
    if len(old) == len(new) and old[end:] == new[end:] and _ENTRY.fullmatch(old, start, end):
        return _parsed([old[start:end]]), _parsed([new[start:end]]), starts
    gone, come = _ENTRY.findall(old, start), _ENTRY.findall(new, start)
    starts = [*starts[:low], *accumulate(map(len, gone), initial=start)]
    return _parsed(set(gone).difference(come)), _parsed(set(come).difference(gone)), starts


def _parsed(entries: Iterable[bytes]) -> dict[str, Entry]:
    """Return the entries of a tree by name."""
    found = {}
    for entry in entries:
        digits, _, rest = entry.partition(b" ")
        mode = int(digits, 8)
        if mode & _KIND == _REGULAR:
            # Old programs wrote other modes, which git reads as one of these.
            mode = _EXECUTABLE if mode & 0o100 else _FILE
        found[rest[:-21].decode("utf-8", "surrogateescape")] = Entry(mode, rest[-20:].hex())
    return found
