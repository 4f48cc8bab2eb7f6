"""The labels of prompts: their routes, and what each does."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path
from starlette.responses import Response

from promptstore.errors import LabelNotFoundError, PromptNotFoundError, VersionNotFoundError
from promptstore.history.labels import is_label
from promptstore.posthog import models, requests
from promptstore.server import errors, views
from promptstore.server.dependencies import (
    NAME_PATH,
    IfMatch,
    LabelSegment,
    PromptName,
    Segment,
    Turn,
    make_router,
)
from promptstore.server.http import answer, check_match
from promptstore.server.projects import find_by_name, find_file, git_name

router: Final = make_router("labels")

_PATH: Final = f"{NAME_PATH}/labels/{{label}}"
_MAX_LABELS: Final = 50


@router.put(
    _PATH,
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
    targets = store.labels().targets
    is_new = found.name not in targets.get(label, {})
    if is_new and sum(found.name in names for names in targets.values()) >= _MAX_LABELS:
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
    row = views.label_row(prompt_id, found.name, label, body.version, moves)
    return answer(row, 201 if is_new else 200)


@router.delete(_PATH, status_code=204)
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
