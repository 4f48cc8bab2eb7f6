"""The application: its routes, what happens to every request, and what answers each error."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from promptstore import __version__
from promptstore.errors import PromptStoreError
from promptstore.server import (
    analytics,
    explain,
    ids,
    listing,
    mcp,
    publishing,
    reading,
    system,
    writing,
)
from promptstore.server.asking import ChatModel
from promptstore.server.errors import (
    ApiError,
    api_error,
    error_of,
    errors_by_field,
    invalid_request,
    not_found,
    server_error,
)
from promptstore.server.explain import ExplanationCache
from promptstore.server.http import SENT_HEADERS, EventRoute, PathMiddleware, answer_json
from promptstore.server.logs import routes as logs
from promptstore.server.logs.writer import LogService
from promptstore.server.projects import Project
from promptstore.server.tokens import TokenFile
from promptstore.server.web import (
    changing,
    editing,
    prompts,
    proposing,
    signing,
    trying,
)
from promptstore.server.web import events as event_pages
from promptstore.server.web import listing as list_pages
from promptstore.server.web.pages import show_missing
from promptstore.server.web.sessions import Sessions

_log = logging.getLogger("promptstore.server")

_DESCRIPTION: Final = """\
PostHog's prompt API over git repositories. Every write is one commit.

- `/api/projects/` is the same as `/api/environments/`; a slash at the end may be there or not.
- The project is a number, or `@current`; a `token` in the query names it by its public token.
- A name in git with `/` is written with `__`: `support/triage` is `support__triage`. A name that
  this cannot carry back is escaped: `v1.2` is `-v1_d2`. To read, `support%2Ftriage` does too.
- Variables are given as `{{name}}`, as PostHog's SDKs fill them. A template with logic is given as
  it is written, and `template` names its language; `render` fills it.
- Reads carry an `ETag`: `If-None-Match` answers 304, `If-Match` guards a write.
"""
_ROUTERS: Final = (
    reading.router,
    publishing.router,
    listing.router,
    ids.router,
    writing.router,
    writing.label_router,
    analytics.router,
    analytics.text_router,
    logs.router,
    explain.router,
    logs.sending_router,
    mcp.router,
    system.router,
    system.docs,
)
"""The routes of the server. What is added here is a part of it."""

_PAGES: Final = (
    list_pages.router,
    prompts.router,
    trying.router,
    editing.router,
    proposing.router,
    changing.router,
    event_pages.router,
)
"""The pages, each for the only project, and for one by its number."""


def create_app(
    projects: Mapping[int, Project],
    tokens: TokenFile | None,
    *,
    model: ChatModel | None = None,
    log_service: LogService | None = None,
    allow_direct: bool = False,
    hook_secret: str | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        projects: The projects by id.
        tokens: The tokens, or None to ask nobody for a key.
        model: The language model, or None where there is none.
        log_service: What keeps logs, or None where nothing does.
        allow_direct: Whether pages may commit to the served branch.
        hook_secret: The secret that a forge's webhook shows to ask for a fetch; None takes none.

    Returns:
        The application.
    """
    app = FastAPI(
        title="promptstore",
        version=__version__,
        description=_DESCRIPTION,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.projects = projects
    app.state.tokens = tokens
    app.state.model = model
    app.state.logs = log_service
    app.state.hook_secret = hook_secret
    app.state.sessions = Sessions()
    app.state.allow_direct = allow_direct
    app.state.explanations = ExplanationCache()
    for router in _ROUTERS:
        # Each says its own prefix and answers, so its routes are the application's as they are.
        app.router.routes.extend(router.routes)
    app.include_router(signing.router)
    for prefix in ("", "/projects/{project_id}"):
        for pages in _PAGES:
            app.include_router(pages, prefix=prefix)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(PromptStoreError, _failed)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(PathMiddleware)
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return answer_json(error.body, error.status_code, error.headers or {})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    given = found[0]["input"]
    if isinstance(given, list) and given and isinstance(given[0], ApiError):
        return await _refused(request, given[0])
    lists_all = isinstance(request.scope.get("route"), EventRoute)
    return await _refused(request, errors_by_field(found) if lists_all else invalid_request(found))


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, PromptStoreError)
    refusal = error_of(error)
    if refusal.status_code >= 500:
        _log.error("%s %s: %s", request.method, request.scope["promptstore.path"], error)
    return await _refused(request, refusal)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        detail = f'Method "{request.method}" not allowed.'
        headers = {"Allow": ", ".join(_methods(request))}
        return await _refused(
            request, api_error(405, "method_not_allowed", detail, headers=headers)
        )
    if error.status_code == 404:
        if "text/html" in request.headers.get("accept", ""):
            return show_missing(request)
        return await _refused(request, not_found("Endpoint not found."))
    return await _refused(request, api_error(error.status_code, "error", str(error.detail)))


def _methods(request: Request) -> list[str]:
    found = {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", ())
    }
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def _gone(request: Request, _error: Exception) -> Response:
    return await _refused(request, api_error(400, "disconnected", "The client has gone."))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # The server behind logs the traceback; nobody else is shown it.
    error = server_error(500, "error", "A server error occurred.")
    return answer_json(error.body, error.status_code, SENT_HEADERS)
