"""Trees: their entries, and what differs between two of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from pygit2.enums import FileMode

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the tree without entries, which git knows without storing it."""

# Plain numbers: looking up a member takes longer than comparing with it.
_TREE: Final = int(FileMode.TREE)
_FILE, _EXECUTABLE = int(FileMode.BLOB), int(FileMode.BLOB_EXECUTABLE)
_KIND: Final = 0o170000
"""The bits of a mode that tell a file from a folder."""

_ENTRY: Final = re.compile(rb"[^\0]+\0.{20}", re.DOTALL)


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


def compare_along(
    pairs: Iterable[tuple[int, str, str]], read: Callable[[str], bytes]
) -> Iterator[tuple[int, Difference]]:
    """Compare the trees of one folder along a history, not what is inside folders that differ.

    It is done on what git stores, as libgit2 takes ten times as long to list the entries of a tree.

    Args:
        pairs: The number of a commit, and the ids of the folder's trees before it and after it.
        read: Returns a tree as git stores it.

    Yields:
        The number of a commit, and what differs.
    """
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
