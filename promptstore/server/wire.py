"""The JSON of the API, in both of its generations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from promptstore.history.labels import LabelTable
from promptstore.history.moves import LabelMove
from promptstore.model.prompt import Prompt
from promptstore.model.versions import PromptInfo, Version
from promptstore.server import ids
from promptstore.server.content import outline_of, preview_of, stored_size_of, text_of, value_of
from promptstore.server.spelling import spell
from promptstore.store.edits import default_messages

CONTENT_MODES: Final = ("full", "preview", "none")
ORDERS: Final = (
    "name",
    "created_at",
    "updated_at",
    "version",
    "latest_version",
    "version_count",
    "first_version_created_at",
    "prompt_size_bytes",
)
"""What a list may be ordered by; with ``-`` in front the other way round."""

_MAX_ITEM: Final = 72
_ITEM_PREFIX: Final = 39
_MAX_DESCRIPTION: Final = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One version of a prompt, with what the API says about it beside its content.

    Attributes:
        prompt: The prompt as of the version.
        info: Who made the version when, and its labels.
        id: The prompt's id.
        latest: The number of its newest version.
        message: The message of the commit that made the version.
        label: The label that it was asked for by, or None.
    """

    prompt: Prompt
    info: PromptInfo
    id: str
    latest: int
    message: str
    label: str | None = None

    @property
    def name(self) -> str:
        """The prompt's name in git."""
        return self.prompt.name or ""


def seed_object(row: Row) -> dict[str, Any]:
    """Write a prompt as the generation of ids does: JSON content as JSON, eight keys."""
    prompt = row.prompt
    return {
        "id": row.id,
        "name": spell(row.name),
        "prompt": value_of(prompt),
        "version": prompt.version,
        "created_by": user_object(row.info.created_by),
        "created_at": time_text(row.info.created_at),
        "updated_at": time_text(row.info.updated_at),
        "deleted": prompt.deleted,
    }


def full_object(row: Row, content: str = "full") -> dict[str, Any]:
    """Write a version as today's generation does where it was written, or listed."""
    prompt = row.prompt
    value = value_of(prompt)
    return {
        "id": row.id,
        "name": spell(row.name),
        **_content(prompt, value, content),
        "version": prompt.version,
        "version_description": description_of(row.message, row.name),
        "created_by": user_object(row.info.updated_by),
        **_times(row),
        "outline": outline_of(value),
        "labels": list(row.info.labels),
        "activity_item_id": _activity_item(spell(row.name)),
    }


def list_object(row: Row, labels: LabelTable, content: str) -> dict[str, Any]:
    """Write a row of the list."""
    return {
        **full_object(row, content),
        "prompt_size_bytes": stored_size_of(value_of(row.prompt)),
        "all_labels": [
            {"name": label, "version": names[row.name].version}
            for label, names in sorted(labels.targets.items())
            if row.name in names
        ],
    }


def public_object(row: Row, content: str) -> dict[str, Any]:
    """Write a version as today's generation does for a read by name."""
    prompt = row.prompt
    value = value_of(prompt)
    return {
        "id": row.id,
        "name": spell(row.name),
        **_content(prompt, value, content),
        "outline": outline_of(value),
        "version": prompt.version,
        # The JavaScript SDK takes no null here: the key is there only when asked for by a label.
        **({} if row.label is None else {"label": row.label}),
        **_times(row),
    }


def native_object(row: Row) -> dict[str, Any]:
    """Write the whole prompt, as its file in git says it."""
    prompt = row.prompt
    return {
        "id": row.id,
        "name": spell(row.name),
        "git_name": row.name,
        "version": prompt.version,
        "commit": prompt.commit,
        "blob": prompt.blob,
        "content": prompt.content,
    }


def version_object(prompt: str, name: str, version: Version, latest: int) -> dict[str, Any]:
    """Write one version of a prompt's history."""
    return {
        "id": ids.version_id(prompt, version.commit),
        "version": version.number,
        "version_description": description_of(version.message, name),
        "created_by": user_object(version.author),
        "created_at": time_text(version.committed_at),
        "is_latest": version.number == latest,
        "labels": list(version.labels),
    }


def label_objects(
    prompt: str, name: str, labels: LabelTable, moves: Sequence[LabelMove]
) -> list[dict[str, Any]]:
    """Write the labels of a prompt, sorted by name.

    Args:
        prompt: The prompt's id.
        name: The prompt's name in git.
        labels: All labels.
        moves: The moves of labels of this prompt, newest first.
    """
    return [
        label_object(prompt, name, label, names[name].version, moves)
        for label, names in sorted(labels.targets.items())
        if name in names
    ]


def label_object(
    prompt: str, name: str, label: str, version: int, moves: Iterable[LabelMove]
) -> dict[str, Any]:
    """Write one label of a prompt; it was made when it was set where it had not been."""
    own: list[LabelMove] = []
    for move in moves:
        if move.label == label and move.name == name:
            own.append(move)
            if move.before is None:
                break
    newest, oldest = (own[0], own[-1]) if own else (None, None)
    return {
        "id": ids.label_id(prompt, label),
        "name": label,
        "prompt_name": spell(name),
        "version": version,
        "created_by": user_object(oldest.author if oldest else None),
        "created_at": time_text(oldest.moved_at if oldest else None),
        "updated_at": time_text(newest.moved_at if newest else None),
    }


def user_object(person: str | None) -> dict[str, Any] | None:
    """Write a person whom git knows as ``name <email>``."""
    if person is None:
        return None
    name, _, address = person.rpartition(" <")
    email = address.removesuffix(">")
    first, _, last = name.strip().partition(" ")
    uuid = ids.user_uuid(email)
    return {
        "id": ids.user_number(email),
        "uuid": uuid,
        "distinct_id": uuid,
        "first_name": first,
        "last_name": last.strip(),
        "email": email,
        "is_email_verified": None,
        "hedgehog_config": None,
        "role_at_organization": None,
    }


def description_of(message: str, name: str) -> str | None:
    """Give what a commit's message says about a version; the sentence of a library says nothing."""
    text = message.strip()
    return None if text in default_messages(name) else text[:_MAX_DESCRIPTION]


def time_text(time: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC, to the second."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content(prompt: Prompt, value: Any, mode: str) -> Mapping[str, Any]:
    if mode == "none":
        return {}
    if mode == "preview":
        return {"prompt_preview": preview_of(value)}
    return {"prompt": text_of(value), "config": prompt.config or None}


def _times(row: Row) -> dict[str, Any]:
    prompt = row.prompt
    made = time_text(row.info.updated_at)
    return {
        "created_at": made,
        "updated_at": made,
        "deleted": prompt.deleted,
        "is_latest": prompt.version == row.latest,
        "latest_version": row.latest,
        "version_count": row.latest,
        "first_version_created_at": time_text(row.info.created_at),
    }


def _activity_item(name: str) -> str:
    if len(name) <= _MAX_ITEM:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{name[:_ITEM_PREFIX]}#{digest}"
