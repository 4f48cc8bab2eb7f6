"""The prompts of a project as lists, histories and diffs, and filled with values."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid5

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from promptstore.compare.diff import diff_prompts
from promptstore.errors import LabelNotFoundError, VariableError
from promptstore.history.labels import LabelTable
from promptstore.model.versions import Version
from promptstore.posthog import models, queries
from promptstore.posthog.content import RemoteContent, encode_name
from promptstore.server.errors import invalid, no_such_prompt
from promptstore.server.http import ReadAnswer, answer, origin
from promptstore.server.projects import (
    CONDITIONAL,
    LIST_PATH,
    NAME_PATH,
    NameOrId,
    Project,
    PromptName,
    Reader,
    make_router,
)
from promptstore.server.reading import (
    ReadRoute,
    Row,
    all_labels,
    description_of,
    find_by_name,
    find_version,
    full_prompt,
    native_prompt,
    row_of,
    select,
    to_utc,
    user_of,
    values_of,
)
from promptstore.server.writing import label_row
from promptstore.store.snapshot import Snapshot

_log = logging.getLogger("promptstore.server")

_VERSIONS_PAGE: Final = 50
_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)

router: Final = make_router("prompts", ReadRoute)


@router.get(LIST_PATH, response_model=models.PromptList, **CONDITIONAL)
def list_prompts(
    request: Request, caller: Reader, query: Annotated[queries.ListQuery, Query()]
) -> Response:
    """List the prompts of a project, each at its newest version or at that of a label."""
    project = caller.project
    base = project.settings.public_url
    if base is None:
        if not _HOST.fullmatch(request.headers.get("host", "")):
            raise invalid("invalid_host", "The Host header names no host.")
        base = origin(request)
    address = base.rstrip("/") + request.scope["promptstore.path"]
    link = partial(_link, address, request.query_params.multi_items(), query.limit)
    snapshot = project.store.snapshot()
    search = query.search.strip().replace("\0", "")
    rows, is_settled = _listed(project, snapshot, query.label, search)
    if query.created_by_id:
        wanted = query.created_by_id
        rows = [row for row in rows if (user := user_of(row.info.updated_by)) and user.id == wanted]
    if snapshot.commit is not None:
        order = query.order_by
        places = project.history(snapshot).timeline.places()
        rows.sort(key=partial(_order_key, order.lstrip("-"), places), reverse=order[0] == "-")
    start, end = query.offset, query.offset + query.limit
    labels = snapshot.labels()
    results = [
        native_prompt(row, labels)
        if query.format == "native"
        else _prompt_row(row, labels, query.content, query.format)
        for row in rows[start:end]
    ]
    page = models.PromptList(
        count=len(rows),
        next=link(end) if end < len(rows) else None,
        previous=link(start - query.limit) if start > 0 else None,
        results=results,
    )
    return ReadAnswer(page, snapshot if is_settled else None)


@router.get(
    f"{LIST_PATH}/resolve/name/{{prompt_name}}", response_model=models.Resolved, **CONDITIONAL
)
def resolve_prompt(
    caller: Reader, prompt_name: PromptName, query: Annotated[queries.ResolveQuery, Query()]
) -> Response:
    """Read one version of a prompt together with a page of its history and its labels."""
    project = caller.project
    found = find_by_name(project, prompt_name)
    snapshot, name, latest = found.snapshot, found.name, found.latest
    prompt_id = project.id_of(snapshot, found.prompt)
    history, labels = project.history(snapshot), snapshot.labels()
    changes = history.timeline.history(name)
    chosen = [
        change.number
        for change in changes
        if query.version in (None, change.number)
        and query.version_id in (None, _version_id(prompt_id, change.commit))
    ]
    if not chosen:
        raise no_such_prompt(prompt_name)
    prompt = select(project, found, prompt_name, chosen[0])
    older = [one for one in changes if one.number < (query.before_version or latest + 1)]
    start = query.offset or 0
    end = start + (query.limit or _VERSIONS_PAGE)
    page = [history.version(name, change, labels) for change in older[start:end]]
    moves = project.store.label_history(name=name)
    resolved = models.Resolved(
        prompt=full_prompt(row_of(project, snapshot, prompt)),
        versions=[_version_summary(prompt_id, name, version, latest) for version in page],
        has_more=len(older) > end,
        labels=[
            label_row(prompt_id, name, one.name, one.version, moves)
            for one in all_labels(labels, name)
        ],
    )
    # The moves of labels are told as they are by now.
    return ReadAnswer(resolved, None)


@router.get(f"{NAME_PATH}/diff", response_model=models.PromptDiff, **CONDITIONAL)
def diff_prompt(
    caller: Reader, prompt_name: NameOrId, query: Annotated[queries.DiffQuery, Query()]
) -> Response:
    """Compare two versions of a prompt, in words and line by line."""
    found = find_by_name(caller.project, prompt_name, ids=True)
    after = found.latest if query.after is None else query.after
    before = max(1, after - 1) if query.before is None else query.before
    old, new = (select(caller.project, found, prompt_name, one) for one in (before, after))
    changed = diff_prompts(old, new)
    diffs = [{"title": item.title, "diff": item.diff} for item in changed.texts]
    value = {"from": before, "to": after, "changes": list(changed.changes), "texts": diffs}
    diff = models.PromptDiff.model_validate({"name": encode_name(found.name), **value})
    return ReadAnswer(diff, found.snapshot)


@router.post(f"{NAME_PATH}/render", response_model=models.Rendered)
def render_prompt(caller: Reader, prompt_name: NameOrId, body: queries.RenderRequest) -> Response:
    """Fill a prompt with values; every missing, unknown and wrong one is told at once."""
    found, prompt = find_version(caller.project, prompt_name, body.version, body.label)
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


def _listed(
    project: Project, snapshot: Snapshot, label: str | None, search: str
) -> tuple[list[Row], bool]:
    """Return what is listed, and whether the labels are still where the snapshot has them."""
    listed, broken = snapshot.list_readable(search=(search or None) if label is None else None)
    for error in broken:
        _log.warning("left out of a list: %s", error)
    if label is None:
        infos = snapshot.infos([prompt.name or "" for prompt in listed])
        return [row_of(project, snapshot, one, infos[one.name or ""]) for one in listed], True
    alive = {prompt.name for prompt in listed}
    try:
        labelled = project.store.snapshot(label=label)
    except LabelNotFoundError:
        return [], label not in snapshot.labels().targets
    found = labelled.list_readable(search=search or None)[0]
    rows = [row_of(project, snapshot, prompt) for prompt in found if prompt.name in alive]
    return rows, labelled.labels() == snapshot.labels()


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
        return (_stored_size(row.content()), *made)
    return made


def _link(address: str, query: Sequence[tuple[str, str]], limit: int, offset: int) -> str:
    """Return the URL of another page, which carries every parameter."""
    others = [pair for pair in query if pair[0] not in ("limit", "offset")]
    start = [("offset", str(offset))] if offset > 0 else []
    return f"{address}?{urlencode([*others, ('limit', str(limit)), *start])}"


def _prompt_row(row: Row, labels: LabelTable, mode: str, form: str) -> models.PromptRow:
    """Return a row of the list."""
    content = row.content(form)
    return models.PromptRow(
        **values_of(row, content, mode),
        prompt_size_bytes=_stored_size(content),
        all_labels=all_labels(labels, row.name),
    )


def _version_id(prompt: str, commit: str) -> str:
    """Return the id of one version of a prompt."""
    return str(uuid5(UUID(prompt), f"version {commit}"))


def _version_summary(
    prompt: str, name: str, version: Version, latest: int
) -> models.VersionSummary:
    """Return one version of a prompt's history."""
    return models.VersionSummary(
        id=_version_id(prompt, version.commit),
        version=version.number,
        version_description=description_of(version.message, name),
        created_by=user_of(version.author),
        created_at=to_utc(version.committed_at),
        is_latest=version.number == latest,
        labels=list(version.labels),
    )


def _stored_size(content: RemoteContent) -> int:
    """Return the size of a content as lists tell it: bytes of its JSON, spaces after colons."""
    return len(json.dumps(content.value, ensure_ascii=False).encode())
