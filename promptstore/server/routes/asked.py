"""What routes share: letting a request in, reading its path, and writing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from promptstore.errors import RepositoryLockedError
from promptstore.server.guard import Caller, Guard
from promptstore.server.problems import not_found

MAX_WAIT_SECONDS: Final = 30.0
"""How long a write waits for its turn, in seconds."""

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def admit(request: Request, scope: str) -> Caller:
    """Let a request in that needs a scope; see `Guard.admit`."""
    guard: Guard = request.app.state.guard
    return guard.admit(request, scope)


def path_text(request: Request, key: str) -> str:
    """Decode one segment of the path, which may hold an encoded slash.

    Raises:
        RefusedError: It is not UTF-8 (404).
    """
    return _decoded(request.path_params[key])


async def write(
    change: Callable[Concatenate[Caller, _Given], _Made],
    caller: Caller,
    *arguments: _Given.args,
    **named: _Given.kwargs,
) -> _Made:
    """Make a change of a project in a thread, once it is its turn.

    The lock of the repository lets one writer in at a time, and not the one who waited longest. So
    writers stand in line here, where they keep no thread from readers.

    Raises:
        RepositoryLockedError: Others were in line for too long.
    """
    turn = caller.project.turn
    try:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            await turn.acquire()
    except TimeoutError:
        path, reason = str(caller.project.store.path), "other writers were in line for too long."
        raise RepositoryLockedError(path=path, reason=reason) from None
    try:
        return await run_in_threadpool(change, caller, *arguments, **named)
    finally:
        turn.release()


@lru_cache(maxsize=256)
def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise not_found() from None
