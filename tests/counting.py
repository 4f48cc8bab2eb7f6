"""Counting what a check reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

from promptstore.history.sources import File
from promptstore.store.snapshot import Snapshot


class CountingSnapshot:
    """A snapshot that counts how often each file is read.

    Attributes:
        reads: The number of reads by prompt name.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.reads: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshot, name)

    def file(self, name: str) -> File:
        file = self._snapshot.file(name)

        def read() -> bytes:
            self.reads[name] += 1
            return file.read()

        return file._replace(read=read)
