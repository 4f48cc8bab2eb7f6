"""What happens to every request beside its route: the path, a header, and the access log."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("promptstore.access")
_ALIAS: Final = "/api/projects/"
_PREFIX: Final = "/api/environments/"
_JSON_SUFFIX: Final = "/llm_prompts.json"
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")


class Gate:
    """Gives each path its one spelling, answers HEAD like GET, and logs what was asked.

    A path is routed as it was sent, still percent-encoded: ``a%2Fb`` is one segment. Both prefixes,
    and a slash at the end or none, lead to one route.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
        inner = {**scope, "path": route_path(sent), "promptstore.path": sent}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        answered: dict[str, int] = {}

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                message = {**message, "headers": [*message["headers"], _NOSNIFF]}
            elif message["type"] == "http.response.body" and scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner, receive, send_on)
        finally:
            if _log.isEnabledFor(logging.INFO):
                elapsed = time.perf_counter() - started
                _log.info(_line(inner, scope["method"], answered.get("status", 500), elapsed))


def route_path(path: str) -> str:
    """Give a path the one spelling that is routed."""
    if path.startswith(_ALIAS):
        path = _PREFIX + path[len(_ALIAS) :]
    if path.endswith("/") and len(path) > 1:
        path = path[:-1]
    if path.startswith(_PREFIX) and path.endswith(_JSON_SUFFIX):
        path = path.removesuffix(".json")
    return path


def _line(scope: Scope, method: str, status: int, elapsed: float) -> str:
    """Say in one line of JSON what was asked; neither query nor headers, which may hold keys."""
    client = scope.get("client")
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": method,
        "path": scope["promptstore.path"],
        "status": status,
        "ms": round(elapsed * 1000, 2),
        "client": client[0] if client else None,
        "user": scope.get("promptstore.user"),
    }
    return json.dumps(facts)
