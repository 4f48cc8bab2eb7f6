"""Parsed prompts by the id of their file's content, in memory and in a file between processes.

Content never changes, so nothing is ever dropped from memory or out of date. The file lies inside
the git directory, so only those who may write the repository itself can write it. Reading a row
takes less than half of the time of parsing and checking the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias
from zlib import crc32

from promptstore.history.cachefile import CacheFile, Connection, transaction
from promptstore.history.sources import File
from promptstore.model.prompt import Content, Prompt
from promptstore.model.rendering import texts
from promptstore.promptfile.reader import Document, parse
from promptstore.promptfile.rebuilding import fingerprint, rebuild
from promptstore.template import Source, find_includes

_SCHEMA: Final = """
CREATE TABLE parsed (id INTEGER PRIMARY KEY, value BLOB, check_sum INTEGER, waits INTEGER)
"""
_FORMAT: Final = 2
_KEPT_BACK: Final = 20_000
"""How many rows are written at once: a transaction takes as long as many rows of it."""

_READ_AT_ONCE: Final = 500


_Row: TypeAlias = tuple[bytes, bool]
"""A parsed file: its plain value as JSON, and whether nothing of it need be known before a caller
asks, as it is not tombstoned, and includes nothing that could be broken."""

_Fresh: TypeAlias = Mapping[str, Any] | _Row
"""What becomes a row, or is one already: the plain value of a parsed file."""


_EMPTY: Final = "is empty"
_INCLUDE: Final = b"include"
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class ContentCache:
    """Parsed files by content.

    Args:
        git_dir: The git directory to keep them in between processes, or None for memory alone.
    """

    def __init__(self, git_dir: Path | None) -> None:
        self._contents: dict[str, Content] = {}
        self._prompts: dict[str, Prompt] = {}
        self._fresh: dict[str, _Fresh] = {}
        self._rows: dict[str, _Row | None] = {}
        self._write = partial(_write, fresh=self._fresh)
        file = contents_file(git_dir) if git_dir else None
        self._file = CacheFile(file, _SCHEMA, self._write) if file else None

    def read(self, file: File) -> Content:
        """Parse a file, or take what its content was parsed to before.

        Returns:
            What the file says.

        Raises:
            PromptFileError: The file is broken.
        """
        content = self._contents.get(file.blob)
        if content is not None:
            return content
        row = self._row(file.blob)
        return self._parsed(file) if row is None else self.rebuild(file.blob, row[0])

    def read_prompt(self, file: File) -> Prompt:
        """Give what `read` gives as a prompt without an identity, always the same one.

        Raises:
            PromptFileError: The file is broken.
        """
        prompt = self._prompts.get(file.blob)
        if prompt is None:
            prompt = self._prompts[file.blob] = self.read(file).to_prompt()
        return prompt

    def waiting(self, blob: str) -> bytes | None:
        """Give what is stored of a content that need not be read yet.

        Returns:
            What `rebuild` takes; None where the content has to be parsed or looked at now.
        """
        if blob in self._contents:
            return None
        row = self._row(blob)
        if row is not None and row[1]:
            return row[0]
        self._rows[blob] = row
        return None

    def rebuild(self, blob: str, stored: bytes) -> Content:
        """Give what `read` gives of a file, from what is stored of its content."""
        content = self._contents.get(blob)
        if content is None:
            content = self._contents[blob] = rebuild(json.loads(stored.decode()))
        return content

    def foresee(self, blobs: Iterable[str]) -> None:
        """Read many rows at once, which takes a fifth of the time of reading each by itself."""
        if self._file is None:
            return
        # In the order of the table, so that no page of it is looked for twice.
        contents, fresh = self._contents, self._fresh
        wanted = sorted(blob for blob in blobs if blob not in contents and blob not in fresh)
        for start in range(0, len(wanted), _READ_AT_ONCE):
            chunk = wanted[start : start + _READ_AT_ONCE]
            self._rows.update(dict.fromkeys(chunk))
            self._rows.update(self._file.use(partial(_find_all, blobs=chunk)))

    def has(self, blob: str) -> bool:
        """Tell whether a content that was foreseen, or read since, need not be parsed."""
        known = blob in self._contents or blob in self._fresh
        return known or self._rows.get(blob) is not None

    def prepare(self, file: File) -> Document:
        """Parse a file of many, and keep it as it is stored.

        Ten thousand prompts would be looked through by the garbage collector again and again: that
        takes a fifth of the time of a whole list.

        Raises:
            PromptFileError: The file is broken.
        """
        document = parse(file.read(), file.path)
        if self._file is None:
            self._contents[file.blob] = document.content
            return document
        row = self._rows[file.blob] = _as_row(document.tree.value)
        self._keep(file.blob, row)
        return document

    def save(self) -> None:
        """Write what was parsed to the file, as happens by itself now and then."""
        if self._file is not None:
            self._file.use(self._write)
            self._file.memo.pop(_EMPTY, None)

    def _row(self, blob: str) -> _Row | None:
        if blob in self._rows:
            return self._rows.pop(blob, None)
        fresh = self._fresh.get(blob)
        if isinstance(fresh, tuple):
            return fresh
        return self._stored_row(self._file, blob) if self._file else None

    def _stored_row(self, file: CacheFile, blob: str) -> _Row | None:
        if file.memo.get(_EMPTY):
            return None
        row = file.use(partial(_find, blob=blob))
        if row is None and _EMPTY not in file.memo:
            # The first process on a machine need not look for each content. What another one
            # writes meanwhile is parsed here too, which only takes time.
            file.memo[_EMPTY] = file.use(_is_empty)
        return row

    def _parsed(self, file: File) -> Content:
        document = parse(file.read(), file.path)
        content = self._contents[file.blob] = document.content
        if self._file is not None:
            self._keep(file.blob, document.tree.value)
        return content

    def _keep(self, blob: str, fresh: _Fresh) -> None:
        self._fresh[blob] = fresh
        if len(self._fresh) >= _KEPT_BACK:
            self.save()


def included_names(prompt: Prompt | Content) -> list[str]:
    """List the names that the texts of a prompt include, not those that these include in turn."""
    return [
        name
        for _, text in texts(prompt)
        for name in find_includes(Source(text=text, kind=prompt.template))
    ]


def _as_row(value: Mapping[str, Any]) -> _Row:
    stored = _ENCODER.encode(value).encode()
    # Nearly all say so in these bytes, and need not be made into anything.
    if _INCLUDE not in stored and b'"deleted":' not in stored:
        return stored, True
    content = rebuild(value)
    return stored, not content.deleted and not included_names(content)


def contents_file(git_dir: Path) -> Path:
    """Name the file that holds parsed prompts; one that was parsed otherwise is in another."""
    return git_dir / "promptstore" / f"parsed-{_FORMAT}-{fingerprint()}.sqlite"


def _find(connection: Connection, blob: str) -> _Row | None:
    query = "SELECT value, check_sum, waits FROM parsed WHERE id = ?"
    row = connection.execute(query, (_id(blob),)).fetchone()
    return _sound_row(blob, *row) if row else None


def _find_all(connection: Connection, blobs: list[str]) -> dict[str, _Row | None]:
    by_id = {_id(blob): blob for blob in blobs}
    marks = ",".join("?" * len(by_id))
    query = f"SELECT id, value, check_sum, waits FROM parsed WHERE id IN ({marks})"  # noqa: S608
    found: dict[str, _Row | None] = {}
    for row_id, value, check_sum, waits in connection.execute(query, list(by_id)):
        blob = by_id[row_id]
        found[blob] = _sound_row(blob, value, check_sum, waits)
    return found


def _is_empty(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM parsed LIMIT 1").fetchone() is None


def _id(blob: str) -> int:
    # SQLite keeps a row with a number for its key in half as many pages. The check sum tells two
    # contents with one number apart.
    return int(blob[:15], 16)


def _write(connection: Connection, fresh: dict[str, _Fresh]) -> None:
    rows = []
    while fresh:
        blob, found = fresh.popitem()
        value, waits = found if isinstance(found, tuple) else _as_row(found)
        rows.append((_id(blob), value, _check_sum(blob, value, waits), waits))
    if rows:
        with transaction(connection):
            # In the order of the table: its pages are filled one after the other.
            rows.sort()
            connection.executemany("INSERT OR REPLACE INTO parsed VALUES (?, ?, ?, ?)", rows)


def _sound_row(blob: str, value: object, check_sum: object, waits: object) -> _Row | None:
    # A damaged row that still reads as JSON must not pass for what the file says.
    if not isinstance(value, bytes) or not isinstance(waits, int):
        return None
    return (value, bool(waits)) if check_sum == _check_sum(blob, value, waits) else None


def _check_sum(blob: str, value: bytes, waits: int) -> int:
    return crc32(value, crc32(blob.encode(), waits))
