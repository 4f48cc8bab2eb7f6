"""The prompts of a store as the answers of the API."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from promptstore.history.labels import LabelMove, LabelTable
from promptstore.model.prompt import Prompt
from promptstore.model.versions import PromptInfo, Version
from promptstore.posthog import models
from promptstore.posthog.content import RemoteContent, encode_content, encode_name, served_content
from promptstore.posthog.fields import MAX_DESCRIPTION_LENGTH
from promptstore.server.projects import SPACE
from promptstore.store.edits import default_messages

END_OF_DESCRIPTION: Final = "\n\n(Published through the API.)"
"""Stands at the end of a commit's message whose description ends in what git calls trailers."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(?=\S)")
_PREVIEW: Final = 160
_MAX_ITEM: Final = 72
_ITEM_PREFIX: Final = 39


class Row(NamedTuple):
    """One version of a prompt, with what the API says about it beside its content.

    Attributes:
        prompt: The prompt as of the version.
        id: The prompt's id.
        latest: The number of its newest version.
        info: Who made it and when, and its labels.
        message: The message of its commit.
        label: The label that it was asked for by, or None.
    """

    prompt: Prompt
    id: str
    latest: int
    info: PromptInfo
    message: str
    label: str | None = None

    @property
    def name(self) -> str:
        """The prompt's name in git."""
        return self.prompt.name or ""

    def content(self, form: str = "json") -> RemoteContent:
        """Return the content: as the file writes it (``source``), or as SDKs fill it."""
        if form == "source":
            return encode_content(self.prompt, as_source=True)
        return served_content(self.prompt)


def by_id(row: Row, form: str) -> models.PromptById:
    """Return a prompt as the generation of ids answers it: JSON content as JSON."""
    info = row.info
    made = {"created_by": _user(info.created_by), "created_at": _utc(info.created_at)}
    return models.PromptById(**{**_base(row), **made, "prompt": row.content(form).value})


def public_prompt(row: Row, mode: str, form: str) -> models.PublicPrompt:
    """Return a version as a read by name answers it."""
    values = _versioned(row, row.content(form), mode)
    if row.label is not None:
        # The JavaScript SDK takes no null here: the key is there only when asked for by a label.
        values["label"] = row.label
    return models.PublicPrompt(**values)


def full_prompt(row: Row) -> models.FullPrompt:
    """Return a version as a write answers it."""
    return models.FullPrompt(**_full(row, row.content(), "full"))


def prompt_row(row: Row, labels: LabelTable, mode: str, form: str) -> models.PromptRow:
    """Return a row of the list."""
    content = row.content(form)
    return models.PromptRow(
        **_full(row, content, mode),
        prompt_size_bytes=stored_size(content),
        all_labels=_labels(labels, row.name),
    )


def native_prompt(row: Row, labels: LabelTable) -> models.NativePrompt:
    """Return a version as its file says it."""
    prompt = row.prompt
    return models.NativePrompt(
        **_base(row),
        latest_version=row.latest,
        version_description=_description(row.message, row.name),
        all_labels=_labels(labels, row.name),
        git_name=row.name,
        commit=prompt.commit or "",
        blob=prompt.blob or "",
        content=prompt.content,
    )


def version_id(prompt: str, commit: str) -> str:
    """Return the id of one version of a prompt."""
    return str(uuid5(UUID(prompt), f"version {commit}"))


def version_summary(prompt: str, name: str, version: Version, latest: int) -> models.VersionSummary:
    """Return one version of a prompt's history."""
    return models.VersionSummary(
        id=version_id(prompt, version.commit),
        version=version.number,
        version_description=_description(version.message, name),
        created_by=_user(version.author),
        created_at=_utc(version.committed_at),
        is_latest=version.number == latest,
        labels=list(version.labels),
    )


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
        created_by=_user(oldest.author if oldest else None),
        created_at=_utc(oldest.moved_at if oldest else None),
        updated_at=_utc(newest.moved_at if newest else None),
    )


def stored_size(content: RemoteContent) -> int:
    """Return the size of a content as lists tell it: bytes of its JSON, spaces after colons."""
    return len(json.dumps(content.value, ensure_ascii=False).encode())


def _base(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": encode_name(row.name),
        "version": row.prompt.version,
        "created_by": _user(row.info.updated_by),
        "created_at": _utc(row.info.updated_at),
        "updated_at": _utc(row.info.updated_at),
        "deleted": row.prompt.deleted,
    }


def _versioned(row: Row, content: RemoteContent, mode: str) -> dict[str, Any]:
    return {
        **_base(row),
        **_shown(content, mode),
        **({"template": row.prompt.template} if content.is_source else {}),
        "outline": _outline(content.value),
        "is_latest": row.prompt.version == row.latest,
        "latest_version": row.latest,
        "version_count": row.latest,
        "first_version_created_at": _utc(row.info.created_at),
    }


def _full(row: Row, content: RemoteContent, mode: str) -> dict[str, Any]:
    return {
        **_versioned(row, content, mode),
        "version_description": _description(row.message, row.name),
        "labels": list(row.info.labels),
        "activity_item_id": _activity_item(encode_name(row.name)),
    }


def _shown(content: RemoteContent, mode: str) -> Mapping[str, Any]:
    if mode == "none":
        return {}
    if mode == "preview":
        text = content.text
        return {"prompt_preview": text if len(text) <= _PREVIEW else text[:_PREVIEW] + "..."}
    return {"prompt": content.text, "config": content.config or None}


def _labels(labels: LabelTable, name: str) -> list[models.LabelVersion]:
    return [
        models.LabelVersion(name=label, version=names[name].version)
        for label, names in sorted(labels.targets.items())
        if name in names
    ]


def _user(person: str | None) -> models.User | None:
    """Return a person whom git knows as ``name <email>``."""
    if person is None:
        return None
    name, _, address = person.rpartition(" <")
    email = address.removesuffix(">")
    first, _, last = name.strip().partition(" ")
    folded = email.casefold().encode("utf-8", "surrogatepass")
    number = int.from_bytes(hashlib.sha256(folded).digest()[:6], "big") or 1
    uuid = str(uuid5(SPACE, f"user {email.casefold()}"))
    return models.User(
        id=number,
        uuid=uuid,
        distinct_id=uuid,
        first_name=first,
        last_name=last.strip(),
        email=email,
        is_email_verified=None,
        hedgehog_config=None,
        role_at_organization=None,
    )


def is_by(row: Row, number: int) -> bool:
    """Return whether a version was made by the user of a number."""
    person = _user(row.info.updated_by)
    return person is not None and person.id == number


def _description(message: str, name: str) -> str | None:
    """Return what a commit's message says about a version; the sentence of a library is none."""
    text = message.strip().removesuffix(END_OF_DESCRIPTION)
    return None if text in default_messages(name) else text[:MAX_DESCRIPTION_LENGTH]


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


def _outline(value: Any) -> list[dict[str, Any]]:
    """Return the markdown headings of a text; other JSON has none."""
    if not isinstance(value, str):
        return []
    found = ((line, _HEADING.match(line)) for line in _LINE_END.split(value))
    return [
        {"level": len(match[1]), "text": _without_closing(line[match.end() :])}
        for line, match in found
        if match
    ]


def _without_closing(heading: str) -> str:
    """Return a heading without the ``#`` that may close it after a space.

    A regular expression that did all at once would take a square of the time for long spaces.
    """
    text = heading.rstrip(" \t")
    bare = text.rstrip("#")
    return bare.rstrip(" \t") if bare.endswith((" ", "\t")) else text


def _activity_item(name: str) -> str:
    if len(name) <= _MAX_ITEM:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{name[:_ITEM_PREFIX]}#{digest}"
