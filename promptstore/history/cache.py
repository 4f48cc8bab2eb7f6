"""What only saves work: files of SQLite (sqlite3 lives here), and the prompts parsed before.

Where a file is missing, corrupt or cannot be written, it is made again, in memory if it must be.

Parsed prompts are kept by the id of their file's content. What a content says never changes, so
nothing here is ever out of date. The file lies in a folder of the user's own, outside of every
repository: one that somebody else packed brings no parsed prompts along. What comes out of it
passes the model like a file.
"""

from __future__ import annotations

import json
import marshal
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from zlib import crc32

from promptstore.errors import Problem, PromptFileError
from promptstore.history.sources import File
from promptstore.model.prompt import Prompt, parse_content, texts
from promptstore.template import Source, find_includes

FORMAT: Final = 4
"""Raise it when what a file means changes, so that nothing is taken from an older one's rows."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS parsed (
    blob BLOB, format INTEGER, content BLOB, check_sum INTEGER, PRIMARY KEY (blob, format)
)
"""
_KEPT_IN_MEMORY: Final = 20_000
_BYTES_IN_MEMORY: Final = 64 * 1024 * 1024
_READ_AT_ONCE: Final = 500
_MAX_PAGES: Final = 1 << 16
"""From how many pages on the file is begun anew; pages have 4 KiB."""

_Found: TypeAlias = Prompt | tuple[Problem, ...] | None
"""What a content says, what is wrong with it, or None where only the file itself can tell."""

_BUSY_SECONDS: Final = 10.0

_IN_USE: Final = threading.RLock()
"""Held while SQLite runs, in any thread: a fork in the meantime would copy SQLite's own locks in a
locked state, and the child would wait for them without end."""


class DamagedError(Exception):
    """A database does not say what was written to it."""


_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError, DamagedError)

_T = TypeVar("_T")

Connection: TypeAlias = sqlite3.Connection
Row: TypeAlias = tuple[Any, ...]


class CacheFile:
    """A database that may vanish at any time, in memory where its file cannot be used.

    Threads may share it. A fork inherits no connection: it waits until no thread uses SQLite, and
    closes all files, which parent and child open anew.

    Args:
        file: Where it is; None keeps everything in memory.
        schema: The statements that make its tables, which do nothing where these are there.
    """

    def __init__(self, file: Path | None, schema: str) -> None:
        self._file = file
        self._schema = schema
        self._connection: Connection | None = None
        with _IN_USE:
            _ALL.add(self)

    @property
    def is_in_memory(self) -> bool:
        """Whether nothing outlives the process."""
        return self._file is None

    def use(self, action: Callable[[Connection], _T]) -> _T:
        """Do something with the database, one thread at a time.

        Args:
            action: What to do. It is done again, with empty tables, where the file was damaged.

        Returns:
            What the action gives.
        """
        with _IN_USE:
            try:
                return action(self._open())
            except _FAILURES as error:
                self.discard() if _is_damage(error) else self._move_to_memory()
                return action(self._open())

    def discard(self) -> None:
        """Remove the file, which is made anew when it is used again."""
        with _IN_USE:
            self._disconnect()
            try:
                if self._file is not None:
                    self._file.unlink(missing_ok=True)
            except OSError:
                self._move_to_memory()

    def close(self) -> None:
        """Close the file until it is used again; what is in memory alone would be lost."""
        with _IN_USE:
            if self._file is not None:
                self._disconnect()

    def _open(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = _connect(self._file, self._schema)
            except _FAILURES as error:
                self.discard() if _is_damage(error) else self._move_to_memory()
                self._connection = _connect(self._file, self._schema)
            self._close = weakref.finalize(self, _close, self._connection)
        return self._connection

    def _move_to_memory(self) -> None:
        """Give the file up: it cannot be made or was taken away, or others write without end."""
        self._disconnect()
        self._file = None

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection = None
            self._close()


_ALL: Final[weakref.WeakSet[CacheFile]] = weakref.WeakSet()


def _before_fork() -> None:
    _IN_USE.acquire()
    for file in list(_ALL):
        file.close()


os.register_at_fork(
    before=_before_fork, after_in_parent=_IN_USE.release, after_in_child=_IN_USE.release
)


def _connect(file: Path | None, schema: str) -> Connection:
    if file is not None:
        with suppress(OSError):  # then SQLite says that it cannot be opened
            file.parent.mkdir(exist_ok=True)
    connection = sqlite3.connect(
        file or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # What a power cut garbles is made anew, so nobody waits for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        # Asking first spares every process but the first one a lock.
        if not connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            with transaction(connection):
                for statement in schema.split(";"):
                    connection.execute(statement)
    except _FAILURES:
        connection.close()
        raise
    return connection


def _close(connection: Connection) -> None:
    with _IN_USE:
        connection.close()


def _is_damage(error: Exception) -> bool:
    # Who inserts a row has seen that it is not there.
    if isinstance(error, UnicodeDecodeError | DamagedError | sqlite3.IntegrityError):
        return True
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    # The low byte is the error, the rest tells what kind of it.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def private_folder() -> Path | None:
    """Return a folder that nobody but the user can write, made where it is missing.

    Returns:
        The folder, or None where there is none, or it belongs to or is open to somebody else.
    """
    given = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        top = Path(given) if given and Path(given).is_absolute() else Path.home() / ".cache"
        folder = top / "promptstore"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):
        return None
    if os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
        return None
    return folder


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Let all or nothing of what is written be kept, and keep other writers out meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def insert(connection: Connection, table: str, rows: Iterable[Row]) -> None:
    """Insert rows, each with its checksum in the last column."""
    checked = [(*row, _checksum(row)) for row in rows]
    if checked:
        marks = ", ".join("?" * len(checked[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", checked)  # noqa: S608


def sound_rows(connection: Connection, query: str, *arguments: object) -> list[Row]:
    """Run a query for whole rows, and check each.

    Raises:
        DamagedError: One is not what was written.
    """
    rows = connection.execute(query, arguments).fetchall()
    if any(row[-1] != _checksum(row[:-1]) for row in rows):
        raise DamagedError
    return rows


def _checksum(row: Row) -> int:
    return crc32(marshal.dumps(row, 2))


class ContentCache:
    """Parsed files by content. Threads may share it."""

    def __init__(self) -> None:
        self._found: dict[str, _Found] = {}
        self._bytes = 0
        self._file = CacheFile(contents_file(), _SCHEMA)

    def read(self, file: File) -> Prompt:
        """Parse a file, or take what its content was parsed to before.

        Returns:
            What the file says, without an identity; not to be given away but as a copy.

        Raises:
            PromptFileError: The file is broken.
        """
        if file.blob not in self._found:
            self.prefetch([file.blob])
        found = self._found.get(file.blob) or self._parsed(file)
        if isinstance(found, tuple):
            raise PromptFileError(path=file.path, problems=found)
        return found

    def known(self, blob: str) -> Prompt | None:
        """Return what `read` returns, or None where the file itself has to be looked at."""
        found = self._found.get(blob)
        return found if isinstance(found, Prompt) else None

    def prefetch(self, blobs: Iterable[str]) -> None:
        """Read what many contents were parsed to, which takes less than reading each by itself."""
        if self._file.is_in_memory:
            return
        wanted = sorted(blob for blob in blobs if blob not in self._found)
        for start in range(0, len(wanted), _READ_AT_ONCE):
            chunk = wanted[start : start + _READ_AT_ONCE]
            rows = self._file.use(partial(_rows, blobs=chunk))
            self._make_room(sum(map(len, rows.values())))
            self._found.update({blob: _prompt_of(rows.get(blob)) for blob in chunk})

    def _parsed(self, file: File) -> Prompt | tuple[Problem, ...]:
        # What was parsed before needs no parser.
        from promptstore.promptfile.reader import loads

        found: Prompt | tuple[Problem, ...]
        data = file.read()
        try:
            found = loads(data, file.path)
        except PromptFileError as error:
            found = error.problems
        self._make_room(len(data))
        self._found[file.blob] = found
        if isinstance(found, Prompt) and not self._file.is_in_memory:
            self._file.use(partial(_write, blob=file.blob, prompt=found))
        return found

    def _make_room(self, size: int) -> None:
        self._bytes += size
        if len(self._found) >= _KEPT_IN_MEMORY or self._bytes > _BYTES_IN_MEMORY:
            self._found, self._bytes = {}, size


def contents_file() -> Path | None:
    """Return the file that keeps parsed prompts, or None where nobody but the user has a folder."""
    folder = private_folder()
    return folder / "prompts.sqlite" if folder else None


def included_names(prompt: Prompt) -> list[str]:
    """List the names that the texts of a prompt include, not those that these include in turn."""
    return [
        name
        for _, text in texts(prompt)
        if "include" in text  # most have none
        for name in find_includes(Source(text=text, kind=prompt.template))
    ]


def _rows(connection: Connection, blobs: list[str]) -> dict[str, bytes]:
    """Return the stored contents."""
    marks = ",".join("?" * len(blobs))
    query = f"SELECT * FROM parsed WHERE format = ? AND blob IN ({marks})"  # noqa: S608
    rows = sound_rows(connection, query, FORMAT, *map(bytes.fromhex, blobs))
    return {key.hex(): content for key, _, content, _ in rows}


def _prompt_of(content: bytes | None) -> Prompt | None:
    if content is None:
        return None
    try:
        value = json.loads(content)
    except ValueError:
        return None
    found = parse_content(value) if isinstance(value, dict) else None
    return found if isinstance(found, Prompt) else None


def _write(connection: Connection, blob: str, prompt: Prompt) -> None:
    content = json.dumps(prompt.content, separators=(",", ":")).encode()
    with transaction(connection):
        if connection.execute("PRAGMA page_count").fetchone()[0] > _MAX_PAGES:
            connection.execute("DELETE FROM parsed")
        key = bytes.fromhex(blob), FORMAT
        connection.execute("DELETE FROM parsed WHERE blob = ? AND format = ?", key)
        insert(connection, "parsed", [(*key, content)])
