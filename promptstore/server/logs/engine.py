"""ClickHouse: an embedded engine over a folder, or a server; one client and one SQL for both."""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from promptstore.errors import (
    InvalidArgumentError,
    LogStoreBusyError,
    LogStoreError,
    MissingExtraError,
)
from promptstore.server.logs.rows import Row

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_ENTRIES: Final = """
CREATE TABLE IF NOT EXISTS entries (
    project UInt32,
    id UUID,
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    seen DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    expires Date,
    hour DateTime('UTC') MATERIALIZED toStartOfHour(time),
    severity LowCardinality(String),
    severity_number UInt8,
    service LowCardinality(String),
    event LowCardinality(String),
    scope LowCardinality(String),
    trace_id String CODEC(ZSTD),
    span_id String CODEC(ZSTD),
    flags UInt32,
    body String CODEC(ZSTD),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD),
    resource Map(LowCardinality(String), String) CODEC(ZSTD),
    resource_hash UInt64 MATERIALIZED cityHash64(mapKeys(resource), mapValues(resource)),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_body lowerUTF8(body) TYPE ngrambf_v1(3, 32768, 3, 0) GRANULARITY 1,
    INDEX by_key mapKeys(attributes) TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY expires
ORDER BY (project, service, hour, severity, time)
TTL expires DELETE
SETTINGS ttl_only_drop_parts = 1
"""
# An entry is kept by when it arrived: the times in entries are anybody's, and each day would be a
# partition of its own.

_RESOURCES: Final = """
CREATE TABLE IF NOT EXISTS resources (
    project UInt32,
    resource_hash UInt64,
    expires Date,
    resource Map(LowCardinality(String), String)
) ENGINE = ReplacingMergeTree
PARTITION BY expires
ORDER BY (project, resource_hash)
TTL expires DELETE
SETTINGS ttl_only_drop_parts = 1
"""

_KEYS: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    project UInt32,
    kind LowCardinality(String),
    bucket DateTime('UTC'),
    service LowCardinality(String),
    key LowCardinality(String),
    severity LowCardinality(String),
    {more}
    expires Date,
    n SimpleAggregateFunction(sum, UInt64)
) ENGINE = AggregatingMergeTree
PARTITION BY expires
ORDER BY (project, kind, bucket, service, key, severity{last})
TTL expires DELETE
SETTINGS ttl_only_drop_parts = 1
"""

_COUNT_KEYS: Final = """
CREATE MATERIALIZED VIEW IF NOT EXISTS count_{kind}_keys TO keys_10m AS
SELECT project, '{kind}' AS kind, toStartOfInterval(time, INTERVAL 10 MINUTE) AS bucket, service,
    key, severity, resource_hash, expires, count() AS n
FROM entries ARRAY JOIN mapKeys({column}) AS key
WHERE length(key) < 256
GROUP BY project, bucket, service, key, severity, resource_hash, expires
"""

_COUNT_HOURS: Final = """
CREATE MATERIALIZED VIEW IF NOT EXISTS count_hours TO keys_1h AS
SELECT project, kind, toStartOfHour(bucket) AS bucket, service, key, severity, expires,
    sum(n) AS n
FROM keys_10m
GROUP BY project, kind, bucket, service, key, severity, expires
"""

_LIST_RESOURCES: Final = """
CREATE MATERIALIZED VIEW IF NOT EXISTS list_resources TO resources AS
SELECT DISTINCT project, resource_hash, expires, resource FROM entries
"""

TABLES: Final = (
    _ENTRIES,
    _RESOURCES,
    _KEYS.format(table="keys_10m", more="resource_hash UInt64,", last=", resource_hash"),
    _KEYS.format(table="keys_1h", more="", last=""),
    _COUNT_KEYS.format(kind="log", column="attributes"),
    _COUNT_KEYS.format(kind="resource", column="resource"),
    _COUNT_HOURS,
    _LIST_RESOURCES,
)
"""The statements that make what is not there yet."""


PASSWORD_VARIABLE: Final = "PROMPTSTORE_LOGS_PASSWORD"  # noqa: S105 - a name
"""The environment variable that holds the password of a ClickHouse server."""

_DATABASE: Final = "promptstore"
_LOCK: Final = "promptstore.lock"
_READERS: Final = 4
_SETTINGS: Final = {"max_execution_time": 20}
_WAIT_SECONDS: Final = 20.0
_TOO_SLOW: Final = 159
"""ClickHouse's code of a question that took too long."""

_log: Final = logging.getLogger("promptstore.server")


class Engine:
    """Tables of log entries, which threads may share.

    The embedded engine belongs to one process: it is opened where it is used, never before a fork.

    Args:
        place: A folder, ``chdb:///FOLDER``, or ``clickhouse[s]://USER@HOST:PORT/DATABASE``.
        password: The password of a server.

    Raises:
        InvalidArgumentError: The place is none of these.
        MissingExtraError: What is needed is not installed.
        LogStoreError: Another process holds the folder, or the server cannot be reached.
    """

    def __init__(self, place: str, password: str = "") -> None:
        self._folder, self._target = _read_place(place, password)
        self.place = place if self._folder is None else str(self._folder)
        self._process = os.getpid()
        self._lock = None if self._folder is None else _hold(self._folder)
        self._clients: list[Client] = []
        self._readers: queue.LifoQueue[Client | None] = queue.LifoQueue()
        self._opening = threading.Lock()
        self._writer = self._start()
        for _ in range(_READERS):
            self._readers.put(None)

    def insert(self, rows: Sequence[Row]) -> None:
        """Write rows; when it returns they are there. One thread may do this at a time.

        Raises:
            LogStoreError: They could not be written.
        """
        self._check_process()
        with self._translated():
            self._writer.insert(
                "entries",
                list(zip(*rows, strict=True)),
                column_names=list(Row._fields),
                column_oriented=True,
            )

    def ask(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows that answer a question.

        Raises:
            InvalidArgumentError: The question holds a pattern that is none.
            LogStoreError: It took too long, or the engine failed.
        """
        self._check_process()
        with self._reader() as client, self._translated():
            answer = client.query(sql, parameters=dict(values), settings=_SETTINGS)
            return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def close(self) -> None:
        """Close the engine, and let other processes have its folder."""
        if os.getpid() != self._process:
            return
        for client in self._clients:
            client.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start(self) -> Client:
        with ExitStack() as stack:
            stack.callback(self.close)
            if self._folder is not None or self._target.get("database") == _DATABASE:
                first = self._connect(database=None)
                with self._translated():
                    first.command(f"CREATE DATABASE IF NOT EXISTS {_DATABASE}")
            writer = self._connect()
            with self._translated():
                for statement in TABLES:
                    writer.command(statement)
            stack.pop_all()  # it has started, so it stays open
        return writer

    def _connect(self, **more: Any) -> Client:
        import clickhouse_connect

        with self._translated(), self._opening:
            client = clickhouse_connect.get_client(**{**self._target, **more})
        self._clients.append(client)
        return client

    @contextmanager
    def _reader(self) -> Iterator[Client]:
        try:
            client = self._readers.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            reason = "too many questions are being answered. Ask again later."
            raise LogStoreBusyError(place=self.place, reason=reason) from None
        try:
            client = client or self._connect()
            yield client
        finally:
            self._readers.put(client)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield
        except ClickHouseError as error:
            code = getattr(error, "code", None)
            _log.error("%s: %s", self.place, error)
            if code in _QUESTIONS:
                raise InvalidArgumentError(message=_QUESTIONS[code]) from error
            if code == _TOO_SLOW:
                reason = "the answer took too long. Ask about a shorter time or a service."
                raise LogStoreError(place=self.place, reason=reason) from error
            reason = "the engine failed; the server's log says why"
            raise LogStoreError(place=self.place, reason=reason) from error

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            reason = (
                f"process {self._process} opened it, and its engine does not live on in a fork. "
                "Open it in this process, or use a ClickHouse server."
            )
            raise LogStoreError(place=self.place, reason=reason)


_QUESTIONS: Final = {
    427: "a regular expression of a filter cannot be compiled",
}
"""What is wrong with a question, by ClickHouse's code."""


def _read_place(place: str, password: str) -> tuple[Path | None, dict[str, Any]]:
    parts = urlsplit(place)
    if parts.scheme in ("clickhouse", "clickhouses"):
        _need("clickhouse_connect")
        if not parts.hostname or parts.password:
            raise _no_place(place)
        return None, {
            "host": parts.hostname,
            "port": parts.port or (8443 if parts.scheme == "clickhouses" else 8123),
            "secure": parts.scheme == "clickhouses",
            "username": unquote(parts.username or "default"),
            "password": password,
            "database": parts.path.strip("/") or _DATABASE,
            "autogenerate_session_id": False,
        }
    if parts.scheme not in ("", "chdb") or parts.netloc or not parts.path:
        raise _no_place(place)
    _need("clickhouse_connect", "chdb")
    folder = Path(parts.path).absolute()
    return folder, {"interface": "chdb", "path": str(folder), "database": _DATABASE}


def _need(*packages: str) -> None:
    if not all(map(find_spec, (*packages, "opentelemetry"))):
        raise MissingExtraError(extra="logs", purpose="Keeping log entries")


def _no_place(place: str) -> InvalidArgumentError:
    shown = place if "@" not in place else f"…@{place.rpartition('@')[2]}"
    return InvalidArgumentError(
        message=f"logs are kept in a folder or at clickhouse://USER@HOST/DATABASE, not {shown!r}; "
        f"a password comes from the environment variable {PASSWORD_VARIABLE}"
    )


def _hold(folder: Path) -> int:
    """Keep other processes out of a folder; the operating system frees it when this one dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LogStoreError(place=str(folder), reason=str(error.strerror)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        reason = (
            "another process keeps its logs here. Stop it, name another folder, or let both use "
            "a ClickHouse server (--logs clickhouse://USER@HOST/DATABASE)."
        )
        raise LogStoreError(place=str(folder), reason=reason) from None
    return descriptor
