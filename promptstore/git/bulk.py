"""Reading very many objects: libgit2 reads them, and OpenSSL tells whether they are what they say.

libgit2 hashes whatever it reads, with an SHA-1 that looks for forged collisions too. Of the time
that a tree of a hundred entries takes out of a pack, this is nine tenths; OpenSSL's SHA-1 takes a
fifth of it. Loading OpenSSL, once in a process, takes as long as seventy commits with their trees:
this module is not loaded for a few.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Final, TypeAlias

import pygit2
from pygit2.enums import ObjectType

Read: TypeAlias = Callable[[str, ObjectType], bytes]

_NAMES: Final = (b"", b"commit", b"tree", b"blob", b"tag")
"""By libgit2's numbers. A dict by `ObjectType` would be asked in Python for each object."""


class BulkReader:
    """Reads objects of one repository, each checked against its id.

    Args:
        handle: The repository.
        otherwise: Reads, or explains, what is not found here, or is not what it should be.
    """

    def __init__(self, handle: pygit2.Repository, otherwise: Read) -> None:
        # One for the packs, one for the loose files, and as many for each alternate.
        self._reads = [backend.read for backend in handle.odb.backends]
        self._handle = handle
        self._otherwise = otherwise

    def __del__(self) -> None:
        # A backend belongs to its repository, and must go before it does.
        self._reads.clear()

    def read(self, object_id: str, wanted: ObjectType) -> bytes:
        """Read the content of an object.

        Args:
            object_id: Its id.
            wanted: What it must be.

        Raises:
            RepositoryError: It is missing or damaged.
        """
        for read in self._reads:
            try:
                kind, data = read(object_id)
            except (KeyError, ValueError, pygit2.GitError):
                continue
            if kind == wanted:
                head = b"%b %d\0" % (_NAMES[kind], len(data))
                if sha1(head + data, usedforsecurity=False).hexdigest() == object_id:
                    return data
        return self._otherwise(object_id, wanted)
