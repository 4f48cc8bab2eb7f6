"""Which commit is version n of a prompt, kept in an index that grows with the history.

Version n of a prompt is the n-th commit on a first-parent history that changed the tree entry at
its path, as ``git log --first-parent -m --no-renames`` lists them. Every commit has at most one
first parent, so the first-parent histories of a repository form trees. The index stores them as
segments: runs of commits, each forking off another segment (or none) after a certain position. A
branch is then a short chain of segments, and a commit, once indexed, is indexed for ever: a
rewritten branch only adds a segment.

The index is one SQLite file inside the git directory. It is a cache and nothing more: each row has
a checksum, and where the file is missing, damaged or cannot be written, it is made again, in memory
if it must be.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from zlib import crc32

from promptstore.git import EMPTY_TREE, Entry, Link, Repository, blob_id
from promptstore.history.cachefile import CacheFile, Connection, transaction
from promptstore.model.names import SUFFIX, is_name

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many commits are indexed and how many there are to index."""

_FORMAT: Final = 3
_SCHEMA: Final = """
CREATE TABLE segment (id INTEGER PRIMARY KEY, parent INTEGER, fork INTEGER, checksum INTEGER);
CREATE TABLE link (
    segment INTEGER, position INTEGER, id BLOB, time INTEGER, checksum INTEGER,
    PRIMARY KEY (segment, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX link_id ON link (id);
CREATE TABLE change (
    segment INTEGER, position INTEGER, name TEXT, number INTEGER, mode INTEGER, blob BLOB,
    checksum INTEGER, PRIMARY KEY (name, segment, position)
) WITHOUT ROWID
"""
_COLUMNS: Final = {"segment": 4, "link": 5, "change": 7}
_CHANGES: Final = "SELECT * FROM change WHERE segment = ? AND position <= ?"
_LINKS: Final = "SELECT * FROM link WHERE segment = ? AND position <= ?"
_LINK: Final = "SELECT * FROM link WHERE segment = ? AND position = ?"
_FIND: Final = "SELECT * FROM link WHERE id = ?"
_SEGMENT: Final = "SELECT * FROM segment WHERE id = ?"
_LAST_POSITION: Final = "SELECT MAX(position) FROM link WHERE segment = ?"
_LAST_SEGMENT: Final = "SELECT MAX(id) FROM segment"
_NEWEST: Final = "AND name = ? ORDER BY position DESC"

_AT_ONCE: Final = 10_000
"""How many commits are compared and stored together; who is interrupted goes on there."""

_MAX_HISTORIES: Final = 1_000

_T = TypeVar("_T")
_Row: TypeAlias = tuple[Any, ...]
_Edit: TypeAlias = tuple[int, Entry | None, Entry | None]
"""Which commit of a run it was, counted from the newest, and what stands at the path before and
after it."""


class _DamagedIndexError(Exception):
    """The index does not say what was written to it."""


class _Span(NamedTuple):
    """The part of a segment that belongs to a history: its positions up to `last`."""

    segment: int
    last: int


class Change(NamedTuple):
    """A commit that changed a prompt's tree entry, which makes it a version.

    Attributes:
        number: The version's number, from 1.
        commit: The commit's id.
        entry: What stands at the path since then, or None where the commit removed it.
    """

    number: int
    commit: str
    entry: Entry | None

    @property
    def blob(self) -> str | None:
        """The id of what stands at the path since then, or None where the commit removed it."""
        return self.entry.id if self.entry else None


class Timeline:
    """The versions of every prompt on the first-parent history of one commit.

    Attributes:
        tip: The commit.
    """

    __slots__ = ("_index", "tip")

    def __init__(self, tip: str, index: VersionIndex) -> None:
        self.tip = tip
        self._index = index

    def latest(self, name: str) -> Change | None:
        """Return the newest version of a prompt, or None where it never existed."""
        there = self._index.entry(self.tip, name)
        return self._index.ask(self.tip, lambda history: history.latest(name, there))

    def ends(self, name: str) -> tuple[Change, Change] | None:
        """Return the first and the newest version of a prompt, or None where it never existed."""
        latest = self.latest(name)
        first = latest if latest is None or latest.number == 1 else self.nth(name, 1)
        return (first, latest) if first and latest else None

    def nth(self, name: str, number: int) -> Change | None:
        """Return the version of a prompt that has this number, or None."""
        there = self._index.entry(self.tip, name)
        return self._index.ask(self.tip, lambda history: history.nth(name, number, there))

    def history(self, name: str) -> list[Change]:
        """List the versions of a prompt, newest first."""
        there = self._index.entry(self.tip, name)
        return self._index.ask(self.tip, lambda history: history.changes(name, there))

    def latest_of_all(self) -> dict[str, Change]:
        """Return the newest version of every prompt that ever existed."""
        return self._index.ask(self.tip, _History.latest_of_all)

    def first_of_all(self) -> dict[str, Change]:
        """Return version 1 of every prompt that ever existed."""
        return self._index.ask(self.tip, _History.first_of_all)

    def commit_at(self, time: float) -> str | None:
        """Return the newest commit of the history that was made no later than a time.

        Args:
            time: Seconds since 1970.

        Returns:
            The commit's id, or None where the history begins later.
        """
        return self._index.ask(self.tip, lambda history: history.commit_at(time))

    def first_commit(self) -> str:
        """Return the first commit of the history."""
        return self._index.ask(self.tip, _History.first_commit)

    def places(self) -> dict[str, int]:
        """Return how far along the history each prompt changed last: the later, the greater."""
        return self._index.ask(self.tip, _History.places)

    def changed_by(self, commit: str) -> dict[str, Entry | None]:
        """Return what stands at the path of each prompt that a commit changed."""
        return self._index.changed_by(commit)


class _History:
    """A history in the index: the spans that it is made of, the newest first."""

    def __init__(self, connection: Connection, spans: Sequence[_Span]) -> None:
        self._connection = connection
        self._spans = spans

    # What stands at a prompt's path is known from the tree: a damaged table may lack newest rows.

    def latest(self, name: str, there: Entry | None) -> Change | None:
        for span in self._spans:
            rows = self._rows(f"{_CHANGES} {_NEWEST} LIMIT 1", *span, name)
            if rows:
                return _expect(self._change(rows[0]), there)
        return _expect(None, there)

    def nth(self, name: str, number: int, there: Entry | None) -> Change | None:
        rows = self._select(f"{_CHANGES} AND name = ? AND number = ?", name, number)
        if rows:
            return self._change(rows[0])
        latest = self.latest(name, there)
        if latest is not None and 1 <= number <= latest.number:
            raise _DamagedIndexError(name)
        return None

    def changes(self, name: str, there: Entry | None) -> list[Change]:
        found = [self._change(row) for row in self._select(f"{_CHANGES} {_NEWEST}", name)]
        _expect(found[0] if found else None, there)
        if [change.number for change in found] != list(range(len(found), 0, -1)):
            raise _DamagedIndexError(name)
        return found

    def latest_of_all(self) -> dict[str, Change]:
        # SQLite takes the other columns from the row that holds the maximum.
        rows = self._select(f"{_CHANGES} GROUP BY name HAVING position = MAX(position)")
        return {str(row[2]): self._change(row) for row in reversed(rows)}

    def first_of_all(self) -> dict[str, Change]:
        rows = self._select(f"{_CHANGES} AND number = 1")
        return {str(row[2]): self._change(row) for row in rows}

    def commit_at(self, time: float) -> str | None:
        rows = self._select(f"{_LINKS} AND time <= ? ORDER BY position DESC LIMIT 1", time)
        return bytes(rows[0][2]).hex() if rows else None

    def first_commit(self) -> str:
        rows = self._select(f"{_LINKS} ORDER BY position LIMIT 1")
        return bytes(rows[-1][2]).hex()

    def places(self) -> dict[str, int]:
        rows = self._select(f"{_CHANGES} GROUP BY name HAVING position = MAX(position)")
        return {str(row[2]): int(row[1]) for row in reversed(rows)}

    def _change(self, row: _Row) -> Change:
        segment, position, _, number, mode, blob, _ = row
        links = self._rows(_LINK, segment, position)
        if not links:
            raise _DamagedIndexError(segment, position)
        entry = None if mode is None else Entry(mode, bytes(blob).hex())
        return Change(number, bytes(links[0][2]).hex(), entry)

    def _select(self, query: str, *arguments: object) -> list[_Row]:
        """Run a query over the spans; its first parameters are a segment and a last position."""
        return [row for span in self._spans for row in self._rows(query, *span, *arguments)]

    def _rows(self, query: str, *arguments: object) -> list[_Row]:
        return _sound_rows(self._connection, query, *arguments)


class VersionIndex:
    """The index of all versions of the prompts under one root of a repository.

    Threads may share it, and a fork inherits a working one.

    Args:
        repository: The repository, which must hold its whole history.
        root: The prompts' folder, as a path within the repository; empty for its top.
        progress: Called now and then while a longer history is indexed.
    """

    def __init__(self, repository: Repository, root: str, progress: Progress | None = None) -> None:
        self._repository = repository
        self._root = root
        self._progress = progress
        self._file = CacheFile(index_file(repository, root), _SCHEMA)
        self._turn = os.getpid(), threading.RLock()

    def at(self, tip: str) -> Timeline:
        """Bring the index up to a commit and look at the history from there.

        Args:
            tip: A commit's id.

        Returns:
            The versions on its first-parent history.

        Raises:
            RepositoryError: An object of the history is missing or damaged.
        """
        self.ask(tip, lambda _: None)
        return Timeline(tip, self)

    def ask(self, tip: str, question: Callable[[_History], _T]) -> _T:
        """Return the answer to a question about the history of a commit.

        Raises:
            RepositoryError: An object of the history is missing or damaged.
        """
        try:
            return self._ask(tip, question)
        except _DamagedIndexError:
            self._file.discard()
            return self._ask(tip, question)

    def entry(self, tip: str, name: str) -> Entry | None:
        """Return what stands at the path of a prompt in a commit.

        Raises:
            RepositoryError: An object is missing or damaged.
        """
        path = f"{self._root}/{name}{SUFFIX}" if self._root else name + SUFFIX
        return self._repository.find(self._repository.commit(tip).tree, path)

    def changed_by(self, commit: str) -> dict[str, Entry | None]:
        """Return what stands at the path of each prompt that a commit changed."""
        link = next(self._repository.walk(commit))
        return {name: edits[0][2] for name, edits in self._compare([link], link.parent).items()}

    def _ask(self, tip: str, question: Callable[[_History], _T]) -> _T:
        while True:
            spans = self._spans(tip)
            answer = self._file.use(partial(_answer, tip=tip, spans=spans, question=question))
            if answer is not None:
                return answer[0]
            # The file was made anew meanwhile.
            self._file.memo.clear()

    def _spans(self, tip: str) -> Sequence[_Span]:
        known: Sequence[_Span] | None = self._file.memo.get(tip)
        if known is not None:
            return known
        with self._lock():
            if not self._file.use(partial(_find, commit=tip)):
                self._extend(tip)
            known = self._file.use(partial(_find_spans, commit=tip))
        if not known:
            raise _DamagedIndexError(tip)
        if len(self._file.memo) >= _MAX_HISTORIES:
            self._file.memo.clear()
        self._file.memo[tip] = known
        return known

    def _lock(self) -> threading.RLock:
        """Return the lock under which one thread at a time extends the index."""
        owner, lock = self._turn
        if owner != os.getpid():
            # In a fork nobody would release the one that a thread of the parent held.
            lock = threading.RLock()
            self._turn = os.getpid(), lock
        return lock

    def _extend(self, tip: str) -> None:
        links = self._missing(tip)
        # The oldest first, so that what is stored is a whole history at any time.
        for start in reversed(range(0, len(links), _AT_ONCE)):
            run = links[start : start + _AT_ONCE]
            parent = run[-1].parent
            edits = self._compare(run, parent)
            self._file.use(partial(_store, run=run, parent=parent, edits=edits))
            if self._progress:
                self._progress(len(links) - start, len(links))

    def _missing(self, tip: str) -> list[Link]:
        """List the commits of a history that are not indexed, newest first."""
        links: list[Link] = []
        is_empty = self._file.use(_is_empty)
        for link in self._repository.walk(tip):
            links.append(link)
            # Asked before the parent is read: what is older need not be there any more.
            if is_empty or not link.parent:
                continue
            if self._file.use(partial(_find, commit=link.parent)):
                break
        return links

    def _compare(self, run: Sequence[Link], parent: str | None) -> dict[str, list[_Edit]]:
        """Find what commits changed under the root, by the prompt's name, newest first.

        Folder by folder, so that trees are read beside those that packs keep them as deltas of.
        """
        trees = [link.tree for link in run]
        trees.append(self._repository.commit(parent).tree if parent else EMPTY_TREE)
        reader = self._repository.objects.for_history()
        roots = pairwise(reader.subtrees(trees, self._root))
        pairs = [(at, old, new) for at, (new, old) in enumerate(roots) if old != new]
        edits: defaultdict[str, list[_Edit]] = defaultdict(list)
        pending = [("", pairs)]
        while pending:
            folder, pairs = pending.pop()
            below: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
            for at, (leaf, before, after) in reader.compare(pairs):
                name = folder + leaf.removesuffix(SUFFIX)
                if leaf.endswith(SUFFIX) and is_name(name):
                    edits[name].append((at, before, after))
                old, new = _tree_id(before), _tree_id(after)
                if old != new and is_name(folder + leaf):
                    below[f"{folder}{leaf}/"].append((at, old, new))
            pending += below.items()
        return edits


def index_file(repository: Repository, root: str) -> Path:
    """Return the file that holds the index of a root; it lies inside the git directory."""
    digest = blob_id(root.encode())[:16]
    return repository.common_dir / "promptstore" / f"versions-{_FORMAT}-{digest}.sqlite"


def _tree_id(entry: Entry | None) -> str:
    return entry.id if entry and entry.is_tree else EMPTY_TREE


def _answer(
    connection: Connection, tip: str, spans: Sequence[_Span], question: Callable[[_History], _T]
) -> tuple[_T] | None:
    """Ask a question, unless the spans are those of another file."""
    links = _sound_rows(connection, _LINK, *spans[0])
    if not links or bytes(links[0][2]).hex() != tip:
        return None
    return (question(_History(connection, spans)),)


def _is_empty(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM link LIMIT 1").fetchone() is None


def _find(connection: Connection, commit: str) -> _Span | None:
    rows = _sound_rows(connection, _FIND, bytes.fromhex(commit))
    return _Span(*rows[0][:2]) if rows else None


def _find_spans(connection: Connection, commit: str | None) -> list[_Span]:
    """List the spans of the history of a commit, the newest first."""
    spans: list[_Span] = []
    place = _find(connection, commit) if commit else None
    while place is not None:
        spans.append(place)
        rows = _sound_rows(connection, _SEGMENT, place.segment)
        if not rows:
            raise _DamagedIndexError(place.segment)
        _, parent, fork, _ = rows[0]
        place = None if parent is None else _Span(parent, fork)
    return spans


def _store(
    connection: Connection, run: Sequence[Link], parent: str | None, edits: dict[str, list[_Edit]]
) -> None:
    with transaction(connection):
        count = len(run)
        # Another process may have stored some meanwhile.
        while count and _find(connection, run[count - 1].id):
            count -= 1
        if count == 0:
            return
        base = parent if count == len(run) else run[count].id
        spans = _find_spans(connection, base)
        segment, start = _next_place(connection, spans[0] if spans else None)
        last = start + count - 1
        links = (
            (segment, position, bytes.fromhex(link.id), link.time)
            for position, link in enumerate(reversed(run[:count]), start)
        )
        _insert(connection, "link", links)
        _insert(connection, "change", _change_rows(connection, segment, last, spans, edits, count))


def _change_rows(
    connection: Connection,
    segment: int,
    last: int,
    spans: Sequence[_Span],
    edits: dict[str, list[_Edit]],
    count: int,
) -> Iterator[_Row]:
    history = _History(connection, spans)
    # In the order of the table: SQLite takes twice as long to put rows between others.
    for name in sorted(edits):
        fresh = [edit for edit in reversed(edits[name]) if edit[0] < count]
        latest = history.latest(name, fresh[0][1]) if fresh else None
        for number, (at, _, entry) in enumerate(fresh, latest.number + 1 if latest else 1):
            blob = bytes.fromhex(entry.id) if entry else None
            yield segment, last - at, name, number, entry.mode if entry else None, blob


def _next_place(connection: Connection, place: _Span | None) -> tuple[int, int]:
    """Return the segment and the position that come after a place; a fork makes a segment."""
    if place is not None:
        (last,) = connection.execute(_LAST_POSITION, (place.segment,)).fetchone()
        if last == place.last:
            return place.segment, last + 1
    (newest,) = connection.execute(_LAST_SEGMENT).fetchone()
    segment = (newest or 0) + 1
    parent, fork = place or (None, None)
    _insert(connection, "segment", [(segment, parent, fork)])
    return segment, 1 if fork is None else fork + 1


def _insert(connection: Connection, table: str, rows: Iterable[_Row]) -> None:
    """Insert rows, each with its checksum in the last column."""
    checked = ((*row, _checksum(row)) for row in rows)
    marks = ", ".join("?" * _COLUMNS[table])
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", checked)  # noqa: S608


def _sound_rows(connection: Connection, query: str, *arguments: object) -> list[_Row]:
    """Run a query for whole rows, and check each.

    Raises:
        _DamagedIndexError: One is not what was written.
    """
    rows = connection.execute(query, arguments).fetchall()
    if any(row[-1] != _checksum(row[:-1]) for row in rows):
        raise _DamagedIndexError(query)
    return rows


def _expect(latest: Change | None, there: Entry | None) -> Change | None:
    """Return the newest version, which must be what stands at the path.

    Raises:
        _DamagedIndexError: It is not.
    """
    if (latest.entry if latest else None) != there:
        raise _DamagedIndexError(latest, there)
    return latest


def _checksum(row: _Row) -> int:
    return crc32(repr(row).encode())
