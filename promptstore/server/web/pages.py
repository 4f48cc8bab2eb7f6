"""What every page shares: the templates, the headers, the forms, and how an error is shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from promptstore import errors
from promptstore.lint.unseen import show_unseen
from promptstore.server.errors import ApiError, api_error, error_of, invalid_request
from promptstore.server.http import LimitedRequest
from promptstore.server.web.sessions import (
    OTHER_SITES,
    ElsewhereError,
    Sessions,
    SignInRequiredError,
    Visitor,
    session_of,
    set_cookie,
)

_log: Final = logging.getLogger("promptstore.server")

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
MAX_FORM_BYTES: Final = 8 * 1024 * 1024
"""How large a form may be as it is sent; a larger one stays in the browser."""

_MAX_FORM_FIELDS: Final = 2_000
FORM_TOKEN: Final = "form_token"  # noqa: S105 - the name of a field
"""The field that every form carries the token of the session in."""

_TOLD: Final = (
    errors.NotFoundError,
    errors.InvalidNameError,
    errors.ConflictError,
    errors.TemplateError,
    errors.HistoryUnavailableError,
)
"""Errors whose sentence names no path of the machine."""


class Form(dict[str, str]):
    """The fields of a form that was sent, with plain line ends.

    Attributes:
        is_stale: Whether it was made for another session: it is shown again, and does nothing.
    """

    is_stale: bool = False

    def wants(self, action: str) -> bool:
        """Return whether the button of an action was pressed."""
        return not self.is_stale and self.get("action") == action


class PageRoute(APIRoute):
    """A route whose answer is a page, an error too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of FastAPI, whose errors are made pages."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                response = await handle(request)
            except SignInRequiredError:
                response = await _ask_to_sign_in(request)
            except ElsewhereError as error:
                response = RedirectResponse(error.url, 303)
            except (ApiError, RequestValidationError, errors.PromptStoreError) as error:
                response = _show_error(request, error)
            return _guarded(response)

        return handle_page


def _guarded(response: Response) -> Response:
    for header, value in _HEADERS.items():
        response.headers.setdefault(header, value)
    return response


def show_missing(request: Request) -> Response:
    """Return the page that says that there is none at a URL."""
    detail = "There is no page at this address."
    return _guarded(show_alone(request, "error.html", 404, detail=detail))


def page_router() -> APIRouter:
    """Return a router of pages, which are no part of the API's document."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def show(visitor: Visitor, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page of a project.

    Args:
        visitor: Who sees it.
        template: The name of its template.
        status: The status of the answer.
        values: What the template is given.
    """
    sessions: Sessions = visitor.request.app.state.sessions
    text = (
        _environment()
        .get_template(template)
        .render(
            visitor=visitor,
            base=visitor.base,
            form_token=sessions.form_token(visitor.session),
            **values,
        )
    )
    return _page(visitor.request, text, status, visitor.session)


def show_alone(request: Request, template: str, status: int, **values: Any) -> Response:
    """Return a page for somebody who is not signed in, or of no project."""
    session, _ = session_of(request)
    sessions: Sessions = request.app.state.sessions
    text = (
        _environment()
        .get_template(template)
        .render(visitor=None, base="", form_token=sessions.form_token(session), **values)
    )
    return _page(request, text, status, session)


def go(visitor: Visitor, path: str, **query: str | int | None) -> Response:
    """Return the answer that sends a browser to another page of the project."""
    return RedirectResponse(url_of(visitor.base + path, **query), 303)


def url_of(path: str, **query: Any) -> str:
    """Return a URL with what is given of a query."""
    given = {key: value for key, value in query.items() if value not in (None, "", False)}
    return path + (f"?{urlencode(given)}" if given else "")


async def read_form(request: Request) -> Form:
    """Return the fields of a form that was sent.

    Raises:
        ApiError: It is no form, or too large.
    """
    data = await LimitedRequest(request.scope, request.receive, MAX_FORM_BYTES).sent()
    form = await run_in_threadpool(_parse_form, data)
    sessions: Sessions = request.app.state.sessions
    session, _ = session_of(request)
    given = form.pop(FORM_TOKEN, "")
    form.is_stale = not hmac.compare_digest(given.encode(), sessions.form_token(session).encode())
    return form


def _parse_form(data: bytes) -> Form:
    try:
        pairs = parse_qsl(
            data.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FORM_FIELDS
        )
    except ValueError as error:
        raise api_error(400, "parse_error", f"The form cannot be read: {error}") from None
    # A browser ends the lines of a text as HTTP does.
    return Form({key: value.replace("\r\n", "\n").replace("\r", "\n") for key, value in pairs})


Sent: Final = Depends(read_form)


def path_of(request: Request) -> str:
    """Return the path and the query of a request, as a URL on this server."""
    query = request.url.query
    path: str = request.scope["promptstore.path"]
    return path + (f"?{query}" if query else "")


def name_of(request: Request) -> str:
    """Return the name of the prompt in the path of a request."""
    # A path is routed as it was sent.
    return unquote(request.path_params["name"])


Name: Final = Depends(name_of)


def serve_static(name: str) -> Response:
    """Return a file that the pages load, for good: its URL names its content."""
    if name not in _STATIC:
        raise api_error(404, "not_found", "There is no such file.")
    data, _ = _static(name)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(data, 200, headers, _STATIC[name])


async def _ask_to_sign_in(request: Request) -> Response:
    """Return the page to sign in at, which brings back to this one with all that was typed."""
    if request.method == "GET" and request.headers.get("sec-fetch-site") in OTHER_SITES:
        # A browser keeps the cookie back on the way from another site, and not on the next one.
        return show_alone(request, "arrive.html", 200, to=path_of(request))
    typed = await read_form(request) if request.method == "POST" else Form()
    to = path_of(request)
    return show_alone(request, "sign_in.html", 401, next=to, typed=typed, error="")


def _show_error(
    request: Request, error: ApiError | RequestValidationError | errors.PromptStoreError
) -> Response:
    if isinstance(error, RequestValidationError):
        refusal = invalid_request(error.errors())
    elif isinstance(error, errors.PromptStoreError):
        refusal = error_of(error)
        if refusal.status_code >= 500:
            _log.error("%s %s: %s", request.method, request.scope["promptstore.path"], error)
    else:
        refusal = error
    detail = str(error if isinstance(error, _TOLD) else refusal.detail)
    return show_alone(request, "error.html", refusal.status_code, detail=detail)


def _page(request: Request, text: str, status: int, session: str) -> Response:
    response = HTMLResponse(text, status)
    set_cookie(request, response, session)
    return response


@cache
def _static(name: str) -> tuple[bytes, str]:
    data = files("promptstore.server.web").joinpath("static", name).read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:16]


def _static_url(name: str) -> str:
    return f"/static/{name}?v={_static(name)[1]}"


def _visible(value: Any) -> Any:
    # What nobody sees, or what turns text around, is written out wherever a page shows a string.
    return show_unseen(value) if type(value) is str else value


def _exactly(text: str) -> Markup:
    """Return a string for a field, where it must stay as it is."""
    return escape(text)


def _when(time: datetime) -> Markup:
    moment = time.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(), moment.strftime("%Y-%m-%d %H:%M UTC")
    )


def _person(author: str) -> str:
    return author.partition(" <")[0] or author


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _json_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("promptstore.server.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    environment.filters.update(
        exactly=_exactly,
        when=_when,
        person=_person,
        json_text=_json_text,
        json_line=_json_line,
        digits="{:,}".format,
    )
    environment.globals.update(static=_static_url, url=url_of, most_bytes=MAX_FORM_BYTES)
    return environment
