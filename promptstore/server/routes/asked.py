"""What every route takes from a request."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

from starlette.requests import Request

from promptstore.server.guard import Caller, Guard
from promptstore.server.problems import not_found


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


@lru_cache(maxsize=256)
def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise not_found() from None
