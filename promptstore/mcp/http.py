"""The protocol over streamable HTTP, as an ASGI application without a lifespan of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from promptstore.mcp.access import Access
from promptstore.mcp.server import create_server

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Scope]]
_Send: TypeAlias = Callable[[_Scope], Awaitable[None]]

_ACCESS: Final = "promptstore.access"


class HttpEndpoint:
    """Answers the requests of clients, which were let in before.

    It starts with the first request and ends with the event loop.
    """

    def __init__(self) -> None:
        self._server = create_server(lambda request: request.scope[_ACCESS])
        self._manager = StreamableHTTPSessionManager(self._server)
        self._started = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def answer(
        self, access: Access, sender: str, scope: _Scope, receive: _Receive, send: _Send
    ) -> None:
        """Answer one request.

        Args:
            access: What it may do.
            sender: Who sends it; a session belongs to whom it began with.
            scope: The request, as ASGI has it.
            receive: Gives its body.
            send: Takes the answer.
        """
        await self._started.wait()
        user = AuthenticatedUser(AccessToken(token="", client_id=sender, scopes=[]))
        await self._manager.handle_request({**scope, _ACCESS: access, "user": user}, receive, send)

    def end_streams(self) -> None:
        """End the streams of notices, so that the server that listens can stop."""
        self._server.stopping.set()

    async def _run(self) -> None:
        async with self._manager.run():
            self._started.set()
            await asyncio.Event().wait()
