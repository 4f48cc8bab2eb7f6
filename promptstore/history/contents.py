"""Parsed prompts by the id of their file's content, in memory and in a file between processes.

What a content says never changes, so nothing here is ever out of date. The file lies in a folder
of the user's own, outside of every repository: a repository that somebody else packed brings no
parsed prompts along. What comes out of it passes the model like a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias
from zlib import crc32

from promptstore.errors import Problem, PromptFileError
from promptstore.history.cachefile import CacheFile, Connection, private_folder, transaction
from promptstore.history.sources import File
from promptstore.model.prompt import Prompt, parse_content, texts
from promptstore.template import Source, find_includes

FORMAT: Final = 3
"""Raise it when what a file means changes, so that nothing is taken from an older one's rows."""

_SCHEMA: Final = """
CREATE TABLE parsed (
    blob BLOB, format INTEGER, content BLOB, check_sum INTEGER, PRIMARY KEY (blob, format)
)
"""
_KEPT_IN_MEMORY: Final = 20_000
_BYTES_IN_MEMORY: Final = 64 * 1024 * 1024
_WRITTEN_AT_ONCE: Final = 20_000
_READ_AT_ONCE: Final = 500
_MAX_PAGES: Final = 1 << 16
"""From how many pages on the file is begun anew; pages have 4 KiB."""

_Found: TypeAlias = Prompt | tuple[Problem, ...] | None
"""What a content says, what is wrong with it, or None where only the file itself can tell."""


class ContentCache:
    """Parsed files by content. Threads may share it."""

    def __init__(self) -> None:
        self._found: dict[str, _Found] = {}
        self._bytes = 0
        self._unwritten: dict[str, Prompt] = {}
        self._write = partial(_write, unwritten=self._unwritten)
        file = contents_file()
        self._file = CacheFile(file, _SCHEMA, self._write) if file else None

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
        if self._file is None:
            return
        wanted = sorted(blob for blob in blobs if blob not in self._found)
        for start in range(0, len(wanted), _READ_AT_ONCE):
            chunk = wanted[start : start + _READ_AT_ONCE]
            rows = self._file.use(partial(_rows, blobs=chunk))
            self._make_room(sum(map(len, rows.values())))
            self._found.update({blob: _prompt_of(rows.get(blob)) for blob in chunk})

    def save(self) -> None:
        """Write what was parsed to the file, as happens by itself at the end."""
        if self._file is not None and self._unwritten:
            self._file.use(self._write)

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
        if isinstance(found, Prompt):
            self._unwritten[file.blob] = found
            if len(self._unwritten) >= _WRITTEN_AT_ONCE:
                self.save()
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
        for name in find_includes(Source(text=text, kind=prompt.template))
    ]


def _rows(connection: Connection, blobs: list[str]) -> dict[str, bytes]:
    """Return the stored contents that are whole."""
    marks = ",".join("?" * len(blobs))
    query = f"SELECT * FROM parsed WHERE format = ? AND blob IN ({marks})"  # noqa: S608
    found: dict[str, bytes] = {}
    for key, _, content, check_sum in connection.execute(query, [FORMAT, *map(_key, blobs)]):
        if isinstance(content, bytes) and check_sum == _check_sum(key, content):
            found[key.hex()] = content
    return found


def _prompt_of(content: bytes | None) -> Prompt | None:
    if content is None:
        return None
    try:
        value = json.loads(content)
    except ValueError:
        return None
    found = parse_content(value) if isinstance(value, dict) else None
    return found if isinstance(found, Prompt) else None


def _write(connection: Connection, unwritten: dict[str, Prompt]) -> None:
    rows = []
    while unwritten:
        blob, prompt = unwritten.popitem()
        content = json.dumps(prompt.content, separators=(",", ":")).encode()
        rows.append((_key(blob), FORMAT, content, _check_sum(_key(blob), content)))
    if rows:
        with transaction(connection):
            if connection.execute("PRAGMA page_count").fetchone()[0] > _MAX_PAGES:
                connection.execute("DELETE FROM parsed")
            connection.executemany(
                "INSERT OR REPLACE INTO parsed VALUES (?, ?, ?, ?)", sorted(rows)
            )


def _key(blob: str) -> bytes:
    return bytes.fromhex(blob)


def _check_sum(key: bytes, content: bytes) -> int:
    return crc32(content, crc32(key))
