"""Loose objects that a power loss cut off: found before libgit2 reads them.

libgit2 never returns from reading most truncated loose objects, and holds Python's lock meanwhile.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_MAX_DEPTH: Final = 5
"""How many repositories may borrow objects in a row, as in git."""


class LooseObjects:
    """The loose objects of a repository and of those that it borrows from.

    Args:
        folder: The repository's folder of objects.
    """

    def __init__(self, folder: Path) -> None:
        self._folders = [str(path) for path in _with_alternates(folder, _MAX_DEPTH)]

    def is_sound(self, object_id: str) -> bool:
        """Return whether an object is whole, or is not loose at all."""
        name = f"{object_id[:2]}/{object_id[2:]}"
        return all(_is_whole(f"{folder}/{name}") for folder in self._folders)

    def checker(self) -> Callable[[str], bool]:
        """Return `is_sound` for very many objects, which lists each folder once."""
        listed: dict[str, set[str]] = {}

        def is_sound(object_id: str) -> bool:
            start, rest = object_id[:2], object_id[2:]
            if start not in listed:
                listed[start] = self._list(start)
            return rest not in listed[start] or self.is_sound(object_id)

        return is_sound

    def find_damaged(self) -> str | None:
        """Return the id of a loose object that is cut off, or None; every one is read."""
        for number in range(256):
            start = f"{number:02x}"
            for rest in self._list(start):
                if not self.is_sound(start + rest):
                    return start + rest
        return None

    def _list(self, start: str) -> set[str]:
        found: set[str] = set()
        for folder in self._folders:
            with suppress(FileNotFoundError, NotADirectoryError):
                found.update(os.listdir(f"{folder}/{start}"))  # noqa: PTH208 - an id a name
        return found


def _is_whole(file: str) -> bool:
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - Path takes twice as long
            data = stream.readall()
    except (FileNotFoundError, NotADirectoryError):
        return True
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(data)
    except zlib.error:
        return False
    return inflate.eof


def _with_alternates(folder: Path, depth: int) -> list[Path]:
    """List a folder of objects and those that it names (gitrepository-layout(5))."""
    found = [folder]
    with suppress(FileNotFoundError, NotADirectoryError):
        lines = os.fsdecode((folder / "info/alternates").read_bytes()).splitlines()
        for line in lines if depth else ():
            if line and not line.startswith("#"):
                found += _with_alternates(folder / line, depth - 1)
    return found
