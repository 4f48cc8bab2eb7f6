"""The projects of a server, and who may ask for which: what every route of a project is given.

`make_router` makes a router of a project. Its operations take a `Reader` or a `Writer`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import unquote
from uuid import UUID, uuid5

from fastapi import APIRouter, Header, Path, Query, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from pydantic import AfterValidator, BeforeValidator
from starlette.datastructures import QueryParams
from starlette.requests import Request

from promptstore.errors import HistoryUnavailableError, PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.posthog.models import ErrorBody
from promptstore.posthog.queries import Label
from promptstore.posthog.requests import read_uuid
from promptstore.server.errors import forbidden, not_found, unauthenticated
from promptstore.server.http import AnswerCache, ApiRoute
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import Token, TokenFile
from promptstore.store.snapshot import History, Snapshot
from promptstore.store.store import PromptStore

SPACE: Final = UUID("5b2f6a54-8f0e-4c3e-9f43-6d1b7a0c2e91")
"""Where all ids are derived, so that they are the same on every clone."""

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


class _FileId(NamedTuple):
    """The id of a prompt as its file tells it, or, unless it is written there, as its name does."""

    id: str
    is_written: bool
    is_deleted: bool


class Project:
    """One project of a server.

    Threads may share it.

    Attributes:
        settings: What the server was told about it.
        store: Its store.
        answers: What was answered since the branch or a label moved.
        turn: Whose turn it is to write: who comes first writes first.
    """

    def __init__(self, settings: ProjectSettings) -> None:
        self.settings = settings
        self.store = PromptStore.open(
            settings.repository,
            root=settings.root,
            branch=settings.branch,
            worktree=False,
            fetch_interval=settings.fetch_interval,
        )
        self.answers = AnswerCache()
        self.turn = asyncio.Lock()
        self._store_id: UUID | None = None
        self._names_by_id: tuple[str | None, dict[str, str]] = (None, {})
        self._file_ids: dict[tuple[str, str], _FileId] = {}

    @property
    def id(self) -> int:
        """Its number in URLs."""
        return self.settings.id

    def history(self, snapshot: Snapshot) -> History:
        """Return the history of a snapshot of this project.

        Raises:
            HistoryUnavailableError: The clone is shallow, or there is no commit.
        """
        if snapshot.history is None:
            raise HistoryUnavailableError(
                reason="a server needs the whole history. Run `git fetch --unshallow`."
            )
        return snapshot.history

    def id_of(self, snapshot: Snapshot, prompt: Prompt) -> str:
        """Return the id of a prompt: the one in its file, or the one that follows from its name."""
        if prompt.id is None:
            return self.derived_id(snapshot, prompt.name or "")
        return read_uuid(prompt.id) or prompt.id

    def derived_id(self, snapshot: Snapshot, name: str) -> str:
        """Return the id that follows from a name."""
        if self._store_id is None:
            first = self.history(snapshot).timeline.first_commit()
            # All clones share the first commit, and so the ids.
            self._store_id = uuid5(SPACE, f"store {first} {self.store.root}")
        return str(uuid5(self._store_id, f"prompt {name}"))

    def names_by_id(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the names of all prompts that are not deleted, by id; one in a file goes first."""
        if snapshot.commit is None:
            return {}
        commit, names = self._names_by_id
        if commit != snapshot.commit:
            # Those with an id in the file come last, and so win.
            found = sorted(self._read_ids(snapshot), key=lambda pair: pair[1].is_written)
            names = {one.id: name for name, one in found if not one.is_deleted}
            self._names_by_id = (snapshot.commit, names)
        return names

    def _read_ids(self, snapshot: Snapshot) -> list[tuple[str, _FileId]]:
        before, after = self._file_ids, dict[tuple[str, str], _FileId]()
        found: list[tuple[str, _FileId]] = []
        for name in snapshot.names():
            key = (name, snapshot.file(name).blob)
            # A file that was read before is not read again: else each write would read all of them.
            one = before.get(key)
            if one is None:
                try:
                    prompt = snapshot.read(name, deleted=True)
                except PromptFileError:
                    # What it includes may be mended without a change of this file.
                    found.append((name, _FileId(self.derived_id(snapshot, name), False, False)))
                    continue
                number = self.id_of(snapshot, prompt)
                one = _FileId(number, prompt.id is not None, prompt.deleted)
            after[key] = one
            found.append((name, one))
        self._file_ids = after
        return found


def open_projects(settings: Sequence[ProjectSettings]) -> dict[int, Project]:
    """Open the stores of all projects.

    Raises:
        RepositoryError: A repository cannot be opened.
        RevisionNotFoundError: A branch is not there.
        HistoryUnavailableError: A clone is shallow, or no repository at all.
    """
    projects = {one.id: Project(one) for one in settings}
    for project in projects.values():
        if project.store.position().tip is not None:
            # The first question brings the index up, so that no request waits for that.
            project.history(project.store.snapshot()).timeline.first_commit()
    return projects


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
        token: Annotated[  # noqa: ARG002 - it is described here, and read with the key
            str,
            Query(
                description="The public token of a project; it wins over the path.",
                examples=["phc_project_1"],
            ),
        ] = "",
    ) -> Caller:
        """Return the caller of a request."""
        return find_caller(request, scopes.scopes, project_id)


def find_caller(request: Request, scopes: Collection[str], segment: str = "@current") -> Caller:
    """Return the caller of a request; the public token in its query wins over the project's number.

    Args:
        request: The request.
        scopes: What its key must be allowed to do.
        segment: The number of the project, or ``@current``.

    Raises:
        ApiError: 401 without a good key, 404 for a project that is not there or not theirs,
            403 without the scope.
    """
    state = request.app.state
    token = _token(request, state.tokens)
    public = _public_token(request.scope["query_string"])
    project = find_project(state.projects, token, segment, public)
    for scope in scopes:
        if token is not None and not token.may(scope):
            raise forbidden(f"API key missing required scope '{scope}'")
    return Caller(project, token.user if token else None)


@lru_cache(maxsize=256)
def _public_token(query: bytes) -> str:
    # Clients ask the same again and again.
    return QueryParams(query).get("token", "")


authorize: Final = KeyAuth()
Reader = Annotated[Caller, Security(authorize, scopes=["llm_prompt:read"])]
Writer = Annotated[Caller, Security(authorize, scopes=["llm_prompt:write"])]


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
