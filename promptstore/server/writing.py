"""What a write does to the store: each is one commit by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple
from uuid import uuid4

from promptstore.errors import (
    ConflictError,
    LabelNotFoundError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.history.labels import is_label
from promptstore.model.prompt import Prompt
from promptstore.server import wire
from promptstore.server.content import apply_edits, check_size, value_of, with_value
from promptstore.server.etags import is_expected
from promptstore.server.fields import (
    read_boolean,
    read_config,
    read_description,
    read_edits,
    read_integer,
    read_json,
    read_label,
    read_name,
    require,
)
from promptstore.server.guard import Caller
from promptstore.server.ids import read_uuid
from promptstore.server.problems import (
    RefusedError,
    invalid,
    invalid_name,
    no_such_prompt,
    only_detail,
    precondition_failed,
    stale,
    taken_name,
)
from promptstore.server.projects import Project
from promptstore.server.reading import (
    Found,
    find_by_id,
    find_by_name,
    find_file,
    read_alive,
    row_of,
)
from promptstore.server.spelling import spell, unspell
from promptstore.store.edits import Deletion, Edit
from promptstore.store.snapshot import Snapshot

Body = Mapping[str, Any]
"""The fields of a request."""

_MAX_LABELS: Final = 50
_MAX_FILE_NAME: Final = 200
"""The longest segment of a name where prompts are files on disk, in characters."""

_KEPT: Final = object()


class Written(NamedTuple):
    """What a write made.

    Attributes:
        row: The prompt as it is now.
        etag: Its state, or None for a tombstone, which no read shows.
    """

    row: wire.Row
    etag: str | None


def create(caller: Caller, body: Body) -> Written:
    """Make a prompt; the name of an archived one may be used again."""
    name = read_name(require(body, "name"))
    value = read_json(require(body, "prompt"), "prompt")
    config = read_config(body.get("config"))
    described = body.get("version_description")
    message = None if described is None else read_description(described)
    check_size(value)
    snapshot = caller.project.store.snapshot()
    git_name = _free_name(caller.project, snapshot, name, "name")
    content = with_value(Prompt(prompt="", template="simple", config=dict(config)), value)
    return _make(caller, snapshot, git_name, content, message, "name")


def publish(caller: Caller, text: str, body: Body, if_match: str | None) -> Written:
    """Make a new version of a prompt from a content, from edits, or from a config."""
    project = caller.project
    found = find_by_name(project, text, ids=True) if read_uuid(text) else None
    value = read_json(body["prompt"], "prompt") if "prompt" in body else None
    edits = read_edits(body["edits"]) if "edits" in body else None
    config = read_config(body["config"]) if "config" in body else None
    base = read_integer(require(body, "base_version"), "base_version", least=1)
    message = None
    if "version_description" in body:
        message = read_description(body["version_description"])
    if value is not None and edits is not None:
        raise invalid("invalid_input", "Provide either 'prompt' or 'edits', not both.")
    if value is None and edits is None and config is None:
        raise invalid("invalid_input", "Either 'prompt', 'edits' or 'config' is required.")
    if value is not None:
        check_size(value)
    found = found or find_by_name(project, text)
    prompt = read_alive(found, text)
    _check_match(found, if_match)
    if base != found.latest:
        raise stale(found.latest)
    if edits is not None:
        value = apply_edits(value_of(prompt), edits)
    if value is not None:
        prompt = with_value(prompt, value)
    if config is not None:
        prompt = replace(prompt, config=dict(config))
    return _save(caller, found, {found.name: prompt}, message)


def archive(caller: Caller, text: str, if_match: str | None) -> None:
    """Set the tombstone of a prompt, and take its labels off."""
    found = find_by_name(caller.project, text)
    read_alive(found, text)
    _check_match(found, if_match)
    _refuse_included(found)
    _commit(caller, found, {found.name: Deletion()})
    _take_labels_off(caller, found.name)


def unarchive(caller: Caller, text: str) -> Written:
    """Take the tombstone off a prompt."""
    project = caller.project
    found = find_file(project, project.store.snapshot(), unspell(text))
    if found is None:
        raise no_such_prompt(text)
    if not found.snapshot.read(found.name, deleted=True).deleted:
        raise taken_name()
    restored = project.store.restore(
        found.name, expected_version=found.latest, author=caller.author
    )
    return _written(project, restored)


def duplicate(caller: Caller, text: str, body: Body, if_match: str | None) -> Written:
    """Make a prompt with the newest content of another one."""
    new_name = read_name(require(body, "new_name"), "new_name")
    found = find_by_name(caller.project, text)
    prompt = read_alive(found, text)
    _check_match(found, if_match)
    try:
        git_name = _free_name(caller.project, found.snapshot, new_name, "new_name")
        return _make(caller, found.snapshot, git_name, replace(prompt, id=None), None, "new_name")
    except RefusedError as refusal:
        if refusal.body.get("code") != "unique":
            raise
        detail = refusal.body["detail"]
        raise RefusedError(400, {"attr": "new_name", "detail": detail}) from None


def update(
    caller: Caller, text: str, body: Body, if_match: str | None, *, partial: bool
) -> Written:
    """Change a prompt by id, as the generation of ids does: name, content, tombstone.

    Args:
        caller: Who does it.
        text: The id.
        body: The fields.
        if_match: The state that the prompt must be in, or None for any.
        partial: Whether fields may be left out.
    """
    project = caller.project
    name = _given(body, "name", partial)
    wanted = None if name is _KEPT else read_name(name, reserved=False)
    content = _given(body, "prompt", partial)
    value = None if content is _KEPT else read_json(content, "prompt")
    deleted = "deleted" in body and read_boolean(body["deleted"], "deleted")
    found = find_by_id(project, text)
    prompt = found.snapshot.read(found.name)
    _check_match(found, if_match)
    if value is not None:
        check_size(value)
        prompt = with_value(prompt, value)
    if wanted is not None and wanted != spell(found.name):
        return _rename(caller, found, wanted, replace(prompt, deleted=deleted))
    if not deleted:
        return _save(caller, found, {found.name: prompt}, None)
    _refuse_included(found)
    edit = Deletion() if value is None else replace(prompt, deleted=True)
    written = _save(caller, found, {found.name: edit}, None)
    _take_labels_off(caller, found.name)
    return written


def set_label(
    caller: Caller, text: str, label: str, body: Body, if_match: str | None
) -> tuple[dict[str, Any], bool]:
    """Point a label at a version of a prompt.

    Returns:
        The label, and whether the prompt did not have it before.
    """
    project = caller.project
    label = read_label(label)
    version = read_integer(require(body, "version"), "version", least=1)
    missing = only_detail(404, f"Prompt '{text}' has no version {version}.")
    found = find_file(project, project.store.snapshot(), unspell(text))
    if found is None or found.name not in found.snapshot:
        raise missing
    _check_match(found, if_match)
    targets = project.store.labels().targets
    is_new = found.name not in targets.get(label, {})
    if is_new and sum(found.name in names for names in targets.values()) >= _MAX_LABELS:
        detail = (
            f"This prompt has reached the maximum of {_MAX_LABELS} labels. "
            "Remove a label to add a new one."
        )
        raise only_detail(400, detail)
    try:
        project.store.set_label(found.name, label, version=version, author=caller.author)
    except (VersionNotFoundError, PromptNotFoundError):
        raise missing from None
    newest = found.snapshot.read(found.name)
    moves = project.store.label_history(label, found.name)
    own = project.id_of(found.snapshot, newest)
    return wire.label_object(own, found.name, label, version, moves), is_new


def remove_label(caller: Caller, text: str, label: str, if_match: str | None) -> None:
    """Take a label off a prompt."""
    found = find_by_name(caller.project, text)
    read_alive(found, text)
    label = label.strip()
    missing = only_detail(404, f"Prompt '{text}' has no label '{label}'.")
    if not is_label(label):
        raise missing
    _check_match(found, if_match)
    try:
        caller.project.store.remove_label(found.name, label, author=caller.author)
    except LabelNotFoundError:
        raise missing from None


def _given(body: Body, attr: str, partial: bool) -> Any:
    return body.get(attr, _KEPT) if partial else require(body, attr)


def _check_match(found: Found, if_match: str | None) -> None:
    if not is_expected(if_match, found.etag):
        raise precondition_failed()


def _free_name(project: Project, snapshot: Snapshot, name: str, attr: str) -> str:
    """Give the name in git for a new prompt, once it is sure that no other one has it."""
    git_name = unspell(name)
    if git_name.startswith("-"):
        # No file of a prompt begins so; the API's own spellings of other names do.
        raise invalid_name(attr)
    if snapshot.find(git_name) is not None and git_name in snapshot:
        raise taken_name(attr)
    longest = max(map(len, git_name.split("/")))
    if project.store.has_files and longest > _MAX_FILE_NAME:
        detail = f"Ensure this field has no more than {_MAX_FILE_NAME} characters."
        raise invalid("max_length", detail, attr)
    return git_name


def _make(
    caller: Caller,
    snapshot: Snapshot,
    name: str,
    content: Prompt,
    message: str | None,
    attr: str,
) -> Written:
    project = caller.project
    content = replace(content, id=_id_for(project, snapshot, name))
    latest = None
    if snapshot.commit is not None:
        latest = project.history(snapshot).timeline.latest(name)
    try:
        made = project.store.save(
            name,
            content,
            expected_version=latest.number if latest else 0,
            message=message,
            author=caller.author,
        )
    except ConflictError:
        if name in project.store.snapshot():
            # Somebody else was quicker.
            raise taken_name(attr) from None
        raise
    project.note_made(snapshot, made)
    return _written(project, made)


def _id_for(project: Project, snapshot: Snapshot, name: str) -> str | None:
    """Give the id that the file of a new prompt must hold, or None where its name tells it."""
    if snapshot.commit is None:
        return None
    file = find_file(project, snapshot, name)
    if file is not None:
        kept = snapshot.read(name, deleted=True).id
        if kept is not None:
            return kept
    # A prompt that was renamed keeps the id that follows from its first name.
    is_taken = project.derived_id(snapshot, name) in project.names_by_id(snapshot)
    return str(uuid4()) if is_taken else None


def _rename(caller: Caller, found: Found, wanted: str, prompt: Prompt) -> Written:
    project = caller.project
    name = _free_name(project, found.snapshot, wanted, "name")
    _refuse_included(found)
    renamed = replace(prompt, id=project.id_of(found.snapshot, prompt))
    edits: dict[str, Edit] = {name: renamed, found.name: Deletion(replaced_by=name)}
    written = _save(caller, found, edits, f"Rename {found.name} to {name}", name)
    _take_labels_off(caller, found.name)
    return written


def _save(
    caller: Caller,
    found: Found,
    edits: Mapping[str, Edit],
    message: str | None,
    name: str | None = None,
) -> Written:
    written = _commit(caller, found, edits, message)
    return _written(caller.project, written[name or found.name])


def _commit(
    caller: Caller, found: Found, edits: Mapping[str, Edit], message: str | None = None
) -> dict[str, Prompt]:
    """Make one commit, unless the prompt changed since it was found."""
    store = caller.project.store
    try:
        return store.commit(
            edits,
            expected_versions={found.name: found.latest},
            base=found.snapshot,
            message=message,
            author=caller.author,
        )
    except ConflictError:
        now = find_file(caller.project, store.snapshot(), found.name)
        if now is not None and now.latest != found.latest:
            raise stale(now.latest) from None
        raise


def _written(project: Project, prompt: Prompt) -> Written:
    """Give a prompt as of the commit that wrote it, whatever was written since."""
    snapshot = project.store.snapshot(prompt.snapshot_commit)
    found = Found(snapshot, prompt.name or "", prompt.version or 0, prompt.commit or "")
    return Written(row_of(project, found, prompt), None if prompt.deleted else found.etag)


def _refuse_included(found: Found) -> None:
    users = [
        spell(prompt.name or "")
        for prompt in found.snapshot.list_readable()[0]
        if found.name in prompt.includes
    ]
    if users:
        detail = f"Other prompts include this one: {', '.join(users)}. Change them first."
        raise only_detail(409, detail, referencing_prompts=users)


def _take_labels_off(caller: Caller, name: str) -> None:
    store = caller.project.store
    for label, names in store.labels().targets.items():
        if name in names:
            # Where somebody else has just taken it off, there is nothing left to do.
            with suppress(LabelNotFoundError):
                store.remove_label(name, label, author=caller.author)
