"""Which commit is version n of a prompt, kept in an index that grows with the history.

Version n of a prompt is the n-th commit on a first-parent history that changed the tree entry at
its path, as ``git log --first-parent -m --no-renames`` lists them. Every commit has at most one
first parent, so the first-parent histories of a repository form trees. The index stores them as
lines: runs of commits, each line forking off another one (or none) after a certain position. A
branch is then a short chain of lines, and a commit, once indexed, is indexed for ever: a rewritten
branch only adds a line.

The index is one SQLite file inside the git directory. It is a cache and nothing more: where it is
missing, corrupt or cannot be written, it is made again, in memory if it must be.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from promptstore.names import SUFFIX, is_name
from promptstore.repository import EMPTY_TREE, Entry, Link, Repository

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many commits are indexed and how many there are to index."""

_FORMAT: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS line (id INTEGER PRIMARY KEY, parent INTEGER, fork INTEGER);
CREATE TABLE IF NOT EXISTS link (
    line INTEGER, position INTEGER, id BLOB, time INTEGER, PRIMARY KEY (line, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS link_id ON link (id);
CREATE TABLE IF NOT EXISTS change (
    name TEXT, line INTEGER, position INTEGER, number INTEGER, mode INTEGER, blob BLOB,
    PRIMARY KEY (name, line, position)
) WITHOUT ROWID;
"""
# CROSS JOIN keeps SQLite from reading the links first and looking for the changes of each.
_CHANGES: Final = (
    "SELECT name, number, id, mode, blob FROM change CROSS JOIN link USING (line, position) "
    "WHERE line = ? AND position <= ?"
)
_BUSY_SECONDS: Final = 10.0
_PROGRESS_STEP: Final = 500

_T = TypeVar("_T")
_Row: TypeAlias = tuple[Any, ...]


class _Span(NamedTuple):
    """The part of a line that belongs to a history: its positions up to `last`."""

    line: int
    last: int


class _Step(NamedTuple):
    """A commit that is not indexed yet, and what it changed under the root."""

    link: Link
    changes: list[tuple[str, Entry | None]]


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


@dataclass(frozen=True, slots=True)
class Timeline:
    """The versions of every prompt on the first-parent history of one commit.

    Attributes:
        tip: The commit.
    """

    tip: str
    _index: VersionIndex

    def latest(self, name: str) -> Change | None:
        """Find the newest version of a prompt, or None where it never existed."""
        query = f"{_CHANGES} AND name = ? ORDER BY position DESC LIMIT 1"
        return _first(self._index.select(self.tip, query, name))

    def nth(self, name: str, number: int) -> Change | None:
        """Find the version of a prompt that has this number, or None."""
        query = f"{_CHANGES} AND name = ? AND number = ?"
        return _first(self._index.select(self.tip, query, name, number))

    def history(self, name: str) -> list[Change]:
        """List the versions of a prompt, newest first."""
        query = f"{_CHANGES} AND name = ? ORDER BY position DESC"
        return [_change(row) for row in self._index.select(self.tip, query, name)]

    def latest_of_all(self) -> dict[str, Change]:
        """Find the newest version of every prompt that ever existed."""
        # SQLite takes the other columns from the row that holds the maximum.
        query = f"{_CHANGES} GROUP BY name HAVING position = MAX(position)"
        found: dict[str, Change] = {}
        for row in self._index.select(self.tip, query):
            found.setdefault(str(row[0]), _change(row))
        return found

    def first_of_all(self) -> dict[str, Change]:
        """Find version 1 of every prompt that ever existed."""
        query = f"{_CHANGES} AND number = 1"
        return {str(row[0]): _change(row) for row in self._index.select(self.tip, query)}

    def commit_at(self, time: float) -> str | None:
        """Find the newest commit of the history that was made no later than a time.

        Args:
            time: Seconds since 1970.

        Returns:
            The commit's id, or None where the history begins later.
        """
        query = (
            "SELECT id FROM link WHERE line = ? AND position <= ? AND time <= ? "
            "ORDER BY position DESC LIMIT 1"
        )
        rows = self._index.select(self.tip, query, time)
        return bytes(rows[0][0]).hex() if rows else None

    def first_commit(self) -> str:
        """Find the first commit of the history."""
        query = "SELECT id FROM link WHERE line = ? AND position <= ? ORDER BY position LIMIT 1"
        return bytes(self._index.select(self.tip, query)[-1][0]).hex()

    def places(self) -> dict[str, int]:
        """Tell how far along the history each prompt changed last: the later, the greater."""
        query = (
            "SELECT name, MAX(position) FROM change WHERE line = ? AND position <= ? GROUP BY name"
        )
        found: dict[str, int] = {}
        for name, position in self._index.select(self.tip, query):
            found.setdefault(str(name), int(position))
        return found


class VersionIndex:
    """The index of all versions of the prompts under one root of a repository.

    Threads may share it, and a fork inherits a working one: each process opens the file anew.

    Args:
        repository: The repository, which must hold its whole history.
        root: The prompts' folder, as a path within the repository; empty for its top.
        progress: Told now and then how far a longer build is.
    """

    def __init__(self, repository: Repository, root: str, progress: Progress | None = None) -> None:
        self._repository = repository
        self._root = root
        self._progress = progress
        self._file = index_file(repository, root)
        self._forget_connection()

    def at(self, tip: str) -> Timeline:
        """Bring the index up to a commit and look at the history from there.

        Args:
            tip: A commit's id.

        Returns:
            The versions on its first-parent history.

        Raises:
            RepositoryError: An object of the history is missing.
        """
        with self._guarded():
            self._recovering(lambda: self._spans(tip))
        return Timeline(tip, self)

    def select(self, tip: str, query: str, *arguments: object) -> list[_Row]:
        """Run one reading query over the lines of a history, the newest line first.

        Args:
            tip: The commit whose history it is.
            query: SQL whose first two parameters are a line and the last position in it.
            arguments: The other parameters.

        Returns:
            The rows.
        """
        with self._guarded():
            return self._recovering(
                lambda: [
                    row
                    for span in self._spans(tip)
                    for row in self._connected().execute(query, (*span, *arguments))
                ]
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._pid != os.getpid():
            # The connection belongs to the parent, and the lock may have been held by a thread
            # that does not exist on this side of the fork.
            self._forget_connection()
        with self._lock:
            yield

    def _forget_connection(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._known_spans: dict[str, list[_Span]] = {}

    def _recovering(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except sqlite3.Error:
            # The file was damaged or taken away under us: answer from an index in memory.
            self._known_spans.clear()
            self._keep(_in_memory(None))
            return action()

    def _connected(self) -> sqlite3.Connection:
        return self._connection or self._keep(_open_index(self._file))

    def _keep(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Work with a connection from now on, and close it when this index is no more."""
        if self._connection is not None:
            self._connection.close()
        self._connection = connection
        weakref.finalize(self, connection.close)
        return connection

    def _spans(self, tip: str) -> list[_Span]:
        spans = self._known_spans.get(tip)
        if spans is None:
            place = self._place(tip)
            if place is None:
                self._extend(tip)
                place = self._place(tip)
            spans = self._known_spans[tip] = list(self._spans_to(place))
        return spans

    def _spans_to(self, place: _Span | None) -> Iterator[_Span]:
        while place is not None:
            yield place
            query = "SELECT parent, fork FROM line WHERE id = ?"
            parent, fork = self._connected().execute(query, (place.line,)).fetchone()
            place = None if parent is None else _Span(parent, fork)

    def _place(self, commit: str) -> _Span | None:
        query = "SELECT line, position FROM link WHERE id = ?"
        row = self._connected().execute(query, (bytes.fromhex(commit),)).fetchone()
        return _Span(*row) if row else None

    def _extend(self, tip: str) -> None:
        steps = self._missing_steps(tip)
        with _transaction(self._connected()) as connection:
            # Another process may have stored some of them meanwhile: look again under the lock.
            while steps and self._place(steps[0].link.id):
                steps.pop(0)
            parent = steps[0].link.parent if steps else None
            place = self._place(parent) if parent else None
            self._append(connection, place, steps)

    def _missing_steps(self, tip: str) -> list[_Step]:
        links: list[Link] = []
        base: Link | None = None
        for link in self._repository.walk(tip):
            if self._place(link.id):
                base = link
                break
            links.append(link)
        before = self._prompts_tree(base.tree) if base else EMPTY_TREE
        steps: list[_Step] = []
        for link in reversed(links):
            after = self._prompts_tree(link.tree)
            steps.append(_Step(link, list(self._changes(before, after, ""))))
            before = after
            if self._progress and (len(steps) % _PROGRESS_STEP == 0 or len(steps) == len(links)):
                self._progress(len(steps), len(links))
        return steps

    def _prompts_tree(self, tree: str) -> str:
        entry = self._repository.find(tree, self._root)
        return entry.id if entry and entry.is_tree else EMPTY_TREE

    def _changes(self, before: str, after: str, folder: str) -> Iterator[tuple[str, Entry | None]]:
        if before == after:
            return
        old, new = self._repository.tree(before), self._repository.tree(after)
        for key in sorted({name for name, _ in old.items() ^ new.items()}):
            was, now = old.get(key), new.get(key)
            if key.endswith(SUFFIX) and is_name(name := (folder + key).removesuffix(SUFFIX)):
                yield name, now
            was_tree = was.id if was and was.is_tree else EMPTY_TREE
            now_tree = now.id if now and now.is_tree else EMPTY_TREE
            yield from self._changes(was_tree, now_tree, f"{folder}{key}/")

    def _append(
        self, connection: sqlite3.Connection, place: _Span | None, steps: list[_Step]
    ) -> None:
        numbers: dict[str, int] = {}
        spans = list(self._spans_to(place))
        line, start = self._line_after(connection, place)
        links: list[tuple[object, ...]] = []
        changes: list[tuple[object, ...]] = []
        for position, step in enumerate(steps, start):
            links.append((line, position, bytes.fromhex(step.link.id), step.link.time))
            for name, entry in step.changes:
                if name not in numbers:
                    numbers[name] = _last_number(connection, spans, name)
                numbers[name] += 1
                mode, blob = (entry.mode, bytes.fromhex(entry.id)) if entry else (None, None)
                changes.append((name, line, position, numbers[name], mode, blob))
        connection.executemany("INSERT INTO link VALUES (?, ?, ?, ?)", links)
        connection.executemany("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)", changes)

    def _line_after(self, connection: sqlite3.Connection, place: _Span | None) -> tuple[int, int]:
        if place is not None:
            query = "SELECT MAX(position) FROM link WHERE line = ?"
            (last,) = connection.execute(query, (place.line,)).fetchone()
            if last == place.last:
                return place.line, last + 1
        parent, fork = place or (None, None)
        insert = "INSERT INTO line (parent, fork) VALUES (?, ?)"
        line = connection.execute(insert, (parent, fork)).lastrowid
        return line or 0, 1 if fork is None else fork + 1


def index_file(repository: Repository, root: str) -> Path:
    """Name the file that holds the index of a root; it lies inside the git directory."""
    digest = hashlib.sha256(root.encode()).hexdigest()[:16]
    return repository.common_dir / "promptstore" / f"versions-{_FORMAT}-{digest}.sqlite"


def _first(rows: list[_Row]) -> Change | None:
    return _change(rows[0]) if rows else None


def _change(row: _Row) -> Change:
    _, number, commit, mode, blob = row
    entry = None if mode is None else Entry(mode, bytes(blob).hex())
    return Change(number, bytes(commit).hex(), entry)


def _last_number(connection: sqlite3.Connection, spans: list[_Span], name: str) -> int:
    query = (
        "SELECT number FROM change WHERE line = ? AND position <= ? AND name = ? "
        "ORDER BY position DESC LIMIT 1"
    )
    for span in spans:
        row = connection.execute(query, (*span, name)).fetchone()
        if row:
            return int(row[0])
    return 0


def _open_index(file: Path) -> sqlite3.Connection:
    try:
        return _open_file(file)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return _in_memory(file)
    except OSError:
        return _in_memory(file)
    with suppress(OSError, sqlite3.Error):
        file.unlink()
        return _open_file(file)
    return _in_memory(None)


def _open_file(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(exist_ok=True)
    connection = _connect(str(file))
    try:
        _create_tables(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _in_memory(seed: Path | None) -> sqlite3.Connection:
    """Make an index that dies with the process, from what can still be read of a file."""
    connection = _connect(":memory:")
    if seed is not None and seed.is_file():
        with suppress(sqlite3.Error), _read_only(seed) as source:
            source.backup(connection)
    _create_tables(connection)
    return connection


@contextmanager
def _read_only(file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(
        name, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _create_tables(connection: sqlite3.Connection) -> None:
    query = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'change'"
    if connection.execute(query).fetchone()[0]:
        return
    with _transaction(connection):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
