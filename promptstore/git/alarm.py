"""An alarm that rings when references may have moved: one system call asks it.

Asking git where a branch and the labels are takes about 25 µs, `os.stat` of only HEAD and the
branch's file 4 to 5, and a file's time cannot tell two changes within one tick of the clock apart.
Linux can watch folders instead: every change of a folder that is watched is in a queue before the
call that made it returns, and asking whether the queue is empty takes 0.3 µs.

The alarm is only ever a reason not to ask git again. Where it cannot be had (another operating
system, a file system that other machines write to, no watches left), git is asked each time.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pygit2

from promptstore.git.reading import Repository

if TYPE_CHECKING:
    import ctypes

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

_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR)
_MAX_LINKS: Final = 10
_KIND: Final = "anon_inode:inotify"
_MANY_EVENTS: Final = 1 << 16


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
        self._is_over = False
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
            # In this order: what it tells is read away after it was declared to be over.
            return not self._ask(0, 1) and not self._is_over
        except (OSError, ValueError):
            # Somebody closed the descriptor.
            return False

    def give_up(self) -> int | None:
        """Ring from now on, and give the descriptor away for another alarm.

        Closing one that has watches waits until no other processor can be using them, which takes
        up to 15 ms: more than ten times as long as all the rest of a get after a commit.

        Returns:
            The descriptor, with nothing to tell; None where it is no longer this alarm's.
        """
        self._is_over = True
        owned = self._close.detach()
        if owned is None:
            return None
        _, _, (descriptor,), _ = owned
        try:
            # Whoever closes all descriptors of a process may have used the number again.
            if os.readlink(f"/proc/self/fd/{descriptor}") != _KIND:  # noqa: PTH115
                return None
            while os.read(descriptor, _MANY_EVENTS):
                pass
        except BlockingIOError:
            return int(descriptor)
        except OSError:
            pass
        return None

    def close(self) -> None:
        """Give the descriptors back; the alarm rings from now on."""
        self._poll.close()
        self._close()


def watch_refs(
    repository: Repository, names: Sequence[str], spare: RefAlarm | None = None
) -> RefAlarm | None:
    """Make an alarm for references, whatever symbolic references they lead through.

    Args:
        repository: The repository.
        names: The full names, such as ``HEAD``; they need not exist.
        spare: An alarm for the same references, which rings for ever from now on.

    Returns:
        The alarm, or None where it cannot be had. What is read after this call is true for as long
        as the alarm is quiet.
    """
    if sys.platform != "linux":
        return None
    libc = _libc()
    descriptor = spare.give_up() if spare else None
    if descriptor is None:
        descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    alarm = RefAlarm(descriptor)
    if _are_watched(_Watches(libc, descriptor), repository, names):
        return alarm
    alarm.close()
    return None


def _close_all() -> None:
    for alarm in list(RefAlarm._all):  # noqa: SLF001 - the hook of the class itself
        alarm.close()


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    # Loaded here, as a process that reads only once needs no alarm.
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


class _Watches:
    """The folders that one alarm watches.

    Args:
        libc: The C library.
        descriptor: The alarm's descriptor.
    """

    def __init__(self, libc: ctypes.CDLL, descriptor: int) -> None:
        import ctypes

        self._add = libc.inotify_add_watch
        self._statfs = libc.statfs
        self._errno = ctypes.get_errno
        self._descriptor = descriptor
        self._answer = ctypes.create_string_buffer(256)
        # The kind of the file system comes first, as a long.
        self._size = ctypes.sizeof(ctypes.c_long)
        self._known: set[str] = set()

    def add(self, folder: str, mask: int, *, must_exist: bool) -> bool:
        """Watch a folder, and tell whether all of its changes will be seen.

        Those of one that is not there yet will be, if the one above it is watched.
        """
        if folder in self._known:
            return True
        self._known.add(folder)
        name = os.fsencode(folder)
        if self._add(self._descriptor, name, mask) < 0:
            return not must_exist and self._errno() in _ABSENT
        fine = self._statfs(name, self._answer) == 0
        kind = int.from_bytes(self._answer.raw[: self._size], sys.byteorder)
        return fine and kind in _WATCHABLE


def _are_watched(watches: _Watches, repository: Repository, names: Sequence[str]) -> bool:
    """Watch everything that the references depend on, from the top of the file system on.

    Paths as objects would take twice as long as everything else here.
    """
    common_dir = str(repository.common_dir)
    tops = sorted({os.path.realpath(folder) for folder in (str(repository.git_dir), common_dir)})
    above = {folder for top in tops for folder in _folders_above(top)}
    return (
        all(
            watches.add(folder, _GONE, must_exist=True) for folder in sorted(above.difference(tops))
        )
        and all(watches.add(top, _CHANGED, must_exist=True) for top in tops)
        and all(_is_watched(watches, repository, common_dir, name) for name in names)
    )


def _folders_above(path: str) -> list[str]:
    """List the folders that a path lies in, but for the top of the file system."""
    return [path[:end] for end, letter in enumerate(path) if letter == "/" and end]


def _is_watched(watches: _Watches, repository: Repository, common_dir: str, name: str) -> bool:
    """Watch a reference, then look where it leads, and so on: what changes after a look rings."""
    target: Any = name
    for _ in range(_MAX_LINKS):
        if not isinstance(target, str):
            break
        if not _is_way_watched(watches, common_dir, target):
            return False
        try:
            target = repository.handle.lookup_reference(target).target
        except (KeyError, pygit2.GitError):
            break
    return True


def _is_way_watched(watches: _Watches, top: str, ref: str) -> bool:
    """Watch the folders on the way to the file of a reference, from the top on."""
    place, has_links = top, False
    for segment in ref.split("/"):
        if not watches.add(place, _CHANGED, must_exist=False):
            return False
        place = f"{place}/{segment}"
        has_links = has_links or os.path.islink(place)  # noqa: PTH114
    if not has_links:
        return True
    # An old kind of symbolic reference is a symbolic link, which may lead anywhere.
    folder = os.path.dirname(os.path.realpath(place))  # noqa: PTH120
    return watches.add(folder, _CHANGED, must_exist=False)
