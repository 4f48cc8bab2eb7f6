"""What a read asks of the store."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from promptstore.compare.diff import diff_prompts
from promptstore.errors import (
    InvalidNameError,
    LabelNotFoundError,
    NotFoundError,
    PromptNotFoundError,
    VariableError,
    VersionNotFoundError,
)
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import render_prompt
from promptstore.model.values import is_name
from promptstore.model.versions import PromptInfo
from promptstore.posthog import requests
from promptstore.posthog.fields import read_uuid
from promptstore.posthog.models import PromptDiff, PromptList, Rendered, Resolved
from promptstore.posthog.names import decode_name, encode_name
from promptstore.server import views
from promptstore.server.answers import Shown, make_etag
from promptstore.server.errors import invalid, no_such_prompt, not_found
from promptstore.server.projects import Project
from promptstore.server.views import Row
from promptstore.store.snapshot import Snapshot

_log = logging.getLogger("promptstore.server")

_VERSIONS_PAGE: Final = 50


class Page(NamedTuple):
    """Where a page of a list was asked for.

    Attributes:
        address: The absolute URL without its query.
        query: The parameters of the query, in order.
    """

    address: str
    query: tuple[tuple[str, str], ...]


class Found(NamedTuple):
    """A prompt that was found.

    Attributes:
        snapshot: The snapshot that it was found in.
        name: Its name in git.
        latest: The number of its newest version.
        commit: The commit of its newest version.
    """

    snapshot: Snapshot
    name: str
    latest: int
    commit: str

    @property
    def etag(self) -> str:
        """The state of the prompt, which ``If-Match`` names."""
        prompt = self.snapshot.read(self.name, deleted=True)
        return make_etag(self.name, self.commit, self.latest, prompt.digest)


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
    found = find_file(project, snapshot, git_name(text))
    if found is None and ids and (wanted := read_uuid(text)):
        found = find_file(project, snapshot, project.names_by_id(snapshot).get(wanted, ""))
    if found is None or found.name not in snapshot:
        raise no_such_prompt(text)
    return found


def find_by_id(project: Project, text: str) -> Found:
    """Find a prompt that is there and not deleted by its id.

    Raises:
        ApiError: There is none (404).
    """
    snapshot = project.store.snapshot()
    name = project.names_by_id(snapshot).get(read_uuid(text) or "")
    found = find_file(project, snapshot, name or "")
    if found is None:
        raise not_found()
    return found


def git_name(text: str) -> str:
    """Return the name in git of a name as the API writes it, or as git does; else nothing."""
    if "/" in text or "." in text:
        return text
    try:
        return decode_name(text)
    except InvalidNameError:
        return ""


def find_file(project: Project, snapshot: Snapshot, name: str) -> Found | None:
    """Find a prompt whose file is there, deleted or not; None where there is none."""
    if not is_name(name) or snapshot.find(name) is None:
        return None
    latest = project.history(snapshot).timeline.latest(name)
    return Found(snapshot, name, latest.number, latest.commit) if latest else None


def row_of(project: Project, found: Found, prompt: Prompt, label: str | None = None) -> Row:
    """Return a version with what the API says about it."""
    # The id stays the same through all versions, so it is that of the newest one.
    newest = found.snapshot.read(found.name, deleted=True)
    info = found.snapshot.info(found.name, version=prompt.version)
    message = _message(project, found.snapshot, prompt)
    prompt_id = project.id_of(found.snapshot, newest)
    return Row(prompt, prompt_id, found.latest, info, message, label)


def read_by_name(project: Project, text: str, query: requests.ReadQuery) -> Shown:
    """Read one version of a prompt by name: the newest one, a number, or a label's."""
    found = find_by_name(project, text, ids=True)
    prompt = _selected(project, found, text, query.version, query.label)
    row = row_of(project, found, prompt, query.label)
    if query.format == "native":
        return Shown(views.native_prompt(row, project.store.labels()))
    is_newest = query.version is None and query.label is None
    is_plain = is_newest and query.content in ("full", "") and query.format in ("json", "")
    shown = views.public_prompt(row, query.content, query.format)
    return Shown(shown, found.etag if is_plain else None)


def read_by_id(project: Project, text: str, query: requests.FormatQuery) -> Shown:
    """Read a prompt by id, as the generation of ids does."""
    found = find_by_id(project, text)
    row = row_of(project, found, found.snapshot.read(found.name))
    if query.format == "native":
        return Shown(views.native_prompt(row, project.store.labels()))
    return Shown(views.by_id(row, query.format), None if query.format == "source" else found.etag)


def read_list(project: Project, query: requests.ListQuery, page: Page) -> Shown:
    """List the prompts, each at its newest version or at that of a label."""
    snapshot = project.store.snapshot()
    labels = project.store.labels()
    search = query.search.strip().replace("\0", "")
    rows = _listed(project, snapshot, query.label, search)
    if query.created_by_id:
        rows = [row for row in rows if views.is_by(row, query.created_by_id)]
    if snapshot.commit is not None:
        order = query.order_by
        places = project.history(snapshot).timeline.places()
        rows.sort(key=partial(_order_key, order.lstrip("-"), places), reverse=order[0] == "-")
    start, end = query.offset, query.offset + query.limit
    results = [
        views.native_prompt(row, labels)
        if query.format == "native"
        else views.prompt_row(row, labels, query.content, query.format)
        for row in rows[start:end]
    ]
    return Shown(
        PromptList(
            count=len(rows),
            next=_link(page, query.limit, end) if end < len(rows) else None,
            previous=_link(page, query.limit, start - query.limit) if start > 0 else None,
            results=results,
        )
    )


def resolve(project: Project, text: str, query: requests.ResolveQuery) -> Shown:
    """Read one version of a prompt and a page of its history."""
    found = find_by_name(project, text)
    newest = found.snapshot.read(found.name)
    prompt_id = project.id_of(found.snapshot, newest)
    history = project.store.history(found.name)
    versions = [version for version in history if version.number <= found.latest]
    chosen = [
        version
        for version in versions
        if query.version in (None, version.number)
        and query.version_id in (None, views.version_id(prompt_id, version.commit))
    ]
    if not chosen:
        raise no_such_prompt(text)
    prompt = _selected(project, found, text, chosen[0].number, None)
    older = [one for one in versions if one.number < (query.before_version or found.latest + 1)]
    start = query.offset or 0
    end = start + (query.limit or _VERSIONS_PAGE)
    moves = project.store.label_history(name=found.name)
    targets = project.store.labels().targets
    return Shown(
        Resolved(
            prompt=views.full_prompt(row_of(project, found, prompt)),
            versions=[
                views.version_summary(prompt_id, found.name, version, found.latest)
                for version in older[start:end]
            ],
            has_more=len(older) > end,
            labels=[
                views.label_row(prompt_id, found.name, label, names[found.name].version, moves)
                for label, names in sorted(targets.items())
                if found.name in names
            ],
        )
    )


def read_diff(project: Project, text: str, query: requests.DiffQuery) -> Shown:
    """Compare two versions of a prompt."""
    found = find_by_name(project, text, ids=True)
    after = found.latest if query.after is None else query.after
    before = max(1, after - 1) if query.before is None else query.before
    old, new = (_selected(project, found, text, number, None) for number in (before, after))
    changed = diff_prompts(old, new)
    diffs = [{"title": item.title, "diff": item.diff} for item in changed.texts]
    value = {"from": before, "to": after, "changes": list(changed.changes), "texts": diffs}
    return Shown(PromptDiff.model_validate({"name": encode_name(found.name), **value}))


def render(project: Project, text: str, request: requests.RenderRequest) -> Shown:
    """Fill a version of a prompt with values.

    Raises:
        ApiError: Values are missing, unknown or wrong (400, all at once).
    """
    found = find_by_name(project, text, ids=True)
    prompt = _selected(project, found, text, request.version, request.label)
    try:
        rendered = render_prompt(prompt, request.variables)
    except VariableError as error:
        refusal = invalid("invalid_variables", str(error), "variables")
        refusal.body |= {
            "missing": [*error.missing],
            "unknown": [*error.unknown],
            "invalid": dict(error.invalid),
        }
        raise refusal from None
    return Shown(
        Rendered(
            name=encode_name(found.name),
            version=prompt.version or found.latest,
            digest=rendered.digest,
            messages=rendered.messages,
            text=None if rendered.is_chat else rendered.text,
            config=dict(rendered.config),
        )
    )


def _selected(
    project: Project, found: Found, text: str, version: int | None, label: str | None
) -> Prompt:
    try:
        if label is not None:
            return project.store.get(found.name, label=label)
        if version is not None:
            return project.store.get(found.name, version=version)
        return found.snapshot.read(found.name)
    except (LabelNotFoundError, VersionNotFoundError, PromptNotFoundError):
        raise no_such_prompt(text, version=version, label=label) from None


def _listed(project: Project, snapshot: Snapshot, label: str | None, search: str) -> list[Row]:
    listed, broken = snapshot.list_readable(search=(search or None) if label is None else None)
    for error in broken:
        _log.warning("left out of a list: %s", error)
    if label is not None:
        alive = {prompt.name for prompt in listed}
        try:
            labelled = project.store.snapshot(label=label).list_readable(search=search or None)[0]
        except NotFoundError:
            return []
        listed = [prompt for prompt in labelled if prompt.name in alive]
    infos = snapshot.infos([prompt.name or "" for prompt in listed]) if label is None else {}
    return [_listed_row(project, snapshot, prompt, infos) for prompt in listed]


def _listed_row(
    project: Project, snapshot: Snapshot, prompt: Prompt, infos: Mapping[str, PromptInfo]
) -> Row:
    name = prompt.name or ""
    newest = snapshot.read(name)
    info = infos.get(name) or snapshot.info(name, version=prompt.version)
    message = _message(project, snapshot, prompt)
    return Row(prompt, project.id_of(snapshot, newest), newest.version or 0, info, message)


def _message(project: Project, snapshot: Snapshot, prompt: Prompt) -> str:
    return project.history(snapshot).commit(prompt.commit).message if prompt.commit else ""


def _order_key(order: str, places: Mapping[str, int], row: Row) -> tuple[Any, ...]:
    # Git counts whole seconds, so the place in the history orders what was written in one.
    made = (row.info.updated_at, places.get(row.name, 0))
    if order == "name":
        return (encode_name(row.name),)
    if order == "version":
        return (row.prompt.version, *made)
    if order in ("latest_version", "version_count"):
        return (row.latest, *made)
    if order == "first_version_created_at":
        return (row.info.created_at, *made)
    if order == "prompt_size_bytes":
        return (views.stored_size(row.content()), *made)
    return made


def _link(page: Page, limit: int, offset: int) -> str:
    """Return the URL of another page, which carries every parameter."""
    others = [pair for pair in page.query if pair[0] not in ("limit", "offset")]
    start = [("offset", str(offset))] if offset > 0 else []
    return f"{page.address}?{urlencode([*others, ('limit', str(limit)), *start])}"
