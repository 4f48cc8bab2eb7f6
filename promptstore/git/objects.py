"""New objects: collected in memory, then stored together, a few as loose files and many as a pack.

libgit2 stores one object at a time: before each it looks through all packs, and afterwards through
the new file. It packs only what is stored already. So both kinds of files are written here, as
gitformat-pack(5) and gitrepository-layout(5) describe them; reading them is left to libgit2.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from hashlib import sha1
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias
from zlib import DEFLATED, adler32, compress, compressobj, crc32

from promptstore.git.locks import write_new

Kind: TypeAlias = Literal["commit", "tree", "blob"]

_PACKED_KIND: Final[Mapping[Kind, int]] = {"commit": 1, "tree": 2, "blob": 3}
_WORTH_A_PACK: Final = 100
"""From how many objects on git, too, keeps what it is sent as a pack (transfer.unpackLimit)."""

_COMPRESSION: Final = 1
"""Git's own level for loose objects; a pack of prompts is hardly larger than with the default."""

_SMALL: Final = 1 << 13
_SMALL_WINDOW: Final = 13
_SMALL_MEMORY: Final = 6
"""Zlib's usual buffers are far larger than most objects, and making them takes four fifths of the
time of compressing one. A window (two to this power) that holds the whole object leaves out none of
its repetitions."""

_BLOCK: Final = 4096
"""What a file takes on the disk at least, on most file systems."""

_FRAME: Final = 11
"""How many bytes zlib puts around what it does not compress."""

_MODE: Final = 0o444

_TEMPORARY: Final = "tmp_"
"""How files begin that ``git prune`` removes when they are old."""

_LARGE_OFFSET: Final = 1 << 31


class NewObjects:
    """Objects that are not stored yet.

    Args:
        folder: The folder of a repository's objects.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: dict[str, tuple[Kind, bytes]] = {}

    def add(self, kind: Kind, data: bytes) -> str:
        """Take an object in, and give its id."""
        name = sha1(_head(kind, data) + data, usedforsecurity=False).hexdigest()
        self._pending[name] = kind, data
        return name

    def store(self) -> None:
        """Store all objects.

        A process that dies in between leaves objects that nothing refers to, or files that
        ``git prune`` knows as temporary by their names. Objects that are there already are stored
        once more, as git may be about to remove old ones that nothing refers to.

        Raises:
            OSError: The folder cannot be written.
        """
        if len(self._pending) < _WORTH_A_PACK:
            token = _token()
            for name, (kind, data) in self._pending.items():
                _store_loose(self._folder, name, _head(kind, data) + data, token)
        else:
            _store_pack(self._folder / "pack", self._pending)
        self._pending = {}


class PackedObject(NamedTuple):
    """Where an object is in a pack.

    Attributes:
        name: The twenty bytes of its id.
        check_sum: The CRC-32 of its record.
        offset: Where its record begins.
    """

    name: bytes
    check_sum: int
    offset: int


def pack_index(packed: list[PackedObject], pack_name: bytes) -> bytes:
    """Write the index of a pack, in version 2 of its format.

    Args:
        packed: The objects, sorted.
        pack_name: The twenty bytes at the pack's end.
    """
    counts = [0] * 256
    for entry in packed:
        counts[entry.name[0]] += 1
    large = [entry.offset for entry in packed if entry.offset >= _LARGE_OFFSET]
    places = {offset: _LARGE_OFFSET + number for number, offset in enumerate(large)}
    content = b"".join(
        [
            b"\xfftOc",
            _numbers([2]),
            _numbers([*accumulate(counts)]),
            *(entry.name for entry in packed),
            _numbers([entry.check_sum for entry in packed]),
            _numbers([places.get(entry.offset, entry.offset) for entry in packed]),
            struct.pack(f">{len(large)}Q", *large),
            pack_name,
        ]
    )
    return content + sha1(content, usedforsecurity=False).digest()


def _store_pack(folder: Path, objects: Mapping[str, tuple[Kind, bytes]]) -> None:
    records = [b"PACK" + _numbers([2, len(objects)])]
    packed: list[PackedObject] = []
    offset = len(records[0])
    for name, (kind, data) in objects.items():
        record = _packed_head(kind, len(data)) + _compressed(data)
        packed.append(PackedObject(bytes.fromhex(name), crc32(record), offset))
        records.append(record)
        offset += len(record)
    content = b"".join(records)
    pack_name = sha1(content, usedforsecurity=False).digest()
    packed.sort()
    folder.mkdir(exist_ok=True)
    fresh_pack = f"{folder}/{_TEMPORARY}pack_{_token()}"
    fresh_index = f"{folder}/{_TEMPORARY}idx_{_token()}"
    write_new(fresh_pack, content + pack_name, _MODE)
    write_new(fresh_index, pack_index(packed, pack_name), _MODE)
    # Git forces packs to the disk, and loose objects not: a pack holds more that can be lost.
    for file in (fresh_pack, fresh_index):
        _force_to_disk(file)
    # It looks for packs by their index, so that comes last.
    _rename(fresh_pack, f"{folder}/pack-{pack_name.hex()}.pack")
    _rename(fresh_index, f"{folder}/pack-{pack_name.hex()}.idx")


def _store_loose(folder: Path, name: str, content: bytes, token: str) -> None:
    inside = f"{folder}/{name[:2]}"
    fresh = f"{inside}/{_TEMPORARY}obj_{token}"
    compressed = _fitted(content)
    try:
        write_new(fresh, compressed, _MODE)
    except FileNotFoundError:
        Path(inside).mkdir(exist_ok=True)
        write_new(fresh, compressed, _MODE)
    _rename(fresh, f"{inside}/{name[2:]}")


def _fitted(content: bytes) -> bytes:
    """Write content as a loose object holds it, compressed where that saves a block of the disk.

    Compressing takes ten times as long as the frame alone; git compresses what it packs.
    """
    size = len(content)
    if size + _FRAME > _BLOCK:
        return _compressed(content)
    # RFC 1950 and RFC 1951: a window of 32 KiB, and one block as it is, which is the last one.
    head = struct.pack("<2sBHH", b"\x78\x01", 1, size, size ^ 0xFFFF)
    return head + content + struct.pack(">I", adler32(content))


def _compressed(content: bytes) -> bytes:
    if len(content) > _SMALL:
        return compress(content, _COMPRESSION)
    small = compressobj(_COMPRESSION, DEFLATED, _SMALL_WINDOW, _SMALL_MEMORY)
    return small.compress(content) + small.flush()


def _force_to_disk(file: str) -> None:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(fresh: str, target: str) -> None:
    # Paths as objects would take half as long as the file system for a small object.
    os.rename(fresh, target)  # noqa: PTH104


def _head(kind: Kind, data: bytes) -> bytes:
    return f"{kind} {len(data)}\0".encode()


def _packed_head(kind: Kind, size: int) -> bytes:
    """Write what stands before an object in a pack: its kind and its size, seven bits a byte."""
    head = bytearray([_PACKED_KIND[kind] << 4 | size & 15])
    size >>= 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    return bytes(head)


def _numbers(values: list[int]) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _token() -> str:
    return os.urandom(8).hex()
