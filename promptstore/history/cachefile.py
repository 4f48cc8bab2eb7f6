"""A file that only saves work: an SQLite database (sqlite3 lives here).

Where the file is missing, corrupt or cannot be written, it is made again, in memory if it must be.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

_BUSY_SECONDS: Final = 10.0

_IN_USE: Final = threading.RLock()
"""Held while SQLite runs, in any thread: a fork in the meantime would copy SQLite's own locks in a
locked state, and the child would wait for them without end."""

_T = TypeVar("_T")

Connection: TypeAlias = sqlite3.Connection


class CacheFile:
    """A database that may vanish at any time.

    Threads may share it. A fork inherits no connection: it waits until no thread uses SQLite, and
    closes all files, which parent and child open anew.

    Args:
        file: Where it is.
        schema: The statements that make its tables, which do nothing where these are there.
        at_end: What is still to be done with the database when this object or the process ends. It
            must not wait for anybody, and must not hold this object.

    Attributes:
        memo: Room for what its user knows of the tables; emptied whenever these may be others.
    """

    def __init__(
        self, file: Path, schema: str, at_end: Callable[[Connection], None] | None = None
    ) -> None:
        self._file = file
        self._schema = schema
        self._at_end = at_end
        self._connection: Connection | None = None
        self.memo: dict[str, Any] = {}
        with _IN_USE:
            _ALL.add(self)

    def use(self, action: Callable[[Connection], _T]) -> _T:
        """Do something with the database, one thread at a time.

        Args:
            action: What to do. It is done again, with empty tables, where the file was damaged.

        Returns:
            What the action gives.
        """
        with _IN_USE:
            try:
                return action(self._connection or self._keep(_open(self._file, self._schema)))
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if _is_damage(error):
                    self.discard()
                    return action(self._connection or self._keep(_open(self._file, self._schema)))
                # It was taken away, or others write without end: answer from memory.
                return action(self._keep(_in_memory(self._schema, None)))

    def discard(self) -> None:
        """Remove the file, which is made anew when it is used again, in memory if it must be."""
        with _IN_USE:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self.memo.clear()
            try:
                self._file.unlink(missing_ok=True)
            except OSError:
                self._keep(_in_memory(self._schema, None))

    def close(self) -> None:
        """Do what is to be done at the end, and close the file until it is used again."""
        with _IN_USE:
            # What is in memory alone would be lost, and holds no file.
            if self._connection is not None and _is_file(self._connection):
                _close(self._connection, self._at_end, os.getpid())
                self._connection = None
                self.memo.clear()

    def _keep(self, connection: Connection) -> Connection:
        """Work with a connection from now on, and close it when this object is no more."""
        if self._connection is not None:
            self._connection.close()
        self._connection = connection
        self.memo.clear()
        weakref.finalize(self, _close, connection, self._at_end, os.getpid())
        return connection


_ALL: Final[weakref.WeakSet[CacheFile]] = weakref.WeakSet()


def _before_fork() -> None:
    _IN_USE.acquire()
    for file in list(_ALL):
        file.close()


os.register_at_fork(
    before=_before_fork, after_in_parent=_IN_USE.release, after_in_child=_IN_USE.release
)


def _is_file(connection: Connection) -> bool:
    return bool(connection.execute("PRAGMA database_list").fetchone()[2])


def _close(connection: Connection, at_end: Callable[[Connection], None] | None, owner: int) -> None:
    """Close a connection after its last use; a fork only inherits it."""
    with _IN_USE:
        if at_end is not None and os.getpid() == owner:
            with suppress(sqlite3.Error):  # also where it was closed before
                # Garbage may be collected in the middle of a read of the same file, which would
                # be waited for without end.
                connection.execute("PRAGMA busy_timeout = 0")
                at_end(connection)
        connection.close()


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


def transaction(connection: Connection) -> AbstractContextManager[None]:
    """Let all or nothing of what is written be kept, and keep other writers out meanwhile."""
    return _from_to_commit(connection, "BEGIN IMMEDIATE")


def reading(connection: Connection) -> AbstractContextManager[None]:
    """Lock the file once for many queries: each alone takes four times as long."""
    return _from_to_commit(connection, "BEGIN")


@contextmanager
def _from_to_commit(connection: Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _open(file: Path, schema: str) -> Connection:
    try:
        return _open_file(file, schema)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not _is_damage(error):
            return _in_memory(schema, file)
    except OSError:
        return _in_memory(schema, file)
    with suppress(OSError, sqlite3.Error):
        file.unlink()
        return _open_file(file, schema)
    return _in_memory(schema, None)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    # The low byte is the error, the rest tells what kind of it.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _open_file(file: Path, schema: str) -> Connection:
    file.parent.mkdir(exist_ok=True)
    connection = _connect(str(file))
    try:
        _create_tables(connection, schema)
    except (sqlite3.Error, UnicodeDecodeError):
        connection.close()
        raise
    return connection


def _in_memory(schema: str, seed: Path | None) -> Connection:
    """Make a database that dies with the process, from what can still be read of a file."""
    connection = _connect(":memory:")
    if seed is not None and seed.is_file():
        with suppress(sqlite3.Error), _read_only(seed) as source:
            source.backup(connection)
    _create_tables(connection, schema)
    return connection


@contextmanager
def _read_only(file: Path) -> Iterator[Connection]:
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def _connect(name: str) -> Connection:
    connection = sqlite3.connect(
        name, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    # What a power cut garbles is made anew, so nobody waits for the disk.
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _create_tables(connection: Connection, schema: str) -> None:
    # Asking first spares every process but the first one a lock.
    if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
        return
    with transaction(connection):
        for statement in schema.split(";"):
            connection.execute(statement)
