"""Parsed prompts by the id of their file's content, in memory and in a file between processes.

Content never changes, so nothing is ever dropped from memory or out of date. The file lies inside
the git directory, so only those who may write the repository itself can write it. Reading a row
takes a sixth of the time that parsing takes, which is libyaml's for the most part.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final
from zlib import crc32

from promptstore import promptfile
from promptstore.cachefile import CacheFile, Connection, transaction
from promptstore.model import Prompt
from promptstore.sources import File

_SCHEMA: Final = """
CREATE TABLE parsed (blob BLOB PRIMARY KEY, value TEXT, check_sum INTEGER) WITHOUT ROWID
"""
_FORMAT: Final = 1
_KEPT_BACK: Final = 4_000
"""How many rows are written at once: a transaction takes as long as many rows of it."""


_READ_AT_ONCE: Final = 500


class ContentCache:
    """Parsed files by content.

    Args:
        git_dir: The git directory to keep them in between processes, or None for memory alone.
    """

    def __init__(self, git_dir: Path | None) -> None:
        self._prompts: dict[str, Prompt] = {}
        self._file = CacheFile(contents_file(git_dir), _SCHEMA) if git_dir else None
        self._fresh: dict[str, str] = {}
        self._rows: dict[str, tuple[str, int] | None] = {}
        if self._file is not None:
            weakref.finalize(self, _write, self._file, self._fresh)

    def parse(self, file: File) -> Prompt:
        """Parse a file, or take what its content was parsed to before.

        Returns:
            What the file says, without an identity.

        Raises:
            PromptFileError: The file is broken.
        """
        prompt = self._prompts.get(file.blob)
        if prompt is None:
            prompt = self._stored(file.blob) or self._parsed(file)
            self._prompts[file.blob] = prompt
        return prompt

    def foresee(self, blobs: Iterable[str]) -> None:
        """Read many rows at once, which takes a fifth of the time of reading each by itself."""
        if self._file is None:
            return
        wanted = [blob for blob in blobs if blob not in self._prompts]
        for start in range(0, len(wanted), _READ_AT_ONCE):
            chunk = wanted[start : start + _READ_AT_ONCE]
            self._rows.update(dict.fromkeys(chunk))
            self._rows.update(self._file.use(partial(_find_all, blobs=chunk)))

    def save(self) -> None:
        """Write what was parsed to the file, as happens by itself now and then."""
        if self._file is not None and self._fresh:
            _write(self._file, self._fresh)

    def _stored(self, blob: str) -> Prompt | None:
        if self._file is None:
            return None
        row = (
            self._rows.pop(blob)
            if blob in self._rows
            else self._file.use(lambda connection: _find(connection, blob))
        )
        if row is None or row[1] != _check_sum(blob, row[0]):
            return None
        return promptfile.rebuild(json.loads(row[0]))

    def _parsed(self, file: File) -> Prompt:
        document = promptfile.parse(file.read(), file.path)
        if self._file is not None:
            self._fresh[file.blob] = json.dumps(document.tree.value, separators=(",", ":"))
            if len(self._fresh) >= _KEPT_BACK:
                self.save()
        return document.prompt


def contents_file(git_dir: Path) -> Path:
    """Name the file that holds parsed prompts; one that was parsed otherwise is in another."""
    return git_dir / "promptstore" / f"parsed-{_FORMAT}-{promptfile.fingerprint()}.sqlite"


def _find(connection: Connection, blob: str) -> tuple[str, int] | None:
    query = "SELECT value, check_sum FROM parsed WHERE blob = ?"
    row: tuple[str, int] | None = connection.execute(query, (bytes.fromhex(blob),)).fetchone()
    return row


def _find_all(connection: Connection, blobs: list[str]) -> dict[str, tuple[str, int]]:
    marks = ",".join("?" * len(blobs))
    query = f"SELECT blob, value, check_sum FROM parsed WHERE blob IN ({marks})"  # noqa: S608
    rows = connection.execute(query, [bytes.fromhex(blob) for blob in blobs])
    return {blob.hex(): (value, check_sum) for blob, value, check_sum in rows}


def _write(file: CacheFile, fresh: dict[str, str]) -> None:
    def insert(connection: Connection) -> None:
        rows = []
        while fresh:
            blob, value = fresh.popitem()
            rows.append((bytes.fromhex(blob), value, _check_sum(blob, value)))
        with transaction(connection):
            connection.executemany("INSERT OR REPLACE INTO parsed VALUES (?, ?, ?)", rows)

    file.use(insert)


def _check_sum(blob: str, value: str) -> int:
    # A damaged row that still reads as JSON must not pass for what the file says.
    return crc32(value.encode(), crc32(blob.encode()))
