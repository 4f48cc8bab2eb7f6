"""The tables of the index of versions: segments of histories, their commits, and the changes.

Every row has a checksum: one that fails tells that the index is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from zlib import crc32

from promptstore.git.objects import Entry, Link
from promptstore.history.cache import Connection, transaction

SCHEMA: Final = """
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
CHANGES: Final = "SELECT * FROM change WHERE segment = ? AND position <= ?"
LINKS: Final = "SELECT * FROM link WHERE segment = ? AND position <= ?"
LINK: Final = "SELECT * FROM link WHERE segment = ? AND position = ?"
_FIND: Final = "SELECT * FROM link WHERE id = ?"
_SEGMENT: Final = "SELECT * FROM segment WHERE id = ?"
_LAST_POSITION: Final = "SELECT MAX(position) FROM link WHERE segment = ?"
_LAST_SEGMENT: Final = "SELECT MAX(id) FROM segment"
NEWEST: Final = "AND name = ? ORDER BY position DESC"

Row: TypeAlias = tuple[Any, ...]
Edit: TypeAlias = tuple[int, Entry | None, Entry | None]
"""Which commit of a run it was, counted from the newest, and what stands at the path before and
after it."""


class DamagedIndexError(Exception):
    """The index does not say what was written to it."""


class Span(NamedTuple):
    """The part of a segment that belongs to a history: its positions up to `last`."""

    segment: int
    last: int


def is_empty(connection: Connection) -> bool:
    """Return whether nothing is indexed yet."""
    return connection.execute("SELECT 1 FROM link LIMIT 1").fetchone() is None


def find_commit(connection: Connection, commit: str) -> Span | None:
    """Return the history that ends at a commit in its segment, or None where it is not indexed."""
    rows = sound_rows(connection, _FIND, bytes.fromhex(commit))
    return Span(*rows[0][:2]) if rows else None


def find_spans(connection: Connection, commit: str | None) -> list[Span]:
    """List the spans of the history of a commit, the newest first."""
    spans: list[Span] = []
    place = find_commit(connection, commit) if commit else None
    while place is not None:
        spans.append(place)
        rows = sound_rows(connection, _SEGMENT, place.segment)
        if not rows:
            raise DamagedIndexError(place.segment)
        _, parent, fork, _ = rows[0]
        place = None if parent is None else Span(parent, fork)
    return spans


def store_commits(
    connection: Connection, run: Sequence[Link], parent: str | None, edits: dict[str, list[Edit]]
) -> None:
    """Store commits, unless another process has stored them meanwhile.

    Args:
        connection: The database.
        run: The commits, newest first.
        parent: The first parent of the oldest, which is stored; None for a root commit.
        edits: What they changed, by the prompt's name.

    Raises:
        DamagedIndexError: What is stored before them is not what they follow on.
    """
    with transaction(connection):
        count = len(run)
        while count and find_commit(connection, run[count - 1].id):
            count -= 1
        if count == 0:
            return
        base = parent if count == len(run) else run[count].id
        spans = find_spans(connection, base)
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
    spans: Sequence[Span],
    edits: dict[str, list[Edit]],
    count: int,
) -> Iterator[Row]:
    # In the order of the table: SQLite takes twice as long to put rows between others.
    for name in sorted(edits):
        fresh = [edit for edit in reversed(edits[name]) if edit[0] < count]
        if not fresh:
            continue
        latest = last_row(connection, spans, name, fresh[0][1])
        for number, (at, _, entry) in enumerate(fresh, latest[3] + 1 if latest else 1):
            blob = bytes.fromhex(entry.id) if entry else None
            yield segment, last - at, name, number, entry.mode if entry else None, blob


def _next_place(connection: Connection, place: Span | None) -> tuple[int, int]:
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


def _insert(connection: Connection, table: str, rows: Iterable[Row]) -> None:
    """Insert rows, each with its checksum in the last column."""
    checked = ((*row, _checksum(row)) for row in rows)
    marks = ", ".join("?" * _COLUMNS[table])
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", checked)  # noqa: S608


def sound_rows(connection: Connection, query: str, *arguments: object) -> list[Row]:
    """Run a query for whole rows, and check each.

    Raises:
        DamagedIndexError: One is not what was written.
    """
    rows = connection.execute(query, arguments).fetchall()
    if any(row[-1] != _checksum(row[:-1]) for row in rows):
        raise DamagedIndexError(query)
    return rows


def last_row(
    connection: Connection, spans: Sequence[Span], name: str, there: Entry | None
) -> Row | None:
    """Return the newest change of a prompt in a history.

    Args:
        connection: The database.
        spans: The history.
        name: The prompt's name.
        there: What stands at the prompt's path at the end of the history, which is known from the
            tree: a damaged table may lack the newest rows.

    Raises:
        DamagedIndexError: The newest change made something else of the path.
    """
    rows: list[Row] = []
    for span in spans:
        rows = rows or sound_rows(connection, f"{CHANGES} {NEWEST} LIMIT 1", *span, name)
    if (entry_of(rows[0]) if rows else None) != there:
        raise DamagedIndexError(name)
    return rows[0] if rows else None


def entry_of(row: Row) -> Entry | None:
    """Return what stands at the path since a change."""
    return None if row[4] is None else Entry(row[4], bytes(row[5]).hex())


def _checksum(row: Row) -> int:
    return crc32(repr(row).encode())
