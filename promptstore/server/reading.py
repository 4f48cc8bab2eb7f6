"""One prompt by its name: how it is found, how the API shows it, and the route that reads it.

The answers to reads are kept as long as the branch and the labels stay where they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple
from uuid import uuid5

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from promptstore.errors import (
    InvalidNameError,
    LabelNotFoundError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.history.labels import LabelTable, Target, contradiction
from promptstore.model.prompt import Prompt
from promptstore.model.versions import PromptInfo
from promptstore.posthog import models, queries
from promptstore.posthog.content import (
    RemoteContent,
    decode_name,
    encode_content,
    encode_name,
    served_content,
)
from promptstore.posthog.requests import MAX_DESCRIPTION_LENGTH, read_uuid
from promptstore.server.errors import invalid, no_such_prompt
from promptstore.server.http import ApiRoute, ReadAnswer, make_etag, origin
from promptstore.server.projects import (
    CONDITIONAL,
    NAME_PATH,
    SPACE,
    NameOrId,
    Project,
    Reader,
    find_caller,
    make_router,
)
from promptstore.store.edits import default_messages
from promptstore.store.snapshot import Snapshot

END_OF_DESCRIPTION: Final = "\n\n(Published through the API.)"
"""Stands at the end of a commit's message whose description ends in what git calls trailers."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(?=\S)")
_PREVIEW: Final = 160
_MAX_ITEM: Final = 72
_ITEM_PREFIX: Final = 39


class ReadRoute(ApiRoute):
    """A route of prompts; what it reads is kept for all who may read it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of FastAPI, which is asked for what was not answered yet."""
        handle = super().get_route_handler()
        if self.methods != {"GET"}:
            return handle

        async def read(request: Request) -> Response:
            path, query = request.scope["promptstore.path"], request.scope["query_string"]
            segment = request.path_params["project_id"]
            project = find_caller(request, ["llm_prompt:read"], segment).project
            key = (path, query, origin(request))
            kept: Response | None = project.answers.find(project.store.snapshot(), key)
            if kept is None:
                kept = await handle(request)
            if not isinstance(kept, ReadAnswer):
                return kept
            project.answers.keep(key, kept)
            return kept.for_client(request.headers.get("if-none-match"))

        return read


router: Final = make_router("prompts", ReadRoute)


class Found(NamedTuple):
    """A prompt that was found.

    Attributes:
        snapshot: The snapshot that it was found in.
        prompt: Its newest version there.
    """

    snapshot: Snapshot
    prompt: Prompt

    @property
    def name(self) -> str:
        """Its name in git."""
        return self.prompt.name or ""

    @property
    def latest(self) -> int:
        """The number of its newest version."""
        return self.prompt.version or 0

    @property
    def etag(self) -> str:
        """The state of the prompt, which ``If-Match`` names."""
        prompt = self.prompt
        return make_etag(prompt.name, prompt.commit, prompt.version, prompt.digest)


class Row(NamedTuple):
    """One version of a prompt, with what the API says about it beside its content.

    Attributes:
        prompt: The prompt as of the version.
        id: The prompt's id.
        latest: The number of its newest version.
        info: Who made it and when, and its labels.
        message: The message of its commit.
    """

    prompt: Prompt
    id: str
    latest: int
    info: PromptInfo
    message: str

    @property
    def name(self) -> str:
        """The prompt's name in git."""
        return self.prompt.name or ""

    def content(self, form: str = "json") -> RemoteContent:
        """Return the content: as the file writes it (``source``), or as SDKs fill it."""
        if form == "source":
            return encode_content(self.prompt, as_source=True)
        return served_content(self.prompt)


@router.get(NAME_PATH, response_model=models.PublicPrompt | models.NativePrompt, **CONDITIONAL)
def get_prompt_by_name(
    caller: Reader, prompt_name: NameOrId, query: Annotated[queries.ReadQuery, Query()]
) -> Response:
    """Read a prompt by name: its newest version, that of a number, or that of a label."""
    project = caller.project
    found, prompt = find_version(project, prompt_name, query.version, query.label)
    row = row_of(project, found.snapshot, prompt)
    if query.format == "native":
        return ReadAnswer(native_prompt(row, found.snapshot.labels()), found.snapshot)
    values = _versioned(row, row.content(query.format), query.content)
    if query.label is not None:
        # The JavaScript SDK takes no null here: the key is there only when asked for by a label.
        values["label"] = query.label
    is_plain = query.content in ("full", "") and query.format in ("json", "")
    etag = found.etag if is_plain and prompt is found.prompt else None
    return ReadAnswer(models.PublicPrompt(**values), found.snapshot, etag)


def find_by_name(project: Project, text: str, *, ids: bool = False) -> Found:
    """Find a prompt that is there and not deleted.

    Args:
        project: The project.
        text: Its name as the API writes it, or as git does.
        ids: Whether its id is taken too.

    Raises:
        ApiError: There is none (404).
    """
    snapshot = project.store.snapshot()
    found = find_file(snapshot, git_name(text))
    if found is None and ids and (wanted := read_uuid(text)):
        found = find_file(snapshot, project.names_by_id(snapshot).get(wanted, ""))
    if found is None or found.prompt.deleted:
        raise no_such_prompt(text)
    return found


def find_version(
    project: Project, text: str, version: int | None, label: str | None
) -> tuple[Found, Prompt]:
    """Find a prompt by its name or id, and return that and the version that is asked for.

    Raises:
        ApiError: A version and a label are given (400), or there is none (404).
    """
    if version is not None and label is not None:
        raise invalid("invalid_input", "Use either version or label, not both.")
    found = find_by_name(project, text, ids=True)
    return found, select(project, found, text, version, label)


def git_name(text: str) -> str:
    """Return the name in git of a name as the API writes it, or as git does; else nothing."""
    if "/" in text or "." in text:
        return text
    try:
        return decode_name(text)
    except InvalidNameError:
        return ""


def find_file(snapshot: Snapshot, name: str) -> Found | None:
    """Find a prompt whose file is there, deleted or not; None where there is none."""
    return Found(snapshot, snapshot.read(name, deleted=True)) if snapshot.find(name) else None


def select(
    project: Project, found: Found, text: str, version: int | None, label: str | None = None
) -> Prompt:
    """Return a version of a prompt, as the snapshot that it was found in has it.

    Args:
        project: The project.
        found: The prompt.
        text: Its name as it was asked for.
        version: The number of the version, or None.
        label: The label that points at it, or None. At most one of the two; else it is the newest.

    Raises:
        ApiError: There is none (404).
    """
    if version is None and label is None:
        return found.prompt
    name, snapshot = found.name, found.snapshot
    try:
        if label is not None:
            version, commit = snapshot.labels().find(label, name)
        else:
            commit = project.history(snapshot).find(name, version or 0, has_file=True).commit
        prompt = project.store.snapshot(commit).read(name, deleted=True)
    except (LabelNotFoundError, VersionNotFoundError, PromptNotFoundError):
        raise no_such_prompt(text, version=version, label=label) from None
    if label is not None and prompt.version != version:
        raise contradiction(label, name, Target(version or 0, commit), prompt.version)
    return prompt


def row_of(
    project: Project, snapshot: Snapshot, prompt: Prompt, info: PromptInfo | None = None
) -> Row:
    """Return a version of a prompt with what the API says about it.

    Args:
        project: The project.
        snapshot: The snapshot that the prompt was found in.
        prompt: The version.
        info: Who made it and when, where that is known already.
    """
    # The id stays the same through all versions, so it is that of the newest one.
    newest = snapshot.read(prompt.name or "", deleted=True)
    info = info or snapshot.info(prompt.name or "", version=prompt.version)
    history = project.history(snapshot)
    message = history.backend.commit(prompt.commit).message if prompt.commit else ""
    return Row(prompt, project.id_of(snapshot, newest), newest.version or 0, info, message)


def full_prompt(row: Row) -> models.FullPrompt:
    """Return a version as a write answers it."""
    return models.FullPrompt(**values_of(row, row.content(), "full"))


def native_prompt(row: Row, labels: LabelTable) -> models.NativePrompt:
    """Return a version as its file says it."""
    prompt = row.prompt
    return models.NativePrompt(
        **base_values(row),
        latest_version=row.latest,
        version_description=description_of(row.message, row.name),
        all_labels=all_labels(labels, row.name),
        git_name=row.name,
        commit=prompt.commit or "",
        blob=prompt.blob or "",
        content=prompt.content,
    )


def base_values(row: Row) -> dict[str, Any]:
    """Return what every answer tells of a version, by the names of the API."""
    return {
        "id": row.id,
        "name": encode_name(row.name),
        "version": row.prompt.version,
        "created_by": user_of(row.info.updated_by),
        "created_at": to_utc(row.info.updated_at),
        "updated_at": to_utc(row.info.updated_at),
        "deleted": row.prompt.deleted,
    }


def _versioned(row: Row, content: RemoteContent, mode: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if mode == "preview":
        is_short = len(content.text) <= _PREVIEW
        shown["prompt_preview"] = content.text if is_short else f"{content.text[:_PREVIEW]}..."
    elif mode != "none":
        shown = {"prompt": content.text, "config": content.config or None}
    if content.is_source:
        shown["template"] = row.prompt.template
    return {
        **base_values(row),
        **shown,
        "outline": _outline(content.value),
        "is_latest": row.prompt.version == row.latest,
        "latest_version": row.latest,
        "version_count": row.latest,
        "first_version_created_at": to_utc(row.info.created_at),
    }


def values_of(row: Row, content: RemoteContent, mode: str) -> dict[str, Any]:
    """Return what writes and lists tell of a version, by the names of the API."""
    return {
        **_versioned(row, content, mode),
        "version_description": description_of(row.message, row.name),
        "labels": list(row.info.labels),
        "activity_item_id": _activity_item(encode_name(row.name)),
    }


def all_labels(labels: LabelTable, name: str) -> list[models.LabelVersion]:
    """Return the labels of a prompt, with the version that each points at."""
    found = labels.versions(name)
    return [models.LabelVersion(name=label, version=found[label]) for label in found]


def user_of(person: str | None) -> models.User | None:
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


def description_of(message: str, name: str) -> str | None:
    """Return what a commit's message says about a version; the sentence of a library is none."""
    text = message.strip().removesuffix(END_OF_DESCRIPTION)
    return None if text in default_messages(name) else text[:MAX_DESCRIPTION_LENGTH]


def to_utc(time: datetime | None) -> datetime | None:
    """Return a time in the zone that the API tells times in."""
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
