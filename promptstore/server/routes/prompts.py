"""``llm_prompts`` and ``llm_prompts/:id``: the list, and the generation of ids."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.posthog import models, requests
from promptstore.server import reading, writing
from promptstore.server.answers import answer, answer_read, origin
from promptstore.server.auth import Reader, Writer
from promptstore.server.errors import invalid
from promptstore.server.reading import Page
from promptstore.server.routes.common import (
    CONDITIONAL,
    IfMatch,
    Segment,
    make_router,
    write,
)

_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)

router: Final = make_router("prompts")

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


@router.get("/llm_prompts", response_model=models.PromptList, **CONDITIONAL)
async def list_prompts(
    request: Request, caller: Reader, query: Annotated[requests.ListQuery, Query()]
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
    return await answer_read(request, project, reading.read_list, query, page)


@router.post(
    "/llm_prompts",
    response_model=models.FullPrompt,
    status_code=201,
    openapi_extra={"responses": {"201": {"links": _LINKS}}},
)
async def create_prompt(
    caller: Writer, body: requests.CreateRequest, query: Annotated[requests.FormatQuery, Query()]
) -> Response:
    """Make a prompt. The name of an archived one may be used again; its versions go on."""
    return answer(await write(writing.create, caller, body, query.format), 201)


@router.get(
    "/llm_prompts/{id}",
    response_model=models.PromptById | models.NativePrompt,
    **CONDITIONAL,
)
async def retrieve_prompt(
    request: Request,
    caller: Reader,
    prompt_id: PromptId,
    query: Annotated[requests.FormatQuery, Query()],
) -> Response:
    """Read a prompt by id."""
    return await answer_read(request, caller.project, reading.read_by_id, prompt_id, query)


async def _known_id(caller: Writer, prompt_id: PromptId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    await run_in_threadpool(reading.find_by_id, caller.project, prompt_id)


@router.patch(
    "/llm_prompts/{id}",
    response_model=models.PromptById,
    dependencies=[Depends(_known_id)],
)
async def update_prompt(
    caller: Writer,
    prompt_id: PromptId,
    body: requests.UpdateRequest = requests.UpdateRequest(),  # noqa: B008 - it is empty, and stays so
    if_match: IfMatch = None,
) -> Response:
    """Change the name, the content or the tombstone of a prompt; what is left out stays."""
    return answer(await write(writing.update, caller, prompt_id, body, if_match))


@router.put(
    "/llm_prompts/{id}",
    response_model=models.PromptById,
    dependencies=[Depends(_known_id)],
)
async def replace_prompt(
    caller: Writer, prompt_id: PromptId, body: requests.ReplaceRequest, if_match: IfMatch = None
) -> Response:
    """Change the name and the content of a prompt."""
    return answer(await write(writing.update, caller, prompt_id, body, if_match))


@router.delete("/llm_prompts/{id}", status_code=405, response_class=Response)
async def delete_prompt(_caller: Writer, _prompt_id: PromptId) -> Response:
    """Nothing is deleted for good: PATCH `deleted` to true instead."""
    return Response(status_code=405, headers={"Allow": "GET, HEAD, PATCH, PUT"})
