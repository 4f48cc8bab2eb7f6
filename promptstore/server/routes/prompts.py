"""``llm_prompts`` and ``llm_prompts/:id``: the list, and the generation of ids."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server import documents, reading, wire, writing
from promptstore.server.bodies import read_body
from promptstore.server.problems import no_deletion
from promptstore.server.projects import Project
from promptstore.server.reading import Draft
from promptstore.server.replies import page_of, reply, reply_read
from promptstore.server.routes.asked import admit, path_text, write

router: Final = APIRouter(prefix=documents.PROJECT, tags=["prompts"])


@router.get("/llm_prompts", **documents.LIST)
async def list_prompts(request: Request) -> Response:
    """List the prompts of a project, each at its newest version or at that of a label."""
    return await reply_read(request, admit(request, "llm_prompt:read").project, _list)


@router.post("/llm_prompts", **documents.CREATE)
async def create_prompt(request: Request) -> Response:
    """Make a prompt. The name of an archived one may be used again; its versions go on."""
    caller = admit(request, "llm_prompt:write")
    body = await read_body(request)
    written = await write(writing.create, caller, body)
    return reply(wire.full_object(written.row), 201, etag=written.etag)


@router.get("/llm_prompts/{id}", **documents.RETRIEVE)
async def retrieve_prompt(request: Request) -> Response:
    """Read a prompt by id."""
    return await reply_read(request, admit(request, "llm_prompt:read").project, _by_id)


@router.patch("/llm_prompts/{id}", **documents.UPDATE)
async def update_prompt(request: Request) -> Response:
    """Change the name, the content or the tombstone of a prompt; what is left out stays."""
    return await _update(request, partial_update=True)


@router.put("/llm_prompts/{id}", **documents.REPLACE)
async def replace_prompt(request: Request) -> Response:
    """Change the name and the content of a prompt."""
    return await _update(request, partial_update=False)


@router.delete("/llm_prompts/{id}", **documents.DELETE)
async def delete_prompt(request: Request) -> Response:
    """Nothing is deleted here: PATCH `deleted` to true instead."""
    admit(request, "llm_prompt:write")
    raise no_deletion()


async def _update(request: Request, *, partial_update: bool) -> Response:
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "id")
    body = await read_body(request)
    if_match = request.headers.get("if-match")
    written = await write(writing.update, caller, text, body, if_match, partial=partial_update)
    return reply(wire.seed_object(written.row), etag=written.etag)


def _list(request: Request, project: Project) -> Draft:
    return reading.read_list(project, request.query_params, page_of(request, project))


def _by_id(request: Request, project: Project) -> Draft:
    return reading.read_by_id(project, path_text(request, "id"), request.query_params)
