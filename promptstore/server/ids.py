"""Prompts by their ids: the older generation of PostHog's API, which counts no versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends, Query
from starlette.responses import Response

from promptstore.model.prompt import Prompt
from promptstore.posthog import models, requests
from promptstore.posthog.content import RemoteContent, decode_content, encode_name
from promptstore.posthog.requests import read_uuid
from promptstore.server.errors import not_found
from promptstore.server.http import ReadAnswer, check_match
from promptstore.server.projects import (
    CONDITIONAL,
    ID_PATH,
    Caller,
    IfMatch,
    Project,
    PromptId,
    Reader,
    Writer,
    make_router,
)
from promptstore.server.publishing import Turn, commit, written
from promptstore.server.reading import (
    Found,
    ReadRoute,
    Row,
    base_values,
    find_file,
    native_prompt,
    row_of,
    to_utc,
    user_of,
)
from promptstore.server.writing import free_name, refuse_included, take_labels_off
from promptstore.store.edits import Deletion, Edit

router: Final = make_router("prompts", ReadRoute)


@router.get(ID_PATH, response_model=models.PromptById | models.NativePrompt, **CONDITIONAL)
def retrieve_prompt(
    caller: Reader, prompt_id: PromptId, query: Annotated[requests.FormatQuery, Query()]
) -> Response:
    """Read a prompt by id."""
    found = _find_by_id(caller.project, prompt_id)
    row = row_of(caller.project, found.snapshot, found.prompt)
    if query.format == "native":
        return ReadAnswer(native_prompt(row, found.snapshot.labels()), found.snapshot)
    etag = None if query.format == "source" else found.etag
    return ReadAnswer(_by_id(row, query.format), found.snapshot, etag)


def _known_id(caller: Writer, prompt_id: PromptId) -> None:
    """Refuse an id that is none before the body is looked at, as PostHog does."""
    _find_by_id(caller.project, prompt_id)


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
    found = _find_by_id(caller.project, text)
    prompt = found.prompt
    check_match(if_match, found.etag)
    given = request.model_fields_set
    if "prompt" in given:
        content = RemoteContent(request.prompt, prompt.config)
        prompt = decode_content(content, prompt, as_source=True)
    if "name" in given and request.name != encode_name(found.name):
        return _rename(caller, found, request.name, replace(prompt, deleted=request.deleted))
    if not request.deleted:
        done = commit(caller, found, {found.name: prompt})
        return written(caller.project, done[found.name], show=_by_id)
    refuse_included(found)
    edit = replace(prompt, deleted=True) if "prompt" in given else Deletion()
    done = commit(caller, found, {found.name: edit})
    take_labels_off(caller, found.name)
    return written(caller.project, done[found.name], show=_by_id)


def _rename(caller: Caller, found: Found, wanted: str, prompt: Prompt) -> Response:
    project = caller.project
    name = free_name(project, found.snapshot, wanted, "name")
    refuse_included(found)
    renamed = replace(prompt, id=project.id_of(found.snapshot, prompt))
    edits: dict[str, Edit] = {name: renamed, found.name: Deletion(replaced_by=name)}
    done = commit(caller, found, edits, f"Rename {found.name} to {name}")
    take_labels_off(caller, found.name)
    return written(project, done[name], show=_by_id)


def _find_by_id(project: Project, text: str) -> Found:
    """Find a prompt that is there and not deleted by its id.

    Raises:
        ApiError: There is none (404).
    """
    snapshot = project.store.snapshot()
    found = find_file(snapshot, project.names_by_id(snapshot).get(read_uuid(text) or "", ""))
    if found is None:
        raise not_found()
    return found


def _by_id(row: Row, form: str = "json") -> models.PromptById:
    """Return a prompt as the generation of ids answers it: JSON content as JSON."""
    info = row.info
    made = {"created_by": user_of(info.created_by), "created_at": to_utc(info.created_at)}
    return models.PromptById(**{**base_values(row), **made, "prompt": row.content(form).value})
