"""Who asks, for which project, and whether they may: the dependencies of every route."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple
from urllib.parse import unquote

from fastapi import Path, Query, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from promptstore.server.errors import forbidden, not_found, unauthenticated
from promptstore.server.projects import Project
from promptstore.server.tokens import Token, TokenFile

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine for itself."""

_LOCAL_HOST: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_BEARER: Final = "Bearer "


class Caller(NamedTuple):
    """One request that may do what it wants to do.

    Attributes:
        project: The project that it is about.
        author: Who writes, as ``Name <email>``; None is whom git knows on the server.
    """

    project: Project
    author: str | None


class KeyAuth(SecurityBase):
    """The dependency that lets a request in: by its key, for its project, with its scopes."""

    def __init__(self) -> None:
        self.scheme_name = "key"
        self.model = HTTPBearer(description="A key made by `promptstore token create`.")

    async def __call__(
        self,
        request: Request,
        scopes: SecurityScopes,
        project_id: Annotated[
            str, Path(description="The project: a number, or `@current`.", examples=["@current"])
        ],
        token: Annotated[
            str,
            Query(
                description="The public token of a project; it wins over the path.",
                examples=["phc_project_1"],
            ),
        ] = "",
    ) -> Caller:
        """Return the caller of a request.

        Raises:
            ApiError: 401 without a good key, 404 for a project that is not there or not theirs,
                403 without the scope.
        """
        state = request.app.state
        known = _token(request, state.tokens)
        project = find_project(state.projects, known, project_id, token)
        for scope in scopes.scopes:
            if known is not None and not known.may(scope):
                raise forbidden(f"API key missing required scope '{scope}'")
        return Caller(project, known.user if known else None)


authorize: Final = KeyAuth()
Reader = Annotated[Caller, Security(authorize, scopes=["llm_prompt:read"])]
Writer = Annotated[Caller, Security(authorize, scopes=["llm_prompt:write"])]


def sending_project(request: Request) -> Project:
    """Return the project that log entries are sent to, by its public token.

    Raises:
        ApiError: 401 without the token of a project.
    """
    state = request.app.state
    projects: Mapping[int, Project] = state.projects
    if state.tokens is None:
        check_local(request)
        if len(projects) == 1:
            return next(iter(projects.values()))
    header = request.headers.get("authorization", "")
    given = header.removeprefix(_BEARER).strip() or request.query_params.get("token", "")
    for project in projects.values():
        if given == project.settings.public_token:
            return project
    detail = "Send the public token of the project: `Authorization: Bearer phc_…`."
    raise unauthenticated("authentication_failed" if given else "not_authenticated", detail)


def _token(request: Request, tokens: TokenFile | None) -> Token | None:
    if tokens is None:
        check_local(request)
        return None
    header = request.headers.get("authorization", "")
    key = header.removeprefix(_BEARER).strip() if header.startswith(_BEARER) else ""
    if not key:
        detail = "Authentication credentials were not provided."
        raise unauthenticated("not_authenticated", detail)
    token = tokens.find(key)
    if token is None:
        detail = "Personal API key found in request Authorization header is invalid."
        raise unauthenticated("authentication_failed", detail)
    # The access log tells it.
    request.scope["promptstore.user"] = token.user
    return token


def find_project(
    projects: Mapping[int, Project], token: Token | None, segment: str, public: str = ""
) -> Project:
    """Return the project of a request among those that its sender may see.

    Args:
        projects: The projects by number.
        token: The token of the sender; None where nobody is asked for a key.
        segment: The number of the project, or ``@current``.
        public: The public token of the project, which wins over the number.

    Raises:
        ApiError: 401 for another public token, 404 for a project that is not there or not theirs.
    """
    seen = {
        str(number): project
        for number, project in projects.items()
        if token is None or number in token.projects
    }
    if public and (token is not None or len(seen) > 1):
        for project in seen.values():
            if project.settings.public_token == public:
                return project
        detail = "Incorrect authentication credentials."
        raise unauthenticated("authentication_failed", detail)
    if unquote(segment) == "@current":
        segment = str(token.projects[0] if token else next(iter(projects)))
    # With one project, nobody need know its public token.
    found = next(iter(seen.values())) if public else seen.get(unquote(segment))
    if found is None:
        raise not_found("Project not found.")
    return found


def check_local(request: Request) -> None:
    """Refuse what a page of another site, or a proxy, may send to this machine.

    Raises:
        ApiError: The request does not come from this machine itself (403).
    """
    headers = request.headers
    host = headers.get("host", "")
    served = f"{request.scope['scheme']}://{host}"
    if (
        not _LOCAL_HOST.fullmatch(host)
        or any(origin != served for origin in headers.getlist("origin"))
        or headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        or any(name in headers for name in _OF_PROXIES)
    ):
        raise forbidden("A server without authentication answers to this machine only.")
