"""The writes of prompts: their routes, and what each does: one commit by the caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import Depends, Query
from starlette.responses import Response

from promptstore.errors import ConflictError, InvalidNameError, LabelNotFoundError
from promptstore.model.prompt import Prompt
from promptstore.posthog import models, requests
from promptstore.posthog.content import RemoteContent, decode_name, encode_name, set_content
from promptstore.posthog.decoding import decode_content
from promptstore.posthog.fields import NAME_RULE, read_uuid
from promptstore.server import errors, views
from promptstore.server.contents import native, published
from promptstore.server.dependencies import (
    ID_PATH,
    LIST_PATH,
    NAME_PATH,
    Caller,
    IfMatch,
    NameOrId,
    PromptId,
    PromptName,
    Turn,
    Writer,
    make_router,
)
from promptstore.server.http import answer, check_match
from promptstore.server.projects import (
    Found,
    Project,
    find_by_id,
    find_by_name,
    find_file,
    git_name,
)
from promptstore.server.reading import row_of
from promptstore.server.views import END_OF_DESCRIPTION
from promptstore.store import edits as store_edits
from promptstore.store.edits import Deletion
from promptstore.store.snapshot import Snapshot

_MAX_FILE_NAME: Final = 200
"""The longest segment of a name where prompts are files on disk, in characters."""

_TRAILER: Final = re.compile(r"[A-Za-z0-9-]+\s*:")


router: Final = make_router("prompts")


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
    name = _free_name(caller.project, snapshot, body.name, "name")
    if query.format == "native":
        prompt = native(body.prompt, body.config)
    else:
        prompt = set_content(Prompt(prompt="", template="simple", config=body.config), body.prompt)
    prompt = replace(prompt, deleted=prompt.deleted or body.deleted)
    return _make(caller, snapshot, name, prompt, "name", body.version_description)


def _known_name(caller: Writer, prompt_name: NameOrId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    if read_uuid(prompt_name):
        find_by_name(caller.project, prompt_name, ids=True)


@router.patch(
    NAME_PATH,
    response_model=models.FullPrompt,
    dependencies=[Depends(_known_name)],
    responses={409: {"model": models.ErrorBody, "description": "The base is stale."}},
)
def publish_prompt(
    caller: Turn,
    prompt_name: NameOrId,
    body: requests.PublishRequest,
    query: Annotated[requests.FormatQuery, Query()],
    if_match: IfMatch = None,
) -> Response:
    """Make a new version of a prompt. What says the same as before makes none."""
    found = find_by_name(caller.project, prompt_name, ids=True)
    before = found.prompt
    check_match(if_match, found.etag)
    if body.base_version != found.latest:
        raise errors.stale(found.latest)
    if query.format == "native":
        given = native(body.prompt, body.config)
        if given.deleted:
            raise errors.invalid("invalid_input", "Archive a prompt to delete it.", "prompt")
        prompt = replace(given, id=given.id or before.id)
    else:
        prompt = published(before, body)
    written = _commit(caller, found, {found.name: prompt}, body.version_description)
    return _written(caller.project, written[found.name])


@router.post(f"{NAME_PATH}/archive", status_code=204)
def archive_prompt(caller: Turn, prompt_name: PromptName, if_match: IfMatch = None) -> None:
    """Set the tombstone of a prompt and take its labels off; its text stays in git."""
    found = find_by_name(caller.project, prompt_name)
    check_match(if_match, found.etag)
    _refuse_included(found)
    _commit(caller, found, {found.name: Deletion()})
    _take_labels_off(caller, found.name)


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
    return _written(project, restored)


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
        name = _free_name(caller.project, found.snapshot, body.new_name, "new_name")
        return _make(caller, found.snapshot, name, replace(prompt, id=None), "new_name")
    except errors.ApiError as refusal:
        if refusal.body.get("code") != "unique":
            raise
        raise errors.ApiError(400, {"attr": "new_name", "detail": refusal.detail}) from None


def _known_id(caller: Writer, prompt_id: PromptId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    find_by_id(caller.project, prompt_id)


@router.patch(ID_PATH, response_model=models.PromptById, dependencies=[Depends(_known_id)])
def update_prompt(
    caller: Turn,
    prompt_id: PromptId,
    body: requests.UpdateRequest = requests.UpdateRequest(),  # noqa: B008 - it is empty, and stays so
    if_match: IfMatch = None,
) -> Response:
    """Change the name, the content or the tombstone of a prompt; what is left out stays."""
    return _update(caller, prompt_id, body, if_match)


@router.put(ID_PATH, response_model=models.PromptById, dependencies=[Depends(_known_id)])
def replace_prompt(
    caller: Turn, prompt_id: PromptId, body: requests.ReplaceRequest, if_match: IfMatch = None
) -> Response:
    """Change the name and the content of a prompt."""
    return _update(caller, prompt_id, body, if_match)


@router.delete(ID_PATH, status_code=405, response_class=Response)
def delete_prompt(_caller: Writer, _prompt_id: PromptId) -> Response:
    """Nothing is deleted for good: PATCH `deleted` to true instead."""
    return Response(status_code=405, headers={"Allow": "GET, HEAD, PATCH, PUT"})


def _update(
    caller: Caller,
    text: str,
    request: requests.UpdateRequest | requests.ReplaceRequest,
    if_match: str | None,
) -> Response:
    found = find_by_id(caller.project, text)
    prompt = found.prompt
    check_match(if_match, found.etag)
    given = request.model_fields_set
    if "prompt" in given:
        content = RemoteContent(request.prompt, prompt.config)
        prompt = decode_content(content, prompt, as_source=True)
    if "name" in given and request.name != encode_name(found.name):
        return _rename(caller, found, request.name, replace(prompt, deleted=request.deleted))
    if not request.deleted:
        written = _commit(caller, found, {found.name: prompt})
        return _written(caller.project, written[found.name], by_id=True)
    _refuse_included(found)
    edit = replace(prompt, deleted=True) if "prompt" in given else Deletion()
    written = _commit(caller, found, {found.name: edit})
    _take_labels_off(caller, found.name)
    return _written(caller.project, written[found.name], by_id=True)


def _free_name(project: Project, snapshot: Snapshot, text: str, attr: str) -> str:
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
            message=_message(description),
            author=caller.author,
        )
    except ConflictError:
        if name in project.store.snapshot():
            # Somebody else was quicker.
            raise errors.taken_name(attr) from None
        raise
    return _written(project, made, 201)


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


def _rename(caller: Caller, found: Found, wanted: str, prompt: Prompt) -> Response:
    project = caller.project
    name = _free_name(project, found.snapshot, wanted, "name")
    _refuse_included(found)
    renamed = replace(prompt, id=project.id_of(found.snapshot, prompt))
    edits: dict[str, store_edits.Edit] = {name: renamed, found.name: Deletion(replaced_by=name)}
    written = _commit(caller, found, edits, f"Rename {found.name} to {name}")
    _take_labels_off(caller, found.name)
    return _written(project, written[name], by_id=True)


def _commit(
    caller: Caller,
    found: Found,
    edits: Mapping[str, store_edits.Edit],
    message: str | None = None,
) -> dict[str, Prompt]:
    """Make one commit, unless the prompt changed since it was found."""
    store = caller.project.store
    try:
        return store.commit(
            edits,
            expected_versions={found.name: found.latest},
            base=found.snapshot,
            message=_message(message),
            author=caller.author,
        )
    except ConflictError:
        now = find_file(store.snapshot(), found.name)
        if now is not None and now.latest != found.latest:
            raise errors.stale(now.latest) from None
        raise


def _message(text: str | None) -> str | None:
    """Return a commit's message for a description, which may not bring trailers of git."""
    lines = [line.strip() for line in (text or "").splitlines()]
    paragraphs = "\n".join(lines).strip().rsplit("\n\n", 1)
    if any(_TRAILER.match(line) for line in paragraphs[-1].split("\n") if len(paragraphs) > 1):
        return f"{text}{END_OF_DESCRIPTION}"
    return text or None


def _written(
    project: Project, prompt: Prompt, status: int = 200, *, by_id: bool = False
) -> Response:
    """Answer a prompt as of the commit that wrote it, whatever was written since."""
    found = Found(project.store.snapshot(prompt.snapshot_commit), prompt)
    row = row_of(project, found.snapshot, prompt)
    shown = views.by_id(row, "json") if by_id else views.full_prompt(row)
    # No read shows a tombstone, so nothing can have its state.
    return answer(shown, status, None if prompt.deleted else found.etag)


def _refuse_included(found: Found) -> None:
    users = [
        encode_name(prompt.name or "")
        for prompt in found.snapshot.list_readable()[0]
        if found.name in prompt.includes
    ]
    if users:
        detail = f"Other prompts include this one: {', '.join(users)}. Change them first."
        raise errors.only_detail(409, detail, referencing_prompts=users)


def _take_labels_off(caller: Caller, name: str) -> None:
    store = caller.project.store
    for label, names in store.labels().targets.items():
        if name in names:
            # Where somebody else has just taken it off, there is nothing left to do.
            with suppress(LabelNotFoundError):
                store.remove_label(name, label, author=caller.author)
