"""Log entries on their way into the tables: in batches, and answered for when they are there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple

from promptstore.errors import LogStoreBusyError, LogStoreError
from promptstore.server.logs.engine import PASSWORD_VARIABLE, Engine
from promptstore.server.logs.otlp import Record
from promptstore.server.logs.rows import Row, make_rows
from promptstore.server.logs.store import LogStore

MAX_QUEUED: Final = 50_000
"""How many rows may wait."""

MAX_BATCH: Final = 5_000
"""How many rows are written at once, if one request does not have more."""

LINGER_SECONDS: Final = 0.1
"""How long a batch waits for more rows: few big batches are cheaper than many small ones."""


class _Request(NamedTuple):
    rows: Sequence[Row]
    done: Future[None]


class LogWriter:
    """A thread that writes what requests bring, several of them at once.

    Args:
        insert: Writes rows; when it returns they are there.
        place: Where they go, for errors.
    """

    def __init__(self, insert: Callable[[Sequence[Row]], None], place: str) -> None:
        self._insert = insert
        self._place = place
        self._waiting: list[_Request] = []
        self._queued = 0
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="promptstore-logs", daemon=True)
        self._thread.start()

    def submit(self, rows: Sequence[Row]) -> Future[None]:
        """Take rows; what is returned is done when they are there, or could not be written.

        Raises:
            LogStoreBusyError: Too many wait already. Nothing was taken.
        """
        done: Future[None] = Future()
        # Who waits may give up, but the rows are under way.
        done.set_running_or_notify_cancel()
        if not rows:
            done.set_result(None)
            return done
        with self._changed:
            if self._is_closed or (self._queued and self._queued + len(rows) > MAX_QUEUED):
                reason = "more entries come than can be written. Send them again later."
                raise LogStoreBusyError(place=self._place, reason=reason)
            self._queued += len(rows)
            self._waiting.append(_Request(rows, done))
            self._changed.notify_all()
        return done

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        batch: list[_Request] = []
        try:
            while batch := self._take():
                self._write(batch)
                with self._changed:
                    self._queued -= sum(len(request.rows) for request in batch)
        finally:
            with self._changed:
                self._is_closed = True
                for request in (*batch, *self._waiting):
                    if not request.done.done():
                        request.done.set_exception(
                            LogStoreError(place=self._place, reason="nothing is written any more")
                        )

    def _take(self) -> list[_Request]:
        """Return the requests of the next batch; none when there will be no more."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            end = time.monotonic() + LINGER_SECONDS
            while self._queued < MAX_BATCH and not self._is_closed:
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch: list[_Request] = []
            size = 0
            while self._waiting and (not batch or size + len(self._waiting[0].rows) <= MAX_BATCH):
                batch.append(self._waiting.pop(0))
                size += len(batch[-1].rows)
            return batch

    def _write(self, batch: Sequence[_Request]) -> None:
        try:
            self._insert([row for request in batch for row in request.rows])
        except LogStoreError as error:
            if len(batch) == 1:
                batch[0].done.set_exception(error)
                return
            # One request must not take the others with it.
            for request in batch:
                self._write([request])
        else:
            for request in batch:
                request.done.set_result(None)


DEFAULT_RETENTION = 15
"""For how many days entries are kept."""


class LogService:
    """Keeps log entries and answers questions about them.

    Args:
        place: A folder, or the URL of a ClickHouse server.
        retention: For how many days entries are kept after they arrive.

    Attributes:
        store: What is asked.
    """

    def __init__(self, place: str, retention: int = DEFAULT_RETENTION) -> None:
        self._engine = Engine(place, os.environ.get(PASSWORD_VARIABLE, ""))
        self._retention = retention
        self._writer = LogWriter(self._engine.insert, self._engine.place)
        self.store = LogStore(self._engine)

    def __str__(self) -> str:
        return f"{self._engine.place}, for {self._retention} days"

    def accept(self, records: Sequence[Record], project: int) -> Future[None]:
        """Take records for a project; what is returned is done when they are kept.

        Raises:
            LogStoreBusyError: Too many wait already. Nothing was taken.
        """
        return self._writer.submit(make_rows(records, project, self._retention))

    def close(self) -> None:
        """Write what waits, and close the engine."""
        self._writer.close()
        self._engine.close()
