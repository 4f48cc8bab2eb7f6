"""``llm_prompts/name/:name`` and ``llm_prompts/resolve``: today's generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server import documents, reading, wire, writing
from promptstore.server.bodies import read_body
from promptstore.server.projects import Project
from promptstore.server.reading import Draft
from promptstore.server.replies import reply, reply_read
from promptstore.server.routes.asked import admit, path_text, write

_NAME: Final = "/llm_prompts/name/{prompt_name}"

router: Final = APIRouter(prefix=documents.PROJECT, tags=["prompts by name"])


@router.get(_NAME, **documents.GET_BY_NAME)
async def get_by_name(request: Request) -> Response:
    """Read a prompt by name: its newest version, that of a number, or that of a label."""
    return await _reply(request, reading.read_by_name)


@router.patch(_NAME, **documents.PUBLISH)
async def publish(request: Request) -> Response:
    """Make a new version of a prompt. What says the same as before makes none."""
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "prompt_name")
    body = await read_body(request)
    written = await write(writing.publish, caller, text, body, _if_match(request))
    return reply(wire.full_object(written.row), etag=written.etag)


@router.post(f"{_NAME}/archive", **documents.ARCHIVE)
async def archive(request: Request) -> Response:
    """Set the tombstone of a prompt and take its labels off; its text stays in git."""
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "prompt_name")
    await write(writing.archive, caller, text, _if_match(request))
    return Response(None, 204)


@router.post(f"{_NAME}/unarchive", **documents.UNARCHIVE)
async def unarchive(request: Request) -> Response:
    """Take the tombstone off a prompt."""
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "prompt_name")
    written = await write(writing.unarchive, caller, text)
    return reply(wire.full_object(written.row), etag=written.etag)


@router.post(f"{_NAME}/duplicate", **documents.DUPLICATE)
async def duplicate(request: Request) -> Response:
    """Make a prompt with the newest content of another one."""
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "prompt_name")
    body = await read_body(request)
    written = await write(writing.duplicate, caller, text, body, _if_match(request))
    return reply(wire.full_object(written.row), 201, etag=written.etag)


@router.put(f"{_NAME}/labels/{{label}}", **documents.SET_LABEL)
async def set_label(request: Request) -> Response:
    """Point a label at a version of a prompt."""
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "prompt_name")
    label = path_text(request, "label")
    body = await read_body(request)
    shown, is_new = await write(writing.set_label, caller, text, label, body, _if_match(request))
    return reply(shown, 201 if is_new else 200)


@router.delete(f"{_NAME}/labels/{{label}}", **documents.REMOVE_LABEL)
async def remove_label(request: Request) -> Response:
    """Take a label off a prompt."""
    caller = admit(request, "llm_prompt:write")
    text = path_text(request, "prompt_name")
    label = path_text(request, "label")
    await write(writing.remove_label, caller, text, label, _if_match(request))
    return Response(None, 204)


@router.get(f"{_NAME}/diff", **documents.DIFF)
async def diff(request: Request) -> Response:
    """Tell what changed between two versions of a prompt, in words and line by line."""
    return await _reply(request, reading.read_diff)


@router.get("/llm_prompts/resolve/name/{prompt_name}", **documents.RESOLVE)
async def resolve(request: Request) -> Response:
    """Read one version of a prompt together with a page of its history and its labels."""
    return await _reply(request, reading.resolve)


def _if_match(request: Request) -> str | None:
    return request.headers.get("if-match")


async def _reply(
    request: Request, read: Callable[[Project, str, reading.Query], Draft]
) -> Response:
    project = admit(request, "llm_prompt:read").project

    def ask(request: Request, project: Project) -> Draft:
        return read(project, path_text(request, "prompt_name"), request.query_params)

    return await reply_read(request, project, ask)
