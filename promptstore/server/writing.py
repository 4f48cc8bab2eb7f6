"""What a write does to the store: each is one commit by the caller."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from promptstore.errors import (
    ConflictError,
    InvalidNameError,
    LabelNotFoundError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.history.labels import is_label
from promptstore.model.prompt import Prompt, parse_content
from promptstore.model.values import MAX_DEPTH
from promptstore.posthog import requests
from promptstore.posthog.content import (
    MAX_BYTES,
    RemoteContent,
    decode_content,
    is_deep,
    served_content,
    set_content,
)
from promptstore.posthog.fields import NAME_RULE, size_of
from promptstore.posthog.names import decode_name, encode_name
from promptstore.server import errors, views
from promptstore.server.answers import Shown, check_match
from promptstore.server.auth import Caller
from promptstore.server.projects import Project
from promptstore.server.reading import Found, find_by_id, find_by_name, find_file, git_name, row_of
from promptstore.server.views import END_OF_DESCRIPTION
from promptstore.store import edits as store_edits
from promptstore.store.edits import Deletion
from promptstore.store.snapshot import Snapshot

_MAX_LABELS: Final = 50
_MAX_FILE_NAME: Final = 200
"""The longest segment of a name where prompts are files on disk, in characters."""

_TRAILER: Final = re.compile(r"[A-Za-z0-9-]+\s*:")


def create(caller: Caller, request: requests.CreateRequest, form: str) -> Shown:
    """Make a prompt; the name of an archived one may be used again."""
    snapshot = caller.project.store.snapshot()
    name = _free_name(caller.project, snapshot, request.name, "name")
    if form == "native":
        prompt = _native(request.prompt, request.config)
    else:
        prompt = set_content(
            Prompt(prompt="", template="simple", config=request.config), request.prompt
        )
    prompt = replace(prompt, deleted=prompt.deleted or request.deleted)
    return _make(caller, snapshot, name, prompt, request.version_description, "name")


def publish(
    caller: Caller, text: str, request: requests.PublishRequest, form: str, if_match: str | None
) -> Shown:
    """Make a new version of a prompt from a content, from edits, or from a config."""
    found = find_by_name(caller.project, text, ids=True)
    before = found.snapshot.read(found.name)
    check_match(if_match, found.etag)
    if request.base_version != found.latest:
        raise errors.stale(found.latest)
    if form == "native":
        given = _native(request.prompt, request.config)
        if given.deleted:
            raise errors.invalid("invalid_input", "Archive a prompt to delete it.", "prompt")
        prompt = replace(given, id=given.id or before.id)
    else:
        prompt = _published(before, request)
    written = _commit(caller, found, {found.name: prompt}, request.version_description)
    return _written(caller.project, written[found.name])


def archive(caller: Caller, text: str, if_match: str | None) -> None:
    """Set the tombstone of a prompt, and take its labels off."""
    found = find_by_name(caller.project, text)
    check_match(if_match, found.etag)
    _refuse_included(found)
    _commit(caller, found, {found.name: Deletion()})
    _take_labels_off(caller, found.name)


def unarchive(caller: Caller, text: str) -> Shown:
    """Take the tombstone off a prompt."""
    project = caller.project
    found = find_file(project, project.store.snapshot(), git_name(text))
    if found is None:
        raise errors.no_such_prompt(text)
    if not found.snapshot.read(found.name, deleted=True).deleted:
        raise errors.taken_name()
    restored = project.store.restore(
        found.name, expected_version=found.latest, author=caller.author
    )
    return _written(project, restored)


def duplicate(
    caller: Caller, text: str, request: requests.DuplicateRequest, if_match: str | None
) -> Shown:
    """Make a prompt with the newest content of another one."""
    found = find_by_name(caller.project, text)
    prompt = found.snapshot.read(found.name)
    check_match(if_match, found.etag)
    try:
        name = _free_name(caller.project, found.snapshot, request.new_name, "new_name")
        return _make(caller, found.snapshot, name, replace(prompt, id=None), None, "new_name")
    except errors.ApiError as refusal:
        if refusal.body.get("code") != "unique":
            raise
        raise errors.ApiError(400, {"attr": "new_name", "detail": refusal.detail}) from None


def update(
    caller: Caller,
    text: str,
    request: requests.UpdateRequest | requests.ReplaceRequest,
    if_match: str | None,
) -> Shown:
    """Change a prompt by id, as the generation of ids does: name, content, tombstone."""
    found = find_by_id(caller.project, text)
    prompt = found.snapshot.read(found.name)
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


def set_label(
    caller: Caller, text: str, label: str, version: int, if_match: str | None
) -> tuple[Shown, bool]:
    """Point a label at a version of a prompt.

    Returns:
        The label, and whether the prompt did not have it before.
    """
    project = caller.project
    missing = errors.only_detail(404, f"Prompt '{text}' has no version {version}.")
    found = find_file(project, project.store.snapshot(), git_name(text))
    if found is None or found.name not in found.snapshot:
        raise missing
    check_match(if_match, found.etag)
    targets = project.store.labels().targets
    is_new = found.name not in targets.get(label, {})
    if is_new and sum(found.name in names for names in targets.values()) >= _MAX_LABELS:
        detail = (
            f"This prompt has reached the maximum of {_MAX_LABELS} labels. "
            "Remove a label to add a new one."
        )
        raise errors.only_detail(400, detail)
    try:
        project.store.set_label(found.name, label, version=version, author=caller.author)
    except (VersionNotFoundError, PromptNotFoundError):
        raise missing from None
    own = project.id_of(found.snapshot, found.snapshot.read(found.name))
    moves = project.store.label_history(label, found.name)
    return Shown(views.label_row(own, found.name, label, version, moves)), is_new


def remove_label(caller: Caller, text: str, label: str, if_match: str | None) -> None:
    """Take a label off a prompt."""
    found = find_by_name(caller.project, text)
    label = label.strip()
    missing = errors.only_detail(404, f"Prompt '{text}' has no label '{label}'.")
    if not is_label(label):
        raise missing
    check_match(if_match, found.etag)
    try:
        caller.project.store.remove_label(found.name, label, author=caller.author)
    except LabelNotFoundError:
        raise missing from None


def _published(before: Prompt, request: requests.PublishRequest) -> Prompt:
    given = request.model_fields_set
    config = request.config if "config" in given else before.config
    value = request.prompt
    if "edits" in given:
        value = _edited(served_content(before).value, request.edits)
    elif "prompt" not in given:
        return replace(before, config=config)
    return decode_content(RemoteContent(value, config), before, as_source=True)


def _native(value: Any, config: Mapping[str, Any]) -> Prompt:
    """Return the prompt that the content of a file is."""
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
        raise errors.only_detail(
            400, f"Edits produced invalid JSON: {error}", edit_index=last
        ) from None
    if is_deep(edited):
        detail = f"Edits produced JSON that is nested deeper than {MAX_DEPTH} levels."
        raise errors.only_detail(400, detail, edit_index=last)
    return edited


def _replaced(text: str, edit: requests.Edit, index: int) -> str:
    count = text.count(edit.old)
    if count == 0:
        detail = "Text to replace was not found in the prompt."
        raise errors.only_detail(400, detail, edit_index=index)
    if count > 1:
        detail = f"Text to replace matches {count} times — provide more context to make it unique."
        raise errors.only_detail(400, detail, edit_index=index)
    edited = text.replace(edit.old, edit.new)
    if size_of(edited) > MAX_BYTES:
        detail = f"Resulting prompt exceeds the {MAX_BYTES} byte size limit."
        raise errors.only_detail(400, detail, edit_index=index)
    return edited


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
    caller: Caller, snapshot: Snapshot, name: str, content: Prompt, message: str | None, attr: str
) -> Shown:
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
            message=_message(message),
            author=caller.author,
        )
    except ConflictError:
        if name in project.store.snapshot():
            # Somebody else was quicker.
            raise errors.taken_name(attr) from None
        raise
    return _written(project, made)


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


def _rename(caller: Caller, found: Found, wanted: str, prompt: Prompt) -> Shown:
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
        now = find_file(caller.project, store.snapshot(), found.name)
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


def _written(project: Project, prompt: Prompt, *, by_id: bool = False) -> Shown:
    """Return a prompt as of the commit that wrote it, whatever was written since."""
    snapshot = project.store.snapshot(prompt.snapshot_commit)
    found = Found(snapshot, prompt.name or "", prompt.version or 0, prompt.commit or "")
    row = row_of(project, found, prompt)
    shown = views.by_id(row, "json") if by_id else views.full_prompt(row)
    # No read shows a tombstone, so nothing can have its state.
    return Shown(shown, None if prompt.deleted else found.etag)


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
