"""``llm_prompts/name/:name`` and ``llm_prompts/resolve``: today's generation."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.posthog.fields import read_uuid
from promptstore.posthog.models import (
    ErrorBody,
    FullPrompt,
    LabelRow,
    NativePrompt,
    PromptDiff,
    PublicPrompt,
    Rendered,
    Resolved,
)
from promptstore.posthog.requests import (
    DiffQuery,
    DuplicateRequest,
    FormatQuery,
    LabelRequest,
    PublishRequest,
    ReadQuery,
    RenderRequest,
    ResolveQuery,
)
from promptstore.server import reading, views, writing
from promptstore.server.answers import answer, answer_read
from promptstore.server.auth import Reader, Writer
from promptstore.server.bodies import ApiRoute, PromptRoute
from promptstore.server.routes.common import (
    CONDITIONAL,
    PROJECT,
    REFUSALS,
    IfMatch,
    LabelSegment,
    NameOrId,
    PromptName,
    Segment,
    write,
)

_NAME: Final = "/llm_prompts/name/{prompt_name}"

contents: Final = APIRouter(
    prefix=PROJECT, tags=["prompts by name"], route_class=PromptRoute, responses=REFUSALS
)
router: Final = APIRouter(
    prefix=PROJECT, tags=["prompts by name"], route_class=ApiRoute, responses=REFUSALS
)


@router.get(
    _NAME,
    operation_id="getPromptByName",
    response_model=PublicPrompt | NativePrompt,
    **CONDITIONAL,
)
async def get_by_name(
    request: Request,
    caller: Reader,
    prompt_name: NameOrId,
    query: Annotated[ReadQuery, Query()],
) -> Response:
    """Read a prompt by name: its newest version, that of a number, or that of a label."""
    project = caller.project
    read = partial(reading.read_by_name, project, prompt_name, query)
    return await answer_read(request, project, read)


async def _known_id(caller: Writer, prompt_name: NameOrId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    if read_uuid(prompt_name):
        await run_in_threadpool(reading.find_by_name, caller.project, prompt_name, ids=True)


@contents.patch(
    _NAME,
    operation_id="publishPrompt",
    response_model=FullPrompt,
    dependencies=[Depends(_known_id)],
    responses={409: {"model": ErrorBody, "description": "The base is stale."}},
)
async def publish(
    caller: Writer,
    prompt_name: NameOrId,
    body: PublishRequest,
    query: Annotated[FormatQuery, Query()],
    if_match: IfMatch = None,
) -> Response:
    """Make a new version of a prompt. What says the same as before makes none."""
    made = await write(writing.publish, caller, prompt_name, body, query.format, if_match)
    return answer(views.full_prompt(made.row), etag=made.etag)


@router.post(f"{_NAME}/render", operation_id="renderPrompt", response_model=Rendered)
async def render(caller: Reader, prompt_name: NameOrId, body: RenderRequest) -> Response:
    """Fill a prompt with values; every missing, unknown and wrong one is told at once."""
    return answer(await run_in_threadpool(reading.render, caller.project, prompt_name, body))


@router.post(f"{_NAME}/archive", operation_id="archivePrompt", status_code=204)
async def archive(caller: Writer, prompt_name: PromptName, if_match: IfMatch = None) -> None:
    """Set the tombstone of a prompt and take its labels off; its text stays in git."""
    await write(writing.archive, caller, prompt_name, if_match)


@router.post(f"{_NAME}/unarchive", operation_id="unarchivePrompt", response_model=FullPrompt)
async def unarchive(caller: Writer, prompt_name: PromptName) -> Response:
    """Take the tombstone off a prompt."""
    made = await write(writing.unarchive, caller, prompt_name)
    return answer(views.full_prompt(made.row), etag=made.etag)


@router.post(
    f"{_NAME}/duplicate",
    operation_id="duplicatePrompt",
    response_model=FullPrompt,
    status_code=201,
)
async def duplicate(
    caller: Writer, prompt_name: PromptName, body: DuplicateRequest, if_match: IfMatch = None
) -> Response:
    """Make a prompt with the newest content of another one."""
    made = await write(writing.duplicate, caller, prompt_name, body, if_match)
    return answer(views.full_prompt(made.row), 201, etag=made.etag)


@router.put(
    f"{_NAME}/labels/{{label}}",
    operation_id="setLabel",
    response_model=LabelRow,
    responses={201: {"model": LabelRow, "description": "The label is new."}},
)
async def set_label(
    caller: Writer,
    prompt_name: PromptName,
    label: LabelSegment,
    body: LabelRequest,
    if_match: IfMatch = None,
) -> Response:
    """Point a label at a version of a prompt."""
    shown, is_new = await write(
        writing.set_label, caller, prompt_name, label, body.version, if_match
    )
    return answer(shown, 201 if is_new else 200)


@router.delete(f"{_NAME}/labels/{{label}}", operation_id="removeLabel", status_code=204)
async def remove_label(
    caller: Writer,
    prompt_name: PromptName,
    label: Annotated[Segment, Path(description="The label.", examples=["production"])],
    if_match: IfMatch = None,
) -> None:
    """Take a label off a prompt."""
    await write(writing.remove_label, caller, prompt_name, label, if_match)


@router.get(f"{_NAME}/diff", operation_id="diffPrompt", response_model=PromptDiff, **CONDITIONAL)
async def diff(
    request: Request, caller: Reader, prompt_name: NameOrId, query: Annotated[DiffQuery, Query()]
) -> Response:
    """Compare two versions of a prompt, in words and line by line."""
    project = caller.project
    read = partial(reading.read_diff, project, prompt_name, query)
    return await answer_read(request, project, read)


@router.get(
    "/llm_prompts/resolve/name/{prompt_name}",
    operation_id="resolvePrompt",
    response_model=Resolved,
    **CONDITIONAL,
)
async def resolve(
    request: Request,
    caller: Reader,
    prompt_name: PromptName,
    query: Annotated[ResolveQuery, Query()],
) -> Response:
    """Read one version of a prompt together with a page of its history and its labels."""
    project = caller.project
    return await answer_read(
        request, project, partial(reading.resolve, project, prompt_name, query)
    )
