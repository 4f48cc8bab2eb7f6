"""``/mcp``: the Model Context Protocol for agents, with the keys and scopes of the API."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from promptstore.errors import MissingExtraError, PromptStoreError
from promptstore.mcp.access import Access
from promptstore.server.errors import ApiError, error_of, forbidden, server_error
from promptstore.server.projects import Caller, find_caller

if TYPE_CHECKING:
    from promptstore.mcp.server import HttpEndpoint

router: Final = APIRouter()


class McpRoute:
    """Lets a request in, and hands it to the endpoint, which starts with the first one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        caller = _caller(request, "llm_prompt:read")
        _check_origin(request, caller)
        access = Access(caller.project.store, caller.author, _may_write(request), _explained)
        sender = f"{caller.project.id} {caller.author}"
        endpoint = await _endpoint(request.app)
        await endpoint.answer(access, sender, scope, receive, send)


router.routes.append(Route("/mcp", McpRoute(), include_in_schema=False))


def end_streams(app: FastAPI) -> None:
    """End the streams of notices of an application that is about to stop."""
    endpoint: HttpEndpoint | None = getattr(app.state, "mcp", None)
    if endpoint is not None:
        endpoint.end_streams()


async def _endpoint(app: FastAPI) -> HttpEndpoint:
    if not hasattr(app.state, "mcp"):
        if find_spec("mcp") is None:
            error = MissingExtraError(extra="mcp", purpose="The Model Context Protocol")
            raise server_error(501, "not_implemented", str(error))
        # It takes longer to load than all other routes together, and many servers never need it.
        module = await run_in_threadpool(import_module, "promptstore.mcp.server")
        if not hasattr(app.state, "mcp"):
            app.state.mcp = module.HttpEndpoint()
    endpoint: HttpEndpoint = app.state.mcp
    return endpoint


def _caller(request: Request, scope: str) -> Caller:
    return find_caller(request, [scope])


def _may_write(request: Request) -> bool:
    try:
        _caller(request, "llm_prompt:write")
    except ApiError:
        return False
    return True


def _check_origin(request: Request, caller: Caller) -> None:
    """Refuse what a page of another site sends; the protocol asks for that beside the key."""
    own = {request.headers.get("host"), urlsplit(caller.project.settings.public_url or "").netloc}
    for origin in request.headers.getlist("origin"):
        # A page that nobody may know of has the origin `null`.
        if (origin.partition("://")[2] or None) not in own - {None}:
            raise forbidden("This page is of another site.")


def _explained(error: PromptStoreError) -> str:
    """Return the sentence of an error, unless it may name paths of this machine."""
    refusal = error_of(error)
    return str(error) if refusal.status_code < 500 else str(refusal.body["detail"])
