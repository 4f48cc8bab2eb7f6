"""Prompts that are made, duplicated, archived and brought back, and their labels."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID, uuid4, uuid5

from fastapi import Path, Query
from starlette.responses import Response

from promptstore.errors import (
    ConflictError,
    InvalidNameError,
    LabelNotFoundError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.history.labels import LabelMove, is_label
from promptstore.model.prompt import Prompt
from promptstore.posthog import models, requests
from promptstore.posthog.content import decode_name, encode_name, set_content
from promptstore.posthog.requests import NAME_RULE
from promptstore.server import errors
from promptstore.server.http import answer, check_match
from promptstore.server.projects import (
    LIST_PATH,
    NAME_PATH,
    Caller,
    IfMatch,
    LabelSegment,
    Project,
    PromptName,
    Segment,
    make_router,
)
from promptstore.server.publishing import Turn, commit, message_of, native, written
from promptstore.server.reading import (
    Found,
    find_by_name,
    find_file,
    git_name,
    to_utc,
    user_of,
)
from promptstore.store.edits import Deletion
from promptstore.store.snapshot import Snapshot

router: Final = make_router("prompts")
label_router: Final = make_router("labels")

_LABEL_PATH: Final = f"{NAME_PATH}/labels/{{label}}"
_MAX_LABELS: Final = 50
_MAX_FILE_NAME: Final = 200
"""The longest segment of a name where prompts are files on disk, in characters."""


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


@router.post(
    LIST_PATH,
    response_model=models.FullPrompt,
    status_code=201,
    openapi_extra={"responses": {"201": {"links": _LINKS}}},
)
def create_prompt(
    caller: Turn, body: requests.CreateRequest, query: Annotated[requests.FormatQuery, Query()]
) -> Response:
    """Make a prompt. The name of an archived one may be used again; its versions go on."""
    snapshot = caller.project.store.snapshot()
    name = free_name(caller.project, snapshot, body.name, "name")
    if query.format == "native":
        prompt = native(body.prompt, body.config)
    else:
        prompt = set_content(Prompt(prompt="", template="simple", config=body.config), body.prompt)
    prompt = replace(prompt, deleted=prompt.deleted or body.deleted)
    return _make(caller, snapshot, name, prompt, "name", body.version_description)


@router.post(f"{NAME_PATH}/archive", status_code=204)
def archive_prompt(caller: Turn, prompt_name: PromptName, if_match: IfMatch = None) -> None:
    """Set the tombstone of a prompt and take its labels off; its text stays in git."""
    found = find_by_name(caller.project, prompt_name)
    check_match(if_match, found.etag)
    refuse_included(found)
    commit(caller, found, {found.name: Deletion()})
    take_labels_off(caller, found.name)


@router.post(f"{NAME_PATH}/unarchive", response_model=models.FullPrompt)
def unarchive_prompt(caller: Turn, prompt_name: PromptName) -> Response:
    """Take the tombstone off a prompt."""
    project = caller.project
    found = find_file(project.store.snapshot(), git_name(prompt_name))
    if found is None:
        raise errors.no_such_prompt(prompt_name)
    if not found.prompt.deleted:
        raise errors.taken_name()
    restored = project.store.restore(
        found.name, expected_version=found.latest, author=caller.author
    )
    return written(project, restored)


@router.post(f"{NAME_PATH}/duplicate", response_model=models.FullPrompt, status_code=201)
def duplicate_prompt(
    caller: Turn,
    prompt_name: PromptName,
    body: requests.DuplicateRequest,
    if_match: IfMatch = None,
) -> Response:
    """Make a prompt with the newest content of another one."""
    found = find_by_name(caller.project, prompt_name)
    prompt = found.prompt
    check_match(if_match, found.etag)
    try:
        name = free_name(caller.project, found.snapshot, body.new_name, "new_name")
        return _make(caller, found.snapshot, name, replace(prompt, id=None), "new_name")
    except errors.ApiError as refusal:
        if refusal.body.get("code") != "unique":
            raise
        raise errors.ApiError(400, {"attr": "new_name", "detail": refusal.detail}) from None


@label_router.put(
    _LABEL_PATH,
    response_model=models.LabelRow,
    responses={201: {"model": models.LabelRow, "description": "The label is new."}},
)
def set_label(
    caller: Turn,
    prompt_name: PromptName,
    label: LabelSegment,
    body: requests.LabelRequest,
    if_match: IfMatch = None,
) -> Response:
    """Point a label at a version of a prompt."""
    project, store = caller.project, caller.project.store
    missing = errors.only_detail(404, f"Prompt '{prompt_name}' has no version {body.version}.")
    found = find_file(store.snapshot(), git_name(prompt_name))
    if found is None or found.prompt.deleted:
        raise missing
    check_match(if_match, found.etag)
    labels = store.labels().versions(found.name)
    is_new = label not in labels
    if is_new and len(labels) >= _MAX_LABELS:
        detail = (
            f"This prompt has reached the maximum of {_MAX_LABELS} labels. "
            "Remove a label to add a new one."
        )
        raise errors.only_detail(400, detail)
    try:
        store.set_label(found.name, label, version=body.version, author=caller.author)
    except (VersionNotFoundError, PromptNotFoundError):
        raise missing from None
    prompt_id = project.id_of(found.snapshot, found.prompt)
    moves = store.label_history(label, found.name)
    row = label_row(prompt_id, found.name, label, body.version, moves)
    return answer(row, 201 if is_new else 200)


@label_router.delete(_LABEL_PATH, status_code=204)
def remove_label(
    caller: Turn,
    prompt_name: PromptName,
    label: Annotated[Segment, Path(description="The label.", examples=["production"])],
    if_match: IfMatch = None,
) -> None:
    """Take a label off a prompt."""
    found = find_by_name(caller.project, prompt_name)
    label = label.strip()
    missing = errors.only_detail(404, f"Prompt '{prompt_name}' has no label '{label}'.")
    if not is_label(label):
        raise missing
    check_match(if_match, found.etag)
    try:
        caller.project.store.remove_label(found.name, label, author=caller.author)
    except LabelNotFoundError:
        raise missing from None


def label_row(
    prompt: str, name: str, label: str, version: int, moves: Iterable[LabelMove]
) -> models.LabelRow:
    """Return one label of a prompt; it was made when it was set where it had not been.

    Args:
        prompt: The prompt's id.
        name: The prompt's name in git.
        label: The label.
        version: The version that it points at.
        moves: The moves of labels, newest first.
    """
    own: list[LabelMove] = []
    for move in moves:
        if move.label == label and move.name == name:
            own.append(move)
            if move.before is None:
                break
    newest, oldest = (own[0], own[-1]) if own else (None, None)
    return models.LabelRow(
        id=str(uuid5(UUID(prompt), f"label {label}")),
        name=label,
        prompt_name=encode_name(name),
        version=version,
        created_by=user_of(oldest.author if oldest else None),
        created_at=to_utc(oldest.moved_at if oldest else None),
        updated_at=to_utc(newest.moved_at if newest else None),
    )


def free_name(project: Project, snapshot: Snapshot, text: str, attr: str) -> str:
    """Return the name in git for a new prompt, once it is sure that no other one has it."""
    try:
        name = decode_name(text)
    except InvalidNameError:
        raise errors.invalid("invalid_name", NAME_RULE, attr) from None
    if name in snapshot:
        raise errors.taken_name(attr)
    if project.store.has_files and max(map(len, name.split("/"))) > _MAX_FILE_NAME:
        detail = f"Ensure this field has no more than {_MAX_FILE_NAME} characters."
        raise errors.invalid("max_length", detail, attr)
    return name


def _make(
    caller: Caller,
    snapshot: Snapshot,
    name: str,
    content: Prompt,
    attr: str,
    description: str | None = None,
) -> Response:
    project = caller.project
    content = replace(content, id=content.id or _id_for(project, snapshot, name))
    latest = None
    if snapshot.commit is not None:
        latest = project.history(snapshot).timeline.latest(name)
    try:
        made = project.store.save(
            name,
            content,
            expected_version=latest.number if latest else 0,
            message=message_of(description),
            author=caller.author,
        )
    except ConflictError:
        if name in project.store.snapshot():
            # Somebody else was quicker.
            raise errors.taken_name(attr) from None
        raise
    return written(project, made, 201)


def _id_for(project: Project, snapshot: Snapshot, name: str) -> str | None:
    """Return the id that the file of a new prompt must hold, or None where its name tells it."""
    if snapshot.commit is None:
        return None
    if snapshot.find(name) is not None:
        kept = snapshot.read(name, deleted=True).id
        if kept is not None:
            return kept
    # A prompt that was renamed keeps the id that follows from its first name.
    is_taken = project.derived_id(snapshot, name) in project.names_by_id(snapshot)
    return str(uuid4()) if is_taken else None


def refuse_included(found: Found) -> None:
    """Refuse to take a prompt away that others include.

    Raises:
        ApiError: Some do (409).
    """
    users = [
        encode_name(prompt.name or "")
        for prompt in found.snapshot.list_readable()[0]
        if found.name in prompt.includes
    ]
    if users:
        detail = f"Other prompts include this one: {', '.join(users)}. Change them first."
        raise errors.only_detail(409, detail, referencing_prompts=users)


def take_labels_off(caller: Caller, name: str) -> None:
    """Take every label off a prompt."""
    store = caller.project.store
    for label in store.labels().versions(name):
        # Where somebody else has just taken it off, there is nothing left to do.
        with suppress(LabelNotFoundError):
            store.remove_label(name, label, author=caller.author)
