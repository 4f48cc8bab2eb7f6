"""Trees as git writes them: entries of a mode, a name and the twenty bytes of an id.

They are read here without libgit2's objects, which take several times as long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from pygit2.enums import FileMode

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the tree without entries, which git knows without storing it."""

# Plain numbers: looking up a member takes longer than comparing with it.
_TREE: Final = int(FileMode.TREE)
_FILES: Final = (int(FileMode.BLOB), int(FileMode.BLOB_EXECUTABLE))
_FILE_MODES: Final = (b"100644", b"100755")
_MODES: Final[Mapping[bytes, int]] = {b"100644": 0o100644, b"40000": 0o40000}
_FOLDER: Final = b"40000"
_PLAIN_FILE: Final = b"100644 "
_RAW_ID_LENGTH: Final = 20
_BYTES_OF_AN_ENTRY: Final = 40
LARGE_TREE: Final = 500 * _BYTES_OF_AN_ENTRY
"""From how many bytes on a tree holds so many entries that libgit2 finds one of them sooner."""

_TREE_ENTRY: Final = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_WHOLE_ENTRY: Final = re.compile(rb"[0-7]+ [^\0]+\0.{20}", re.DOTALL)


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
        """Tell whether this is a regular file, executable or not; a symbolic link is none."""
        return self.mode in _FILES

    @property
    def is_tree(self) -> bool:
        """Tell whether this is a folder."""
        return self.mode == _TREE


class PlainNames(NamedTuple):
    """How the names of one kind of files are spelled, in ASCII.

    Attributes:
        suffix: How they end.
        first_letters: What may stand first.
        letters: What may stand before the suffix.
    """

    suffix: str
    first_letters: str
    letters: str


_Entries = TypeVar("_Entries", bound=Sized)

Step: TypeAlias = tuple[int, str, str]
"""A commit of a history by its number, and the ids of one folder's trees before it and after."""

_Folders: TypeAlias = tuple[str, str]
Difference: TypeAlias = tuple[int, str, tuple[int, str] | None, _Folders | None]
"""Which commit of a history it was, the name of an entry, its mode and id since then, None where it
was removed; and the ids of the folder there, before and after, None where none differs. The empty
tree stands for no folder. Plain tuples are made in a third of the time of others."""


class RawTree:
    """A tree, and its entries once they are read.

    Attributes:
        data: The tree as git writes it.
    """

    __slots__ = ("_entries", "data")

    def __init__(
        self, data: bytes, entries: dict[bytes, tuple[bytes, bytes]] | None = None
    ) -> None:
        self.data = data
        self._entries = entries

    def __len__(self) -> int:
        """About how many entries there are."""
        return len(self.data) // _BYTES_OF_AN_ENTRY

    def by_name(self) -> dict[str, Entry]:
        """Read the entries whose name is UTF-8."""
        found: dict[str, Entry] = {}
        for mode, name, raw_id in _TREE_ENTRY.findall(self.data):
            with suppress(UnicodeDecodeError):
                found[name.decode()] = entry_of(mode, raw_id)
        return found

    @property
    def is_read(self) -> bool:
        """Tell whether the entries are at hand."""
        return self._entries is not None

    def in_order(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Read all entries, whatever their name is: the mode and the bytes of the id."""
        if self._entries is None:
            found = _TREE_ENTRY.findall(self.data)
            self._entries = {name: (mode, raw_id) for mode, name, raw_id in found}
        return self._entries


TreeReader: TypeAlias = Callable[[str], bytes]
"""Reads a tree by its id; the empty tree need not be there."""


class TreeCache(Generic[_Entries]):
    """Parsed trees by id, all dropped when they hold too many entries together.

    Bounded by entries rather than trees, because one flat folder may hold 10,000 of them. It needs
    no lock (which a fork could inherit in a locked state): each step is atomic in itself, and a
    count that is off by a tree does no harm.
    """

    _MAX_ENTRIES = 200_000

    def __init__(self) -> None:
        self._trees: dict[str, _Entries] = {}
        self._entries = 0

    def get(self, tree_id: str) -> _Entries | None:
        """Give a tree, or None where it is not here."""
        return self._trees.get(tree_id)

    def put(self, tree_id: str, entries: _Entries) -> _Entries:
        """Take a tree in, and give it, or the one that was here already."""
        if self._entries > self._MAX_ENTRIES:
            self._trees.clear()
            self._entries = 0
        self._entries += len(entries)
        return self._trees.setdefault(tree_id, entries)


def entry_of(mode: bytes, raw_id: bytes) -> Entry:
    """Make an entry of its mode in octal digits and the twenty bytes of its id."""
    return Entry(int(mode, 8), raw_id.hex())


def files_and_folders(
    data: bytes, suffix: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """List the regular files of a tree that end with something, and its folders, with the ids."""
    end = suffix.encode()
    files: list[tuple[str, str]] = []
    folders: list[tuple[str, str]] = []
    for mode, name, raw_id in _TREE_ENTRY.findall(data):
        wanted = folders if mode == b"40000" else files
        if (mode in _FILE_MODES and name.endswith(end)) or wanted is folders:
            with suppress(UnicodeDecodeError):
                wanted.append((name.decode(), raw_id.hex()))
    return files, folders


def cut_stems(data: bytes, kind: PlainNames) -> list[bytes] | None:
    """Cut the stems out of a tree that holds nothing but plain files, else give None."""
    return _cut_plain(data, kind, with_ids=False)


def cut_stems_and_ids(data: bytes, kind: PlainNames) -> tuple[list[bytes], list[str]] | None:
    """Cut the stems out of a tree as `cut_stems` does, and the id of each."""
    cut = _cut_plain(data, kind, with_ids=True)
    if cut is None:
        return None
    return cut[::2], list(map(bytes.hex, [*cut[1::2], data[-_RAW_ID_LENGTH:]]))


def changes_along(steps: Iterable[Step], read: TreeReader) -> Iterator[Difference]:
    """Find the entries that differ between the trees of one folder along a history, newest first.

    Most commits change one file, and so one id in each tree above it: then the trees are compared
    to the byte and one entry is read, which takes a fifth of the time of reading all. Where a long
    history is walked, that is most of the work.

    Args:
        steps: The trees before and after each commit that changed the folder.
        read: What reads a tree; it is asked once for a tree that two steps have in common.

    Yields:
        What differs, commit by commit. A name that is not UTF-8 is left out.
    """
    last_id, last = EMPTY_TREE, b""
    starts: list[int] = []
    for number, before, after in steps:
        if after == last_id:
            new = last
        else:
            new, starts = read(after), []
        last_id, last = before, read(before)
        starts = starts or _find_starts(new)
        place = _only_change(last, new, starts)
        if place is None:
            starts = []
            yield from _all_changes(number, last, new)
            continue
        start, ids, end = place
        mode, _, raw_name = new[start : ids - 1].partition(b" ")
        now_id = new[ids:end].hex()
        folders = (last[ids:end].hex(), now_id) if mode == _FOLDER else None
        try:
            name = raw_name.decode()
        except UnicodeDecodeError:
            continue
        yield number, name, (_MODES.get(mode) or int(mode, 8), now_id), folders


def _find_starts(data: bytes) -> list[int]:
    """Find where the entries of a tree begin, and where the last one ends."""
    return list(accumulate(map(len, _WHOLE_ENTRY.findall(data)), initial=0))


def _only_change(old: bytes, new: bytes, starts: Sequence[int]) -> tuple[int, int, int] | None:
    """Find where the entry begins whose id alone differs, where its id does, and where both end.

    Args:
        old: One tree.
        new: Another.
        starts: Where the entries of `new` begin. Where only an id differs, those of both do.

    Returns:
        The places, or None where anything else differs.
    """
    if len(old) != len(new) or len(starts) == 1:
        return None
    low, high = 0, len(starts) - 1
    start = 0
    while high - low > 1:
        middle = (low + high) // 2
        end = starts[middle]
        if old[start:end] == new[start:end]:
            low, start = middle, end
        else:
            high = middle
    end = starts[high]
    ids = end - _RAW_ID_LENGTH
    if old[start:ids] != new[start:ids] or old[end:] != new[end:]:
        return None
    return start, ids, end


def _all_changes(number: int, old: bytes, new: bytes) -> Iterator[Difference]:
    left, right = (frozenset(_TREE_ENTRY.findall(data)) for data in (old, new))
    removed = {name: entry_of(mode, raw_id) for mode, name, raw_id in left - right}
    added = {name: entry_of(mode, raw_id) for mode, name, raw_id in right - left}
    for name in removed.keys() | added.keys():
        was, now = removed.get(name), added.get(name)
        folders = _folder_of(was), _folder_of(now)
        with suppress(UnicodeDecodeError):
            yield number, name.decode(), now, None if folders[0] == folders[1] else folders


def _folder_of(entry: Entry | None) -> str:
    return entry.id if entry and entry.is_tree else EMPTY_TREE


def _cut_plain(data: bytes, kind: PlainNames, *, with_ids: bool) -> list[bytes] | None:
    """Cut the stems out of a tree that holds nothing but plain files, else give None.

    One cut from name to name takes half of the time of a match for each entry.

    Args:
        data: The tree.
        kind: How its names are spelled.
        with_ids: Whether the raw id of each but the last stands behind its name.
    """
    start, end = len(_PLAIN_FILE), len(data) - _RAW_ID_LENGTH - len(kind.suffix) - 1
    if data[:start] != _PLAIN_FILE or data[end:-_RAW_ID_LENGTH] != kind.suffix.encode() + b"\0":
        return None
    cut = _between_files(kind, with_ids=with_ids).split(data[start:end])
    stems = cut[::2] if with_ids else cut
    if not stems[0] or stems[0][0] not in kind.first_letters.encode():
        return None
    # A name that holds no zero byte ended where its entry ends, so that the next one began where
    # it begins, whatever the bytes of the ids are.
    return None if b"".join(stems).translate(None, kind.letters.encode()) else cut


@lru_cache(maxsize=16)
def _between_files(kind: PlainNames, *, with_ids: bool) -> re.Pattern[bytes]:
    raw_id = f"(.{{{_RAW_ID_LENGTH}}})" if with_ids else f".{{{_RAW_ID_LENGTH}}}"
    first = re.escape(kind.first_letters)
    words = rf"{re.escape(kind.suffix)}\0{raw_id}{_PLAIN_FILE.decode()}(?=[{first}])"
    return re.compile(words.encode(), re.DOTALL)
