"""Which commit is version n of a prompt, kept in an index that grows with the history.

Version n of a prompt is the n-th commit on a first-parent history that changed the tree entry at
its path, as ``git log --first-parent -m --no-renames`` lists them. Every commit has at most one
first parent, so the first-parent histories of a repository form trees. The index stores them as
segments: runs of commits, each forking off another segment (or none) after a certain position. A
branch is then a short chain of segments, and a commit, once indexed, is indexed for ever: a
rewritten branch only adds a segment.

The index is one SQLite file in a folder of the user's own. It is a cache and nothing more: each row
has a checksum, and where the file is missing, damaged or cannot be written, it is made again, in
memory if it must be.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

from promptstore.errors import RepositoryError
from promptstore.git.objects import EMPTY_TREE, Entry, Link, each_read_once
from promptstore.git.reading import Repository, blob_id
from promptstore.history.cache import (
    CacheFile,
    Connection,
    DamagedError,
    Row,
    insert,
    private_folder,
    sound_rows,
    transaction,
)
from promptstore.model.values import SUFFIX, is_name

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many commits are indexed and how many there are to index."""

_FORMAT: Final = 4
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS segment (
    id INTEGER PRIMARY KEY, parent INTEGER, fork INTEGER, checksum INTEGER
);
CREATE TABLE IF NOT EXISTS link (
    segment INTEGER, position INTEGER, id BLOB, time INTEGER, checksum INTEGER,
    PRIMARY KEY (segment, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS link_id ON link (id);
CREATE TABLE IF NOT EXISTS change (
    segment INTEGER, position INTEGER, name TEXT, number INTEGER, id BLOB, mode INTEGER,
    blob BLOB, checksum INTEGER, PRIMARY KEY (name, segment, position)
) WITHOUT ROWID
"""
_LINKS: Final = "SELECT * FROM link WHERE segment = ? AND position <= ?"
_CHANGES: Final = "SELECT * FROM change WHERE segment = ? AND position <= ?"
# SQLite takes the other columns from the row that holds the maximum.
_NEWEST_OF_ALL: Final = f"{_CHANGES} GROUP BY name HAVING position = MAX(position)"

_AT_ONCE: Final = 50_000
"""How many commits are compared and stored together; who is interrupted goes on there."""

_ATTEMPTS: Final = 10
"""How often other threads and processes may throw the index away while it is asked."""

_T = TypeVar("_T")
_Span: TypeAlias = tuple[int, int]
"""A segment, and the last of its positions that belongs to a history."""

_Edit: TypeAlias = tuple[int, Entry | None, Entry | None]
"""Which commit of a run it was, counted from the newest, and what stands at the path before and
after it."""


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

    Every method raises `RepositoryError` where an object of the history is missing or damaged.

    Args:
        tip: The commit.
        index: The index that tells them.
    """

    def __init__(self, tip: str, index: VersionIndex) -> None:
        self._tip = tip
        self._index = index

    def latest(self, name: str) -> Change | None:
        """Return the newest version of a prompt, or None where it never existed."""
        there = self._index.entry(self._tip, name)
        return self._index.ask(self._tip, lambda db, spans: _newest(db, spans, name, there))

    def nth(self, name: str, number: int) -> Change | None:
        """Return the version of a prompt that has this number, or None."""
        there = self._index.entry(self._tip, name)

        def find(connection: Connection, spans: Sequence[_Span]) -> Change | None:
            newest = _newest(connection, spans, name, there)
            if newest is None or not 1 <= number <= newest.number:
                return None
            rows = _rows(connection, spans, f"{_CHANGES} AND name = ? AND number = ?", name, number)
            if len(rows) != 1:
                raise DamagedError
            return _change(rows[0])

        return self._index.ask(self._tip, find)

    def history(self, name: str) -> list[Change]:
        """List the versions of a prompt, newest first."""
        there = self._index.entry(self._tip, name)

        def find(connection: Connection, spans: Sequence[_Span]) -> list[Change]:
            rows = _rows(connection, spans, f"{_CHANGES} AND name = ? ORDER BY number", name)
            found = [_change(row) for row in reversed(rows)]
            is_whole = [change.number for change in found] == list(range(len(found), 0, -1))
            if not is_whole or (found[0].entry if found else None) != there:
                raise DamagedError
            return found

        return self._index.ask(self._tip, find)

    def latest_of_all(self) -> dict[str, Change]:
        """Return the newest version of every prompt that ever existed."""
        return {row[2]: _change(row) for row in self._select(_NEWEST_OF_ALL)}

    def first_of_all(self) -> dict[str, Change]:
        """Return version 1 of every prompt that ever existed."""
        return {row[2]: _change(row) for row in self._select(f"{_CHANGES} AND number = 1")}

    def places(self) -> dict[str, int]:
        """Return how far along the history each prompt changed last: the later, the greater."""
        return {row[2]: row[1] for row in self._select(_NEWEST_OF_ALL)}

    def commit_at(self, time: float) -> str | None:
        """Return the newest commit made no later than a time in seconds since 1970, or None."""
        rows = self._select(f"{_LINKS} AND time <= ? ORDER BY position DESC LIMIT 1", time)
        return bytes(rows[-1][2]).hex() if rows else None

    def first_commit(self) -> str:
        """Return the first commit of the history."""
        return bytes(self._select(f"{_LINKS} ORDER BY position LIMIT 1")[0][2]).hex()

    def changed_by(self, commit: str) -> Mapping[str, Entry | None]:
        """Return what stands at the path of each prompt that a commit changed."""
        return self._index.changed_by(commit)

    def _select(self, query: str, *arguments: object) -> list[Row]:
        return self._index.ask(self._tip, lambda db, spans: _rows(db, spans, query, *arguments))


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
        """Bring the index up to a commit, and return the versions on its first-parent history.

        Raises:
            RepositoryError: An object of the history is missing or damaged.
        """
        timeline = Timeline(tip, self)
        timeline.first_commit()
        return timeline

    def ask(self, tip: str, question: Callable[[Connection, Sequence[_Span]], _T]) -> _T:
        """Return the answer to a question about the history of a commit, which is indexed first.

        Raises:
            RepositoryError: An object of the history is missing or damaged.
        """

        def answer(connection: Connection) -> tuple[_T] | None:
            spans = _find_spans(connection, tip)
            return (question(connection, spans),) if spans else None

        for attempt in range(_ATTEMPTS):
            answered = self._file.use(answer)
            if answered is not None:
                return answered[0]
            if attempt == _ATTEMPTS - 2:
                self._file.discard()  # what is stored, and not found again, is damaged too
            with self._lock(), each_read_once():
                if not self._file.use(partial(_find_spans, commit=tip)):
                    self._extend(tip)
        file = index_file(self._repository, self._root)
        reason = f"the index of its versions is damaged as often as it is made. Remove {file}."
        raise RepositoryError(path=str(self._repository.git_dir), reason=reason)

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

    def _lock(self) -> threading.RLock:
        """Return the lock under which one thread at a time extends the index."""
        owner, lock = self._turn
        if owner != os.getpid():
            # In a fork nobody would release the one that a thread of the parent held.
            lock = threading.RLock()
            self._turn = os.getpid(), lock
        return lock

    def _extend(self, tip: str) -> None:
        links: list[Link] = []
        is_first = not self._file.use(partial(sound_rows, query="SELECT * FROM link LIMIT 1"))
        for link in self._repository.walk(tip):
            links.append(link)
            # Asked before the parent is read: what is older need not be there any more.
            if not is_first and self._file.use(partial(_find_spans, commit=link.parent)):
                break
        # The oldest first, so that what is stored is a whole history at any time.
        for start in reversed(range(0, len(links), _AT_ONCE)):
            run = links[start : start + _AT_ONCE]
            parent = run[-1].parent
            edits = self._compare(run, parent)
            self._file.use(partial(_store, run=run, parent=parent, edits=edits))
            if self._progress:
                self._progress(len(links) - start, len(links))

    def _compare(self, run: Sequence[Link], parent: str | None) -> dict[str, list[_Edit]]:
        """Find what commits changed under the root, by the prompt's name, newest first.

        Folder by folder, so that trees are read beside those that packs keep them as deltas of.
        """
        trees = [link.tree for link in run]
        trees.append(self._repository.commit(parent).tree if parent else EMPTY_TREE)
        reader = self._repository.objects.for_history()
        roots = pairwise(_tree_id(reader.entry(tree, self._root)) for tree in trees)
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


def index_file(repository: Repository, root: str) -> Path | None:
    """Return the file that holds the index of a root, or None where there can be none.

    It lies where only the user writes: in the git directory, somebody else could plant numbers.
    """
    folder = private_folder()
    digest = blob_id(os.fsencode(repository.common_dir.resolve()) + b"\0" + root.encode())[:16]
    return folder / f"versions-{_FORMAT}-{digest}.sqlite" if folder else None


def _tree_id(entry: Entry | None) -> str:
    return entry.id if entry and entry.is_tree else EMPTY_TREE


def _store(
    connection: Connection, run: Sequence[Link], parent: str | None, edits: dict[str, list[_Edit]]
) -> None:
    """Store commits, unless other processes have stored them or removed their parent meanwhile.

    Args:
        connection: The database.
        run: The commits, newest first.
        parent: The first parent of the oldest, which is stored; None for a root commit.
        edits: What they changed, by the prompt's name.
    """
    with transaction(connection):
        count = len(run)
        while count and _find_spans(connection, run[count - 1].id):
            count -= 1
        base = parent if count == len(run) else run[count].id
        spans = _find_spans(connection, base)
        if count == 0 or (base and not spans):
            return
        segment, start = _next_place(connection, spans)
        ids = [bytes.fromhex(link.id) for link in run[:count]]
        last = start + count - 1
        links = [(segment, last - at, ids[at], run[at].time) for at in reversed(range(count))]
        insert(connection, "link", links)
        changes: list[Row] = []
        # In the order of the table: SQLite takes twice as long to put rows between others.
        for name in sorted(edits):
            fresh = [edit for edit in reversed(edits[name]) if edit[0] < count]
            newest = _newest(connection, spans, name, fresh[0][1]) if fresh else None
            for number, (at, _, entry) in enumerate(fresh, newest.number + 1 if newest else 1):
                stands = (entry.mode, bytes.fromhex(entry.id)) if entry else (None, None)
                changes.append((segment, last - at, name, number, ids[at], *stands))
        insert(connection, "change", changes)


def _next_place(connection: Connection, spans: Sequence[_Span]) -> tuple[int, int]:
    """Return the segment and the position that follow a history; a fork makes a segment."""
    parent, fork = spans[-1] if spans else (None, 0)
    query = "SELECT MAX(position) FROM link WHERE segment = ?"
    if parent is not None and connection.execute(query, (parent,)).fetchone() == (fork,):
        return parent, fork + 1
    (newest,) = connection.execute("SELECT MAX(id) FROM segment").fetchone()
    segment = (newest or 0) + 1
    insert(connection, "segment", [(segment, parent, fork)])
    return segment, fork + 1


def _find_spans(connection: Connection, commit: str | None) -> list[_Span]:
    """List the spans of the history of a commit, the oldest first; none where it is not indexed."""
    spans: list[_Span] = []
    key = bytes.fromhex(commit or "")
    places = [row[:2] for row in sound_rows(connection, "SELECT * FROM link WHERE id = ?", key)]
    while places:
        segment, last = places.pop()
        spans.insert(0, (segment, last))
        (row,) = sound_rows(connection, "SELECT * FROM segment WHERE id = ?", segment) or (None,)
        if row is None:
            raise DamagedError
        if row[1] is not None:
            places.append(row[1:3])
    return spans


def _newest(
    connection: Connection, spans: Sequence[_Span], name: str, there: Entry | None
) -> Change | None:
    """Return the newest version of a prompt in a history.

    Args:
        connection: The database.
        spans: The history.
        name: The prompt's name.
        there: What stands at the prompt's path at the end of the history, which is known from the
            tree: a damaged table may lack the newest rows.
    """
    query = f"{_CHANGES} AND name = ? ORDER BY position DESC LIMIT 1"
    rows = _rows(connection, spans, query, name)
    newest = _change(rows[-1]) if rows else None
    if (newest.entry if newest else None) != there:
        raise DamagedError
    return newest


def _rows(
    connection: Connection, spans: Sequence[_Span], query: str, *arguments: object
) -> list[Row]:
    """Run a query over a history, whose first parameters are a span, the oldest span first."""
    return [row for span in spans for row in sound_rows(connection, query, *span, *arguments)]


def _change(row: Row) -> Change:
    _, _, _, number, commit, mode, blob, _ = row
    entry = None if mode is None else Entry(mode, bytes(blob).hex())
    return Change(number, bytes(commit).hex(), entry)
