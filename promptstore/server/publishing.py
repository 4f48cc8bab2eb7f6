"""A new version of a prompt: one commit by the caller, and what every write shares."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from promptstore.errors import ConflictError, RepositoryLockedError
from promptstore.model.prompt import Prompt, parse_content
from promptstore.model.values import MAX_DEPTH, is_deep
from promptstore.posthog import models, requests
from promptstore.posthog.content import (
    MAX_BYTES,
    RemoteContent,
    decode_content,
    served_content,
)
from promptstore.posthog.requests import read_uuid
from promptstore.server import errors
from promptstore.server.http import answer, check_match
from promptstore.server.projects import (
    NAME_PATH,
    Caller,
    IfMatch,
    NameOrId,
    Project,
    Writer,
    make_router,
)
from promptstore.server.reading import (
    END_OF_DESCRIPTION,
    Found,
    Row,
    find_by_name,
    find_file,
    full_prompt,
    row_of,
)
from promptstore.store.edits import Edit

MAX_WAIT_SECONDS: Final = 30.0
"""How long a write waits for its turn, in seconds."""

_TRAILER: Final = re.compile(r"[A-Za-z0-9-]+\s*:")

router: Final = make_router("prompts")


@asynccontextmanager
async def in_turn(project: Project) -> AsyncIterator[None]:
    """Wait until it is the turn of a request to write to a project.

    The lock of the repository lets one writer in at a time, and not the one who waited longest. So
    writers stand in line here, where they keep no thread from readers.

    Raises:
        RepositoryLockedError: Others were in line for too long.
    """
    try:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            await project.turn.acquire()
    except TimeoutError:
        path, reason = str(project.store.path), "other writers were in line for too long."
        raise RepositoryLockedError(path=path, reason=reason) from None
    try:
        yield
    finally:
        project.turn.release()


async def _in_turn(caller: Writer) -> AsyncIterator[Caller]:
    async with in_turn(caller.project):
        yield caller


Turn = Annotated[Caller, Depends(_in_turn, scope="function")]


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
        prompt = _published(before, body)
    done = commit(caller, found, {found.name: prompt}, body.version_description)
    return written(caller.project, done[found.name])


def _published(before: Prompt, request: requests.PublishRequest) -> Prompt:
    """Return a prompt with the content, the edits and the config of a request.

    Raises:
        ApiError: The edits do not fit (400).
    """
    given = request.model_fields_set
    config = request.config if "config" in given else before.config
    value = request.prompt
    if "edits" in given:
        value = _edited(served_content(before).value, request.edits)
    elif "prompt" not in given:
        return replace(before, config=config)
    return decode_content(RemoteContent(value, config), before, as_source=True)


def native(value: Any, config: Mapping[str, Any]) -> Prompt:
    """Return the prompt that the content of a file is.

    Raises:
        ApiError: It is the content of none (400).
    """
    if config:
        raise errors.invalid("invalid_input", "The config stands in the native content.", "config")
    if not isinstance(value, dict):
        raise errors.invalid("invalid_input", "A native content is the object of a file.", "prompt")
    prompt = parse_content(value)
    if not isinstance(prompt, Prompt):
        raise errors.invalid("invalid_input", " ".join(fault.message for fault in prompt), "prompt")
    return prompt


def _edited(value: Any, edits: Sequence[requests.Edit]) -> Any:
    """Apply edits in order: to a text, or to the indented JSON text of anything else."""
    is_text = isinstance(value, str)
    text = value if is_text else json.dumps(value, ensure_ascii=False, indent=2)
    for index, edit in enumerate(edits):
        text = _replaced(text, edit, index)
    if is_text:
        return text
    last = len(edits) - 1
    try:
        edited = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unfit(last, f"Edits produced invalid JSON: {error}") from None
    if is_deep(edited):
        raise _unfit(last, f"Edits produced JSON that is nested deeper than {MAX_DEPTH} levels.")
    return edited


def _replaced(text: str, edit: requests.Edit, index: int) -> str:
    count = text.count(edit.old)
    if count == 0:
        raise _unfit(index, "Text to replace was not found in the prompt.")
    if count > 1:
        detail = f"Text to replace matches {count} times — provide more context to make it unique."
        raise _unfit(index, detail)
    edited = text.replace(edit.old, edit.new)
    if len(json.dumps(edited, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES:
        raise _unfit(index, f"Resulting prompt exceeds the {MAX_BYTES} byte size limit.")
    return edited


def _unfit(index: int, detail: str) -> errors.ApiError:
    return errors.only_detail(400, detail, edit_index=index)


def commit(
    caller: Caller, found: Found, edits: Mapping[str, Edit], description: str | None = None
) -> dict[str, Prompt]:
    """Make one commit, unless the prompt changed since it was found.

    Args:
        caller: Who commits.
        found: The prompt.
        edits: The edits by prompt name.
        description: What is said about the version.

    Returns:
        The prompts by name, as of the commit.

    Raises:
        ApiError: The prompt changed (409).
    """
    store = caller.project.store
    try:
        return store.commit(
            edits,
            expected_versions={found.name: found.latest},
            base=found.snapshot,
            message=message_of(description),
            author=caller.author,
        )
    except ConflictError:
        now = find_file(store.snapshot(), found.name)
        if now is not None and now.latest != found.latest:
            raise errors.stale(now.latest) from None
        raise


def message_of(text: str | None) -> str | None:
    """Return a commit's message for a description, which may not bring trailers of git."""
    lines = [line.strip() for line in (text or "").splitlines()]
    paragraphs = "\n".join(lines).strip().rsplit("\n\n", 1)
    if any(_TRAILER.match(line) for line in paragraphs[-1].split("\n") if len(paragraphs) > 1):
        return f"{text}{END_OF_DESCRIPTION}"
    return text or None


def written(
    project: Project,
    prompt: Prompt,
    status: int = 200,
    show: Callable[[Row], BaseModel] = full_prompt,
) -> Response:
    """Return the answer to a write: the prompt as of its commit, whatever was written since."""
    found = Found(project.store.snapshot(prompt.snapshot_commit), prompt)
    shown = show(row_of(project, found.snapshot, prompt))
    # No read shows a tombstone, so nothing can have its state.
    return answer(shown, status, None if prompt.deleted else found.etag)
