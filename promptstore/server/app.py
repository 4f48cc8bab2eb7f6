"""The application: routes, gate, and the answers to everything that goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from promptstore import __version__
from promptstore.errors import PromptStoreError
from promptstore.server import documents
from promptstore.server.gate import Gate
from promptstore.server.guard import Guard
from promptstore.server.problems import RefusedError, envelope, not_found, refusal_for
from promptstore.server.projects import Project
from promptstore.server.replies import reply
from promptstore.server.routes import by_name, docs, health, prompts, text_repr, unbuilt
from promptstore.server.tokens import TokenFile

_log = logging.getLogger("promptstore.server")
_ROUTERS: Final = (
    by_name.router,
    prompts.router,
    text_repr.router,
    unbuilt.router,
    health.router,
    docs.router,
)


def create_app(projects: Mapping[int, Project], tokens: TokenFile | None) -> FastAPI:
    """Make the application.

    Args:
        projects: The projects by id.
        tokens: The tokens, or None to ask nobody for a key.

    Returns:
        The application.
    """
    app = _DocumentedApi(
        title="promptstore",
        version=__version__,
        description=documents.DESCRIPTION,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.guard = Guard(projects, tokens)
    # The routes read their requests themselves, so they are served without what FastAPI would do
    # before and after each; it writes the document of them.
    app.router.routes.extend(
        Route(route.path, route.endpoint, methods=list(route.methods or ())) for route in _routes()
    )
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(PromptStoreError, _failed)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Gate)
    return app


class _DocumentedApi(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=list(_routes()),
            )
            document["components"] = {
                "schemas": documents.SCHEMAS,
                "securitySchemes": documents.SECURITY_SCHEMES,
            }
            for route in _routes():
                # FastAPI leaves every null out, also those of the examples.
                for method in (route.methods if route.include_in_schema else None) or ():
                    operation = document["paths"][route.path][method.lower()]
                    operation.update(route.openapi_extra or {})
            self.openapi_schema = document
        return self.openapi_schema


def _routes() -> Iterator[APIRoute]:
    for router in _ROUTERS:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return reply(error.body, error.status, headers=error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptStoreError)
    refusal = refusal_for(error)
    if refusal.status >= 500:
        _log.error("%s %s: %s", request.method, request.scope["promptstore.path"], error)
    return await _refused(request, refusal)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        detail = f'Method "{request.method}" not allowed.'
        body = envelope("invalid_request", "method_not_allowed", detail)
        return reply(body, 405, headers={"Allow": ", ".join(_methods(request))})
    if error.status_code == 404:
        return await _refused(request, not_found("Endpoint not found."))
    body = envelope("invalid_request", "error", str(error.detail))
    return reply(body, error.status_code)


def _methods(request: Request) -> list[str]:
    found = {
        method
        for route in _routes()
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def _gone(_request: Request, _error: Exception) -> Response:
    return reply(envelope("invalid_request", "disconnected", "The client has gone."), 400)


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # The server behind logs the traceback; nobody else is shown it.
    return reply(envelope("server_error", "error", "A server error occurred."), 500)
