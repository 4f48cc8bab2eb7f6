"""The same store for code that runs in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from promptstore.store.store import PromptStore

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _awaited(
    method: Callable[Concatenate[PromptStore, _P], _T],
) -> Callable[Concatenate[AsyncPromptStore, _P], Coroutine[Any, Any, _T]]:
    """Return a method of a store as one to be awaited, which runs in a thread."""

    @wraps(method)
    async def call(self: AsyncPromptStore, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.to_thread(method, self.store, *args, **kwargs)

    return call


def _read(
    method: Callable[Concatenate[PromptStore, _P], _T],
) -> Callable[Concatenate[AsyncPromptStore, _P], Coroutine[Any, Any, _T]]:
    """Return a reading method, which runs in a thread unless what it needs is in memory."""
    in_thread = _awaited(method)

    @wraps(method)
    async def call(self: AsyncPromptStore, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if self.store.is_in_memory(*args, **kwargs):
            return method(self.store, *args, **kwargs)
        return await in_thread(self, *args, **kwargs)

    return call


def _opening(
    method: Callable[_P, PromptStore],
) -> Callable[_P, Coroutine[Any, Any, AsyncPromptStore]]:
    """Return what opens a store as what opens an async one, in a thread."""

    @wraps(method)
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> AsyncPromptStore:
        return AsyncPromptStore(await asyncio.to_thread(method, *args, **kwargs))

    return call


class AsyncPromptStore:
    """A store whose methods are awaited: those of `PromptStore`, which say what they do.

    What is in memory is returned at once; a render, and whatever may touch a disk, a lock or a
    network, runs in a thread. A call that is cancelled leaves nothing half done: a write that has
    begun ends, as one commit, and one that has not begun never does.

    Args:
        store: The store underneath, which other threads may use at the same time.

    Attributes:
        store: The store underneath.
    """

    def __init__(self, store: PromptStore) -> None:
        self.store = store

    open = staticmethod(_opening(PromptStore.open))
    open_resource = staticmethod(_opening(PromptStore.open_resource))
    get = _read(PromptStore.get)
    render = _awaited(PromptStore.render)
    names = _awaited(PromptStore.names)
    list = _awaited(PromptStore.list)
    snapshot = _awaited(PromptStore.snapshot)
    working_snapshot = _awaited(PromptStore.working_snapshot)
    history = _awaited(PromptStore.history)
    info = _awaited(PromptStore.info)
    label_history = _awaited(PromptStore.label_history)
    labels = _awaited(PromptStore.labels)
    position = _awaited(PromptStore.position)
    common_ancestor = _awaited(PromptStore.common_ancestor)
    draft = _awaited(PromptStore.draft)
    save = _awaited(PromptStore.save)
    delete = _awaited(PromptStore.delete)
    restore = _awaited(PromptStore.restore)
    rename = _awaited(PromptStore.rename)
    commit = _awaited(PromptStore.commit)
    set_label = _awaited(PromptStore.set_label)
    set_labels = _awaited(PromptStore.set_labels)
    remove_label = _awaited(PromptStore.remove_label)
    remove_labels = _awaited(PromptStore.remove_labels)
    rollback_label = _awaited(PromptStore.rollback_label)
    fetch = _awaited(PromptStore.fetch)
    status = _awaited(PromptStore.status)
    bundle = _awaited(PromptStore.bundle)
    verify_bundle = _awaited(PromptStore.verify_bundle)
