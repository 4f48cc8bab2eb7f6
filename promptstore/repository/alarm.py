"""An alarm that rings when references may have moved: one system call asks it.

Asking git where a branch and the labels are takes about 25 µs, `os.stat` of only HEAD and the
branch's file 4 to 5, and a file's time cannot tell two changes within one tick of the clock apart.
Linux can watch folders instead: every change of a folder that is watched is in a queue before the
call that made it returns, and asking whether the queue is empty takes 0.3 µs.

The alarm is only ever a reason not to ask git again. Where it cannot be had (another operating
system, a file system that other machines write to, no watches left), git is asked each time.
"""

from __future__ import annotations

import os
import select
import sys
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import pygit2

from promptstore.repository.reading import Repository

# Named as in inotify(7).
_IN_MODIFY: Final = 0x2
_IN_CLOSE_WRITE: Final = 0x8
_IN_MOVED: Final = 0xC0
_IN_CREATE: Final = 0x100
_IN_DELETE: Final = 0x200
_IN_DELETE_SELF: Final = 0x400
_IN_MOVE_SELF: Final = 0x800
_IN_ONLYDIR: Final = 0x01000000
_GONE: Final = _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_ONLYDIR
_CHANGED: Final = _GONE | _IN_MODIFY | _IN_CLOSE_WRITE | _IN_MOVED | _IN_CREATE | _IN_DELETE

_WATCHABLE: Final = frozenset({
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # XFS
    0x9123683E,  # Btrfs
    0xF2F52010,  # F2FS
    0x2FC12FC1,  # ZFS
    0x01021994,  # tmpfs
    0x794C7630,  # overlayfs
})  # fmt: skip
"""File systems, by their number in statfs(2), that only this kernel writes to."""

_MAX_LINKS: Final = 10


class RefAlarm:
    """Rings when one of some references may have moved; it never rings too late.

    Make one with `watch_refs`. It rings once and for ever. A fork has none: what it inherits is
    closed there at once, as daemons close every descriptor and reuse the numbers.

    Args:
        descriptor: An inotify descriptor, which belongs to the alarm from now on.
    """

    _all: ClassVar[weakref.WeakSet[RefAlarm]] = weakref.WeakSet()
    _closes_in_forks: ClassVar[bool] = False

    def __init__(self, descriptor: int) -> None:
        self._poll = select.epoll()
        self._poll.register(descriptor, select.EPOLLIN)
        self._ask = self._poll.poll
        self._close = weakref.finalize(self, os.close, descriptor)
        self._close.atexit = False
        self._all.add(self)
        if not RefAlarm._closes_in_forks:
            RefAlarm._closes_in_forks = True
            os.register_at_fork(after_in_child=_close_all)

    def is_quiet(self) -> bool:
        """Tell whether nothing has happened since the alarm was made."""
        try:
            return not self._ask(0, 1)
        except (OSError, ValueError):
            # Somebody closed the descriptor.
            return False

    def close(self) -> None:
        """Give the descriptors back; the alarm rings from now on."""
        self._poll.close()
        self._close()


def watch_refs(repository: Repository, names: Sequence[str]) -> RefAlarm | None:
    """Make an alarm for references, whatever symbolic references they lead through.

    Args:
        repository: The repository.
        names: The full names, such as ``HEAD``; they need not exist.

    Returns:
        The alarm, or None where it cannot be had. What is read after this call is true for as long
        as the alarm is quiet.
    """
    if sys.platform != "linux":
        return None
    before = _refs_on_the_way(repository, names)
    alarm = _watch(repository, before)
    if alarm is not None and _refs_on_the_way(repository, names) != before:
        alarm.close()
        return None
    return alarm


def _close_all() -> None:
    for alarm in list(RefAlarm._all):  # noqa: SLF001 - the hook of the class itself
        alarm.close()


def _refs_on_the_way(repository: Repository, names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        target: Any = name
        for _ in range(_MAX_LINKS):
            if not isinstance(target, str):
                break
            found.append(target)
            try:
                target = repository.handle.lookup_reference(target).target
            except (KeyError, pygit2.GitError):
                break
    return found


def _watch(repository: Repository, refs: Sequence[str]) -> RefAlarm | None:
    # Loaded here, as a process that reads only once needs no alarm.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    answer = ctypes.create_string_buffer(256)

    def is_watchable(folder: bytes) -> bool:
        # The kind of the file system comes first, as a long.
        size = ctypes.sizeof(ctypes.c_long)
        fine = libc.statfs(folder, answer) == 0
        return fine and int.from_bytes(answer.raw[:size], sys.byteorder) in _WATCHABLE

    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    alarm = RefAlarm(descriptor)
    for folder, mask, is_needed in _folders(repository, refs):
        name = os.fsencode(folder)
        watched = libc.inotify_add_watch(descriptor, name, mask) >= 0
        if (watched or is_needed) and not (watched and is_watchable(name)):
            alarm.close()
            return None
    return alarm


def _folders(repository: Repository, refs: Sequence[str]) -> Iterator[tuple[Path, int, bool]]:
    """List the folders to watch, each with what for, and whether it must be there.

    A folder that is not there yet is seen when it is made, as the one above it comes first.
    """
    tops = {repository.git_dir.resolve(), repository.common_dir.resolve()}
    above = {folder for top in tops for folder in top.parents if folder != folder.parent}
    for folder in sorted(above - tops):
        yield folder, _GONE, True
    for top in sorted(tops):
        yield top, _CHANGED, True
    inside: dict[Path, None] = {}
    for ref in refs:
        file = repository.common_dir / ref
        way = [repository.common_dir / folder for folder in reversed(Path(ref).parents)]
        inside |= dict.fromkeys(way)
        # An old kind of symbolic reference is a symbolic link, which may lead anywhere.
        if any(map(Path.is_symlink, [*way[1:], file])):
            inside[file.resolve().parent] = None
    for folder in inside:
        if folder not in above:
            yield folder, _CHANGED, False
