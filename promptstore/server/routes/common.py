"""What routes share: where they lie, their parameters, what they refuse, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BeforeValidator
from starlette.concurrency import run_in_threadpool

from promptstore.errors import RepositoryLockedError
from promptstore.posthog.fields import Label
from promptstore.posthog.models import ErrorBody
from promptstore.server.auth import Caller
from promptstore.server.bodies import ApiRoute

PROJECT: Final = "/api/environments/{project_id}"
"""Where the routes of a project lie; ``/api/projects/`` leads to the same ones."""

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


_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


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
IfMatch = Annotated[
    str | None,
    Header(description="The state of the prompt that was read: 412 for another.", examples=["*"]),
]


async def write(
    change: Callable[Concatenate[Caller, _Given], _Made],
    caller: Caller,
    *arguments: _Given.args,
    **named: _Given.kwargs,
) -> _Made:
    """Make a change of a project in a thread, once it is its turn.

    The lock of the repository lets one writer in at a time, and not the one who waited longest. So
    writers stand in line here, where they keep no thread from readers.

    Raises:
        RepositoryLockedError: Others were in line for too long.
    """
    turn = caller.project.turn
    try:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            await turn.acquire()
    except TimeoutError:
        path, reason = str(caller.project.store.path), "other writers were in line for too long."
        raise RepositoryLockedError(path=path, reason=reason) from None
    try:
        return await run_in_threadpool(change, caller, *arguments, **named)
    finally:
        turn.release()
