"""The reads of prompts: their routes, and what each asks of the store."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from promptstore.compare.diff import diff_prompts
from promptstore.errors import (
    LabelNotFoundError,
    NotFoundError,
    PromptNotFoundError,
    VariableError,
    VersionNotFoundError,
)
from promptstore.model.prompt import Prompt
from promptstore.model.versions import PromptInfo
from promptstore.posthog import models, requests
from promptstore.posthog.content import encode_name
from promptstore.server import views
from promptstore.server.dependencies import (
    CONDITIONAL,
    ID_PATH,
    LIST_PATH,
    NAME_PATH,
    NameOrId,
    PromptId,
    PromptName,
    Reader,
    make_router,
)
from promptstore.server.errors import invalid, no_such_prompt
from promptstore.server.http import Shown, answer, answer_read, origin
from promptstore.server.projects import Found, Project, find_by_id, find_by_name
from promptstore.server.views import Row
from promptstore.store.snapshot import Snapshot

_log = logging.getLogger("promptstore.server")

_VERSIONS_PAGE: Final = 50
_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)

router: Final = make_router("prompts")


def row_of(
    project: Project,
    snapshot: Snapshot,
    prompt: Prompt,
    *,
    label: str | None = None,
    info: PromptInfo | None = None,
) -> Row:
    """Return a version of a prompt with what the API says about it.

    Args:
        project: The project.
        snapshot: The snapshot that the prompt was found in.
        prompt: The version.
        label: The label that it was asked for by.
        info: Who made it and when, where that is known already.
    """
    name = prompt.name or ""
    # The id stays the same through all versions, so it is that of the newest one.
    newest = snapshot.read(name, deleted=True)
    info = info or snapshot.info(name, version=prompt.version)
    message = (
        project.history(snapshot).backend.commit(prompt.commit).message if prompt.commit else ""
    )
    prompt_id = project.id_of(snapshot, newest)
    return Row(prompt, prompt_id, newest.version or 0, info, message, label)


@router.get(NAME_PATH, response_model=models.PublicPrompt | models.NativePrompt, **CONDITIONAL)
async def get_prompt_by_name(
    request: Request,
    caller: Reader,
    prompt_name: NameOrId,
    query: Annotated[requests.ReadQuery, Query()],
) -> Response:
    """Read a prompt by name: its newest version, that of a number, or that of a label."""
    return await answer_read(request, caller.project, read_by_name, prompt_name, query)


def read_by_name(project: Project, text: str, query: requests.ReadQuery) -> Shown:
    """Return one version of a prompt by name: the newest one, that of a number, or of a label."""
    _check_one_of(query.version, query.label)
    found = find_by_name(project, text, ids=True)
    prompt = _selected(project, found, text, query.version, query.label)
    row = row_of(project, found.snapshot, prompt, label=query.label)
    if query.format == "native":
        return Shown(views.native_prompt(row, project.store.labels()))
    is_newest = query.version is None and query.label is None
    is_plain = is_newest and query.content in ("full", "") and query.format in ("json", "")
    shown = views.public_prompt(row, query.content, query.format)
    return Shown(shown, found.etag if is_plain else None)


@router.get(ID_PATH, response_model=models.PromptById | models.NativePrompt, **CONDITIONAL)
async def retrieve_prompt(
    request: Request,
    caller: Reader,
    prompt_id: PromptId,
    query: Annotated[requests.FormatQuery, Query()],
) -> Response:
    """Read a prompt by id."""
    return await answer_read(request, caller.project, _read_by_id, prompt_id, query)


def _read_by_id(project: Project, text: str, query: requests.FormatQuery) -> Shown:
    found = find_by_id(project, text)
    row = row_of(project, found.snapshot, found.prompt)
    if query.format == "native":
        return Shown(views.native_prompt(row, project.store.labels()))
    return Shown(views.by_id(row, query.format), None if query.format == "source" else found.etag)


@router.get(LIST_PATH, response_model=models.PromptList, **CONDITIONAL)
async def list_prompts(
    request: Request, caller: Reader, query: Annotated[requests.ListQuery, Query()]
) -> Response:
    """List the prompts of a project, each at its newest version or at that of a label."""
    base = caller.project.settings.public_url
    if base is None:
        if not _HOST.fullmatch(request.headers.get("host", "")):
            raise invalid("invalid_host", "The Host header names no host.")
        base = origin(request)
    address = base.rstrip("/") + request.scope["promptstore.path"]
    link = partial(_link, address, request.query_params.multi_items(), query.limit)
    return await answer_read(request, caller.project, _read_list, query, link)


def _read_list(project: Project, query: requests.ListQuery, link: Callable[[int], str]) -> Shown:
    snapshot = project.store.snapshot()
    labels = project.store.labels()
    search = query.search.strip().replace("\0", "")
    rows = _listed(project, snapshot, query.label, search)
    if query.created_by_id:
        rows = [row for row in rows if views.is_by(row, query.created_by_id)]
    if snapshot.commit is not None:
        order = query.order_by
        places = project.history(snapshot).timeline.places()
        rows.sort(key=partial(_order_key, order.lstrip("-"), places), reverse=order[0] == "-")
    start, end = query.offset, query.offset + query.limit
    results = [
        views.native_prompt(row, labels)
        if query.format == "native"
        else views.prompt_row(row, labels, query.content, query.format)
        for row in rows[start:end]
    ]
    return Shown(
        models.PromptList(
            count=len(rows),
            next=link(end) if end < len(rows) else None,
            previous=link(start - query.limit) if start > 0 else None,
            results=results,
        )
    )


@router.get(
    f"{LIST_PATH}/resolve/name/{{prompt_name}}", response_model=models.Resolved, **CONDITIONAL
)
async def resolve_prompt(
    request: Request,
    caller: Reader,
    prompt_name: PromptName,
    query: Annotated[requests.ResolveQuery, Query()],
) -> Response:
    """Read one version of a prompt together with a page of its history and its labels."""
    return await answer_read(request, caller.project, _resolve, prompt_name, query)


def _resolve(project: Project, text: str, query: requests.ResolveQuery) -> Shown:
    found = find_by_name(project, text)
    prompt_id = project.id_of(found.snapshot, found.prompt)
    history = project.store.history(found.name)
    versions = [version for version in history if version.number <= found.latest]
    chosen = [
        version
        for version in versions
        if query.version in (None, version.number)
        and query.version_id in (None, views.version_id(prompt_id, version.commit))
    ]
    if not chosen:
        raise no_such_prompt(text)
    prompt = _selected(project, found, text, chosen[0].number, None)
    older = [one for one in versions if one.number < (query.before_version or found.latest + 1)]
    start = query.offset or 0
    end = start + (query.limit or _VERSIONS_PAGE)
    moves = project.store.label_history(name=found.name)
    targets = project.store.labels().targets
    return Shown(
        models.Resolved(
            prompt=views.full_prompt(row_of(project, found.snapshot, prompt)),
            versions=[
                views.version_summary(prompt_id, found.name, version, found.latest)
                for version in older[start:end]
            ],
            has_more=len(older) > end,
            labels=[
                views.label_row(prompt_id, found.name, label, names[found.name].version, moves)
                for label, names in sorted(targets.items())
                if found.name in names
            ],
        )
    )


@router.get(f"{NAME_PATH}/diff", response_model=models.PromptDiff, **CONDITIONAL)
async def diff_prompt(
    request: Request,
    caller: Reader,
    prompt_name: NameOrId,
    query: Annotated[requests.DiffQuery, Query()],
) -> Response:
    """Compare two versions of a prompt, in words and line by line."""
    return await answer_read(request, caller.project, _read_diff, prompt_name, query)


def _read_diff(project: Project, text: str, query: requests.DiffQuery) -> Shown:
    found = find_by_name(project, text, ids=True)
    after = found.latest if query.after is None else query.after
    before = max(1, after - 1) if query.before is None else query.before
    old, new = (_selected(project, found, text, number, None) for number in (before, after))
    changed = diff_prompts(old, new)
    diffs = [{"title": item.title, "diff": item.diff} for item in changed.texts]
    value = {"from": before, "to": after, "changes": list(changed.changes), "texts": diffs}
    return Shown(models.PromptDiff.model_validate({"name": encode_name(found.name), **value}))


@router.post(f"{NAME_PATH}/render", response_model=models.Rendered)
def render_prompt(caller: Reader, prompt_name: NameOrId, body: requests.RenderRequest) -> Response:
    """Fill a prompt with values; every missing, unknown and wrong one is told at once."""
    _check_one_of(body.version, body.label)
    found = find_by_name(caller.project, prompt_name, ids=True)
    prompt = _selected(caller.project, found, prompt_name, body.version, body.label)
    try:
        rendered = prompt.render(body.variables)
    except VariableError as error:
        refusal = invalid("invalid_variables", str(error), "variables")
        refusal.body |= {
            "missing": [*error.missing],
            "unknown": [*error.unknown],
            "invalid": dict(error.invalid),
        }
        raise refusal from None
    return answer(
        models.Rendered(
            name=encode_name(found.name),
            version=prompt.version or found.latest,
            digest=rendered.digest,
            messages=rendered.messages,
            text=None if rendered.is_chat else rendered.text,
            config=dict(rendered.config),
        )
    )


def _check_one_of(version: int | None, label: str | None) -> None:
    if version is not None and label is not None:
        raise invalid("invalid_input", "Use either version or label, not both.")


def _selected(
    project: Project, found: Found, text: str, version: int | None, label: str | None
) -> Prompt:
    try:
        if label is not None:
            return project.store.get(found.name, label=label)
        if version is not None:
            return project.store.get(found.name, version=version)
        return found.prompt
    except (LabelNotFoundError, VersionNotFoundError, PromptNotFoundError):
        raise no_such_prompt(text, version=version, label=label) from None


def _listed(project: Project, snapshot: Snapshot, label: str | None, search: str) -> list[Row]:
    listed, broken = snapshot.list_readable(search=(search or None) if label is None else None)
    for error in broken:
        _log.warning("left out of a list: %s", error)
    if label is not None:
        alive = {prompt.name for prompt in listed}
        try:
            labelled = project.store.snapshot(label=label).list_readable(search=search or None)[0]
        except NotFoundError:
            return []
        listed = [prompt for prompt in labelled if prompt.name in alive]
    infos = snapshot.infos([prompt.name or "" for prompt in listed]) if label is None else {}
    return [
        row_of(project, snapshot, prompt, info=infos.get(prompt.name or "")) for prompt in listed
    ]


def _order_key(order: str, places: Mapping[str, int], row: Row) -> tuple[Any, ...]:
    # Git counts whole seconds, so the place in the history orders what was written in one.
    made = (row.info.updated_at, places.get(row.name, 0))
    if order == "name":
        return (encode_name(row.name),)
    if order == "version":
        return (row.prompt.version, *made)
    if order in ("latest_version", "version_count"):
        return (row.latest, *made)
    if order == "first_version_created_at":
        return (row.info.created_at, *made)
    if order == "prompt_size_bytes":
        return (views.stored_size(row.content()), *made)
    return made


def _link(address: str, query: Sequence[tuple[str, str]], limit: int, offset: int) -> str:
    """Return the URL of another page, which carries every parameter."""
    others = [pair for pair in query if pair[0] not in ("limit", "offset")]
    start = [("offset", str(offset))] if offset > 0 else []
    return f"{address}?{urlencode([*others, ('limit', str(limit)), *start])}"
