"""What a server that keeps logs has: the engine, the writer before it, and the questions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future

from promptstore.server.logs.engine import PASSWORD_VARIABLE, Engine
from promptstore.server.logs.otlp import Record
from promptstore.server.logs.rows import make_rows
from promptstore.server.logs.store import LogStore
from promptstore.server.logs.writer import LogWriter

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
