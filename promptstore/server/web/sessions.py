"""Who looks at a page: a cookie instead of a key, and tokens that forms carry back."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server.errors import ApiError, forbidden
from promptstore.server.projects import Project, check_local, find_project
from promptstore.server.tokens import Token

COOKIE: Final = "promptstore_session"
SECONDS: Final = 12 * 3600
"""How long somebody stays signed in."""

OTHER_SITES: Final = ("cross-site", "same-site")
"""What a browser says of a request that a page of another site makes."""

_VALUE: Final = re.compile(r"([0-9a-f]*)\.([0-9]{1,12})\.[\w-]{1,64}\.[0-9a-f]{64}")


class SignInRequiredError(ApiError):
    """A page that only somebody who is signed in may see; it never leaves the server."""

    def __init__(self) -> None:
        super().__init__(401, {"detail": "Sign in to see this page."})


class ElsewhereError(ApiError):
    """A page that is at another URL; it never leaves the server.

    Attributes:
        url: The URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(303, {"detail": "See the other page."}, {"Location": url})
        self.url = url


class Sessions:
    """Makes and reads the cookies of a server, which end with it.

    A cookie holds no key: it names the token of one, and until when, under a code that only this
    server can make. Whoever is not signed in has a cookie without a token, for the forms' sake.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._ended: dict[str, int] = {}

    def start(self, token: Token | None) -> str:
        """Return the value of a new cookie."""
        number = token.id if token else ""
        said = f"{number}.{int(time.time()) + SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{said}.{self._code('session', said)}"

    def token_id(self, value: str) -> str | None:
        """Return the id of the token in a cookie, empty for nobody; None where it does not count.

        Args:
            value: The value of the cookie.
        """
        found = _VALUE.fullmatch(value)
        if found is None or int(found[2]) < time.time():
            return None
        if value in self._ended:
            return None
        said, _, code = value.rpartition(".")
        return found[1] if hmac.compare_digest(code, self._code("session", said)) else None

    def end(self, value: str) -> None:
        """Let a cookie count no more, wherever it was copied to."""
        if self.token_id(value) is not None:
            now = time.time()
            known = {cookie: until for cookie, until in self._ended.items() if until > now}
            self._ended = {**known, value: int(value.split(".")[1])}

    def form_token(self, value: str) -> str:
        """Return the token that the forms of a session carry."""
        return self._code("form", value)

    def _code(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Visitor:
    """One request for a page, by somebody who may see it.

    Attributes:
        request: The request.
        project: The project that it is about.
        token: The token of who is signed in; None where nobody is asked for a key.
        session: The value of the cookie.
        base: What every URL of the project begins with.
    """

    request: Request
    project: Project
    token: Token | None
    session: str
    base: str

    @property
    def author(self) -> str | None:
        """Who writes, as ``Name <email>``; None is whom git knows on the server."""
        return self.token.user if self.token else None

    @property
    def projects(self) -> list[int]:
        """The numbers of all projects that this somebody may see."""
        every: Mapping[int, Project] = self.request.app.state.projects
        return sorted(one for one in every if self.token is None or one in self.token.projects)

    def may(self, scope: str) -> bool:
        """Return whether this somebody has a scope."""
        return self.token is None or self.token.may(scope)

    def require(self, scope: str) -> None:
        """Refuse whoever lacks a scope.

        Raises:
            ApiError: It is lacking (403).
        """
        if not self.may(scope):
            raise forbidden(
                f"Your key lacks the scope '{scope}', which this needs. Whoever made it can make "
                "another one with `promptstore token create`."
            )


def session_of(request: Request) -> tuple[str, str | None]:
    """Return the cookie of a request, and the id of its token; a new cookie where none counts."""
    sessions: Sessions = request.app.state.sessions
    value = request.cookies.get(COOKIE, "")
    number = sessions.token_id(value)
    return (sessions.start(None), None) if number is None else (value, number)


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Give a browser its cookie: only over TLS, where the pages are reached over TLS."""
    projects: Mapping[int, Project] = request.app.state.projects
    urls = [project.settings.public_url or "" for project in projects.values()]
    is_secure = request.scope["scheme"] == "https" or any(url.startswith("https:") for url in urls)
    response.set_cookie(
        COOKIE,
        value,
        max_age=SECONDS,
        httponly=True,
        samesite="strict",
        secure=is_secure,
    )


def _visitor(request: Request) -> Visitor:
    state = request.app.state
    if request.method == "POST" and request.headers.get("sec-fetch-site", "none") in OTHER_SITES:
        raise forbidden("A page of another site cannot send this form.")
    value, number = session_of(request)
    token: Token | None = None
    if state.tokens is None:
        check_local(request)
    else:
        known = (one for one in state.tokens.tokens() if number and one.id == number)
        token = next(known, None)
        if token is None:
            raise SignInRequiredError
        # The access log tells it.
        request.scope["promptstore.user"] = token.user
    segment = request.path_params.get("project_id", "@current")
    project = find_project(state.projects, token, segment)
    base = f"/projects/{project.id}" if len(state.projects) > 1 else ""
    if base and segment == "@current" and request.method == "GET":
        path = request.scope["path"].removesuffix("/") or "/prompts"
        query = request.url.query
        raise ElsewhereError(f"{base}{path}" + (f"?{query}" if query else ""))
    return Visitor(request, project, token, value, base)


def visitor_with(scope: str) -> Callable[[Request], Coroutine[Any, Any, Visitor]]:
    """Return the dependency that lets somebody with a scope see a page."""

    async def visitor(request: Request) -> Visitor:
        found = _visitor(request)
        found.require(scope)
        return found

    return visitor


Reads: Final = Depends(visitor_with("llm_prompt:read"))
Writes: Final = Depends(visitor_with("llm_prompt:write"))
Analyses: Final = Depends(visitor_with("llm_analytics:write"))
