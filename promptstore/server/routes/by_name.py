"""``llm_prompts/name/:name`` and ``llm_prompts/resolve``: today's generation."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.posthog import models, requests
from promptstore.posthog.fields import read_uuid
from promptstore.server import reading, writing
from promptstore.server.answers import answer, answer_read
from promptstore.server.auth import Reader, Writer
from promptstore.server.routes.common import (
    CONDITIONAL,
    IfMatch,
    LabelSegment,
    NameOrId,
    PromptName,
    Segment,
    make_router,
    write,
)

_NAME: Final = "/llm_prompts/name/{prompt_name}"

router: Final = make_router("prompts by name")


@router.get(
    _NAME,
    response_model=models.PublicPrompt | models.NativePrompt,
    **CONDITIONAL,
)
async def get_prompt_by_name(
    request: Request,
    caller: Reader,
    prompt_name: NameOrId,
    query: Annotated[requests.ReadQuery, Query()],
) -> Response:
    """Read a prompt by name: its newest version, that of a number, or that of a label."""
    return await answer_read(request, caller.project, reading.read_by_name, prompt_name, query)


async def _known_id(caller: Writer, prompt_name: NameOrId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    if read_uuid(prompt_name):
        await run_in_threadpool(reading.find_by_name, caller.project, prompt_name, ids=True)


@router.patch(
    _NAME,
    response_model=models.FullPrompt,
    dependencies=[Depends(_known_id)],
    responses={409: {"model": models.ErrorBody, "description": "The base is stale."}},
)
async def publish_prompt(
    caller: Writer,
    prompt_name: NameOrId,
    body: requests.PublishRequest,
    query: Annotated[requests.FormatQuery, Query()],
    if_match: IfMatch = None,
) -> Response:
    """Make a new version of a prompt. What says the same as before makes none."""
    return answer(await write(writing.publish, caller, prompt_name, body, query.format, if_match))


@router.post(f"{_NAME}/render", response_model=models.Rendered)
async def render_prompt(
    caller: Reader, prompt_name: NameOrId, body: requests.RenderRequest
) -> Response:
    """Fill a prompt with values; every missing, unknown and wrong one is told at once."""
    return answer(await run_in_threadpool(reading.render, caller.project, prompt_name, body))


@router.post(f"{_NAME}/archive", status_code=204)
async def archive_prompt(caller: Writer, prompt_name: PromptName, if_match: IfMatch = None) -> None:
    """Set the tombstone of a prompt and take its labels off; its text stays in git."""
    await write(writing.archive, caller, prompt_name, if_match)


@router.post(f"{_NAME}/unarchive", response_model=models.FullPrompt)
async def unarchive_prompt(caller: Writer, prompt_name: PromptName) -> Response:
    """Take the tombstone off a prompt."""
    return answer(await write(writing.unarchive, caller, prompt_name))


@router.post(
    f"{_NAME}/duplicate",
    response_model=models.FullPrompt,
    status_code=201,
)
async def duplicate_prompt(
    caller: Writer,
    prompt_name: PromptName,
    body: requests.DuplicateRequest,
    if_match: IfMatch = None,
) -> Response:
    """Make a prompt with the newest content of another one."""
    return answer(await write(writing.duplicate, caller, prompt_name, body, if_match), 201)


@router.put(
    f"{_NAME}/labels/{{label}}",
    response_model=models.LabelRow,
    responses={201: {"model": models.LabelRow, "description": "The label is new."}},
)
async def set_label(
    caller: Writer,
    prompt_name: PromptName,
    label: LabelSegment,
    body: requests.LabelRequest,
    if_match: IfMatch = None,
) -> Response:
    """Point a label at a version of a prompt."""
    shown, is_new = await write(
        writing.set_label, caller, prompt_name, label, body.version, if_match
    )
    return answer(shown, 201 if is_new else 200)


@router.delete(f"{_NAME}/labels/{{label}}", status_code=204)
async def remove_label(
    caller: Writer,
    prompt_name: PromptName,
    label: Annotated[Segment, Path(description="The label.", examples=["production"])],
    if_match: IfMatch = None,
) -> None:
    """Take a label off a prompt."""
    await write(writing.remove_label, caller, prompt_name, label, if_match)


@router.get(f"{_NAME}/diff", response_model=models.PromptDiff, **CONDITIONAL)
async def diff_prompt(
    request: Request,
    caller: Reader,
    prompt_name: NameOrId,
    query: Annotated[requests.DiffQuery, Query()],
) -> Response:
    """Compare two versions of a prompt, in words and line by line."""
    return await answer_read(request, caller.project, reading.read_diff, prompt_name, query)


@router.get(
    "/llm_prompts/resolve/name/{prompt_name}",
    response_model=models.Resolved,
    **CONDITIONAL,
)
async def resolve_prompt(
    request: Request,
    caller: Reader,
    prompt_name: PromptName,
    query: Annotated[requests.ResolveQuery, Query()],
) -> Response:
    """Read one version of a prompt together with a page of its history and its labels."""
    return await answer_read(request, caller.project, reading.resolve, prompt_name, query)
