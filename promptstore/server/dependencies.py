"""What every route is given: who asks for which project and may do so, names, and labels.

`make_router` makes a router of a project. Its operations take a `Reader`, a `Writer`, or a `Writer`
whose turn it is (`Turn`), and are mounted in `promptstore.server.app`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Path, Query, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from pydantic import AfterValidator, BeforeValidator
from starlette.requests import Request

from promptstore.errors import RepositoryLockedError
from promptstore.posthog.fields import Label
from promptstore.posthog.models import ErrorBody
from promptstore.server.bodies import ApiRoute
from promptstore.server.errors import forbidden, not_found, unauthenticated
from promptstore.server.projects import Project
from promptstore.server.tokens import Token, TokenFile

PROJECT: Final = "/api/environments/{project_id}"
"""Where the routes of a project lie; ``/api/projects/`` leads to the same ones."""

LIST_PATH: Final = "/llm_prompts"
ID_PATH: Final = "/llm_prompts/{id}"
NAME_PATH: Final = "/llm_prompts/name/{prompt_name}"

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": ErrorBody, "description": "The request is refused."},
    401: {"model": ErrorBody, "description": "There is no good key."},
    403: {"model": ErrorBody, "description": "The key lacks the scope."},
}
"""What every route of a project may answer."""

MAX_WAIT_SECONDS: Final = 30.0
"""How long a write waits for its turn, in seconds."""

CONDITIONAL: Final[dict[str, Any]] = {
    "responses": {304: {"description": "The client has it already."}},
    "openapi_extra": {
        "parameters": [
            {
                "in": "header",
                "name": "If-None-Match",
                "schema": {"type": "string"},
                "description": "What the client has: 304 where it is the same.",
                "example": '"abc"',
            }
        ]
    },
}
"""What a read says of itself beside its answer."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names of this machine for itself."""

_LOCAL_HOST: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")
_OF_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


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


@asynccontextmanager
async def in_turn(project: Project) -> AsyncIterator[None]:
    """Wait until it is the turn of a request to write to a project.

    The lock of the repository lets one writer in at a time, and not the one who waited longest. So
    writers stand in line here, where they keep no thread from readers.

    Raises:
        RepositoryLockedError: Others were in line for too long.
    """
    try:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            await project.turn.acquire()
    except TimeoutError:
        path, reason = str(project.store.path), "other writers were in line for too long."
        raise RepositoryLockedError(path=path, reason=reason) from None
    try:
        yield
    finally:
        project.turn.release()


async def _in_turn(caller: Writer) -> AsyncIterator[Caller]:
    async with in_turn(caller.project):
        yield caller


Turn = Annotated[Caller, Depends(_in_turn, scope="function")]


@lru_cache(maxsize=256)
def _decoded(segment: str) -> str:
    # A path is routed as it was sent: `a%2Fb` is one segment. What is no UTF-8 is a ValueError.
    return unquote(segment, errors="strict")


Segment = Annotated[str, AfterValidator(_decoded)]
LabelSegment = Annotated[
    Label,
    BeforeValidator(_decoded),
    Path(description="The label.", examples=["production"]),
]
PromptName = Annotated[
    Segment, Path(description="The name of a prompt.", examples=["summarise"], min_length=1)
]
NameOrId = Annotated[
    Segment,
    Path(description="The name of a prompt, or its id.", examples=["summarise"], min_length=1),
]
PromptId = Annotated[
    Segment,
    Path(
        alias="id",
        description="The id of a prompt.",
        examples=["497f6eca-6276-4993-bfeb-53cbbbba6f08"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(description="The state of the prompt that was read: 412 for another.", examples=["*"]),
]


def make_router(tag: str, route_class: type[APIRoute] = ApiRoute) -> APIRouter:
    """Return a router of a project, whose operations are called as their functions are."""
    return APIRouter(
        prefix=PROJECT,
        tags=[tag],
        route_class=route_class,
        responses=REFUSALS,
        generate_unique_id_function=_operation_id,
    )


def _operation_id(route: APIRoute) -> str:
    first, *words = route.name.split("_")
    return first + "".join(word.capitalize() for word in words)


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
    given = header.removeprefix("Bearer ").strip() or request.query_params.get("token", "")
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
    # PostHog knows the word in this letter case only.
    key = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else ""
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
