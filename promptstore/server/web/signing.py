"""Signing in by a key of ``promptstore token``, signing out, and the files that pages load."""

from __future__ import annotations

from typing import Annotated, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from promptstore.server.tokens import TokenFile
from promptstore.server.web.pages import Form, Sent, page_router, serve_static, show_alone
from promptstore.server.web.sessions import COOKIE, Sessions, set_cookie

router: Final = page_router()

_TYPED: Final = "typed."
"""What the fields begin with that somebody filled in before signing in."""


@router.get("/static/{name}")
async def show_static(name: str) -> Response:
    """Serve a file that pages load."""
    return serve_static(name)


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - a word of the URL
    """Show the form for a key."""
    return show_alone(request, "sign_in.html", 200, next=_own(next), typed={}, error="")


@router.get("/arrive")
def arrive(to: str = "/") -> Response:
    """Go on to a page, on the way from one of this site: now the browser sends its cookie."""
    return RedirectResponse(_own(to), 303)


@router.post("/sign-in")
def sign_in(request: Request, form: Annotated[Form, Sent]) -> Response:
    """Let in whoever has a key, and go on where they were."""
    tokens: TokenFile | None = request.app.state.tokens
    sessions: Sessions = request.app.state.sessions
    to = _own(form.get("next", "/"))
    typed = {
        key.removeprefix(_TYPED): value for key, value in form.items() if key.startswith(_TYPED)
    }
    token = None if tokens is None else tokens.find(form.get("key", "").strip())
    if form.is_stale or (token is None and tokens is not None):
        error = (
            "This form was made before the server started anew. Please try again."
            if form.is_stale
            else "There is no such key. `promptstore token create` makes one; copy all of it."
        )
        return show_alone(request, "sign_in.html", 403, next=to, typed=typed, error=error)
    value = sessions.start(token)
    if not typed:
        response: Response = RedirectResponse(to, 303)
    else:
        token_of_form = sessions.form_token(value)
        response = show_alone(
            request, "resume.html", 200, next=to, typed=typed, token_of_form=token_of_form
        )
        del response.headers["set-cookie"]
    set_cookie(request, response, value)
    return response


@router.post("/sign-out")
def sign_out(request: Request, form: Annotated[Form, Sent]) -> Response:
    """Forget who looks at the pages."""
    response = RedirectResponse("/", 303)
    if not form.is_stale:
        sessions: Sessions = request.app.state.sessions
        sessions.end(request.cookies.get(COOKIE, ""))
        set_cookie(request, response, sessions.start(None))
    return response


def _own(url: str) -> str:
    """Return a URL of this server: another one is no place to go on at."""
    is_own = url.startswith("/") and not url.startswith("//") and "\\" not in url
    return url if is_own and url.isprintable() else "/"
