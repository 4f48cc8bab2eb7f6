"""``llm_prompts`` and ``llm_prompts/:id``: the list, and the generation of ids."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.posthog.models import FullPrompt, NativePrompt, PromptById, PromptList
from promptstore.posthog.requests import (
    CreateRequest,
    FormatQuery,
    ListQuery,
    ReplaceRequest,
    UpdateRequest,
)
from promptstore.server import reading, views, writing
from promptstore.server.answers import answer, answer_read, origin
from promptstore.server.auth import Reader, Writer
from promptstore.server.bodies import PromptRoute
from promptstore.server.errors import invalid
from promptstore.server.reading import Page
from promptstore.server.routes.common import (
    CONDITIONAL,
    PROJECT,
    REFUSALS,
    IfMatch,
    Segment,
    write,
)

_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)

router: Final = APIRouter(
    prefix=PROJECT, tags=["prompts"], route_class=PromptRoute, responses=REFUSALS
)

PromptId = Annotated[
    Segment,
    Path(
        alias="id",
        description="The id of a prompt.",
        examples=["497f6eca-6276-4993-bfeb-53cbbbba6f08"],
    ),
]


def _link(operation: str, key: str, field: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "parameters": {
            "path.project_id": "$request.path.project_id",
            f"path.{key}": f"$response.body#/{field}",
        },
    }


_LINKS: Final = {
    **{name: _link(name, "prompt_name", "name") for name in (
        "getPromptByName", "publishPrompt", "renderPrompt", "archivePrompt", "unarchivePrompt",
        "duplicatePrompt", "setLabel", "removeLabel", "diffPrompt", "resolvePrompt",
    )},
    **{name: _link(name, "id", "id") for name in (
        "retrievePrompt", "updatePrompt", "replacePrompt",
    )},
}  # fmt: skip


@router.get("/llm_prompts", operation_id="listPrompts", response_model=PromptList, **CONDITIONAL)
async def list_prompts(
    request: Request, caller: Reader, query: Annotated[ListQuery, Query()]
) -> Response:
    """List the prompts of a project, each at its newest version or at that of a label."""
    project = caller.project
    base = project.settings.public_url
    if base is None:
        if not _HOST.fullmatch(request.headers.get("host", "")):
            raise invalid("invalid_host", "The Host header names no host.")
        base = origin(request)
    address = base.rstrip("/") + request.scope["promptstore.path"]
    page = Page(address, tuple(request.query_params.multi_items()))
    return await answer_read(request, project, partial(reading.read_list, project, query, page))


@router.post(
    "/llm_prompts",
    operation_id="createPrompt",
    response_model=FullPrompt,
    status_code=201,
    openapi_extra={"responses": {"201": {"links": _LINKS}}},
)
async def create_prompt(
    caller: Writer, body: CreateRequest, query: Annotated[FormatQuery, Query()]
) -> Response:
    """Make a prompt. The name of an archived one may be used again; its versions go on."""
    made = await write(writing.create, caller, body, query.format)
    return answer(views.full_prompt(made.row), 201, etag=made.etag)


@router.get(
    "/llm_prompts/{id}",
    operation_id="retrievePrompt",
    response_model=PromptById | NativePrompt,
    **CONDITIONAL,
)
async def retrieve_prompt(
    request: Request, caller: Reader, prompt_id: PromptId, query: Annotated[FormatQuery, Query()]
) -> Response:
    """Read a prompt by id."""
    project = caller.project
    return await answer_read(
        request, project, partial(reading.read_by_id, project, prompt_id, query)
    )


async def _known_id(caller: Writer, prompt_id: PromptId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    await run_in_threadpool(reading.find_by_id, caller.project, prompt_id)


@router.patch(
    "/llm_prompts/{id}",
    operation_id="updatePrompt",
    response_model=PromptById,
    dependencies=[Depends(_known_id)],
)
async def update_prompt(
    caller: Writer,
    prompt_id: PromptId,
    body: UpdateRequest = UpdateRequest(),  # noqa: B008 - it is empty, and stays so
    if_match: IfMatch = None,
) -> Response:
    """Change the name, the content or the tombstone of a prompt; what is left out stays."""
    made = await write(writing.update, caller, prompt_id, body, if_match)
    return answer(views.by_id(made.row, "json"), etag=made.etag)


@router.put(
    "/llm_prompts/{id}",
    operation_id="replacePrompt",
    response_model=PromptById,
    dependencies=[Depends(_known_id)],
)
async def replace_prompt(
    caller: Writer, prompt_id: PromptId, body: ReplaceRequest, if_match: IfMatch = None
) -> Response:
    """Change the name and the content of a prompt."""
    made = await write(writing.update, caller, prompt_id, body, if_match)
    return answer(views.by_id(made.row, "json"), etag=made.etag)


@router.delete(
    "/llm_prompts/{id}", operation_id="deletePrompt", status_code=405, response_class=Response
)
async def delete_prompt(_caller: Writer, _prompt_id: PromptId) -> Response:
    """Nothing is deleted for good: PATCH `deleted` to true instead."""
    return Response(status_code=405, headers={"Allow": "GET, HEAD, PATCH, PUT"})
