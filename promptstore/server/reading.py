"""What a read asks of the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from promptstore.compare.diff import diff_prompts
from promptstore.errors import (
    LabelNotFoundError,
    NotFoundError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.model.names import is_name
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import texts
from promptstore.model.versions import PromptInfo
from promptstore.server import wire
from promptstore.server.content import stored_size_of, value_of
from promptstore.server.etags import make_etag
from promptstore.server.fields import (
    page_number,
    query_choice,
    query_integer,
    query_label,
    query_uuid,
)
from promptstore.server.ids import read_uuid, version_id
from promptstore.server.paging import Page, page_links
from promptstore.server.problems import (
    RefusedError,
    invalid,
    no_such_prompt,
    not_found,
    only_detail,
)
from promptstore.server.projects import Project
from promptstore.server.spelling import spell, unspell
from promptstore.store.snapshot import Snapshot

_log = logging.getLogger("promptstore.server")

Query = Mapping[str, str]
"""The parameters of a query."""

_ORDER_CHOICES: Final = (*wire.ORDERS, *(f"-{order}" for order in wire.ORDERS))
_PAGE: Final = 100
_VERSIONS_PAGE: Final = 50
_MAX_VERSIONS_PAGE: Final = 100
_MAX_DIFF_LINES: Final = 20_000


class Draft(NamedTuple):
    """An answer before it is written.

    Attributes:
        etag: The state that it shows.
        write: Makes its JSON, which may have to read files.
    """

    etag: str
    write: Callable[[], Any]


class Found(NamedTuple):
    """A prompt that was found, before its file is read.

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
        return make_etag(self.name, self.commit, self.latest, "")


def check_format(query: Query) -> bool:
    """Read ``format``, and tell whether the whole prompt is wanted.

    Raises:
        RefusedError: It is neither ``json`` nor ``native``.
    """
    wanted = query.get("format") or "json"
    if wanted not in ("json", "native"):
        raise not_found()
    return wanted == "native"


def find_by_name(project: Project, text: str, *, ids: bool = False) -> Found:
    """Find a prompt that is there and not deleted.

    Args:
        project: The project.
        text: Its name as the API spells it, or as git does.
        ids: Whether its id is taken too.

    Raises:
        RefusedError: There is none (404).
    """
    snapshot = project.store.snapshot()
    found = find_file(project, snapshot, unspell(text))
    if found is None and ids and (wanted := read_uuid(text)):
        found = find_file(project, snapshot, project.names_by_id(snapshot).get(wanted, ""))
    if found is None:
        raise no_such_prompt(text)
    return found


def find_by_id(project: Project, text: str) -> Found:
    """Find a prompt that is there and not deleted by its id.

    Raises:
        RefusedError: There is none (404).
    """
    snapshot = project.store.snapshot()
    wanted = read_uuid(text)
    name = project.names_by_id(snapshot).get(wanted) if wanted else None
    found = find_file(project, snapshot, name) if name else None
    if found is None:
        raise not_found()
    return found


def find_file(project: Project, snapshot: Snapshot, name: str) -> Found | None:
    """Find a prompt whose file is there, deleted or not; None where there is none."""
    if not is_name(name) or snapshot.find(name) is None:
        return None
    latest = project.history(snapshot).timeline.latest(name)
    return Found(snapshot, name, latest.number, latest.commit) if latest else None


def row_of(project: Project, found: Found, prompt: Prompt, label: str | None = None) -> wire.Row:
    """Gather what the API says about a version beside its content."""
    history = project.history(found.snapshot)
    message = history.commit(prompt.commit).message if prompt.commit else ""
    # The id stays the same through all versions, so it is that of the newest one.
    newest = found.snapshot.read(found.name, deleted=True)
    prompt_id = project.id_of(found.snapshot, newest)
    info = found.snapshot.info(found.name, version=prompt.version)
    return wire.Row(prompt, info, prompt_id, found.latest, message, label)


def current_row(project: Project, found: Found) -> wire.Row:
    """Give the newest version of a prompt.

    Raises:
        PromptDeletedError: The prompt is deleted.
    """
    return row_of(project, found, found.snapshot.read(found.name))


def read_alive(found: Found, text: str) -> Prompt:
    """Read the newest version of a prompt.

    Raises:
        RefusedError: It is deleted (404).
    """
    try:
        return found.snapshot.read(found.name)
    except PromptNotFoundError:
        raise no_such_prompt(text) from None


def read_by_name(project: Project, text: str, query: Query) -> Draft:
    """Read one version of a prompt by name: the newest one, a number, or a label's."""
    version = query_integer(query, "version", least=1)
    label = query_label(query)
    content = query_choice(query, "content", wire.CONTENT_MODES, "full")
    if version is not None and label is not None:
        raise invalid("invalid_input", "Use either version or label, not both.")
    native = check_format(query)
    found = find_by_name(project, text, ids=True)
    etag = found.etag
    if version is not None:
        etag = make_etag(found.name, found.commit, found.latest, f"version {version}")
    if label is not None:
        target = project.store.labels().targets.get(label, {}).get(found.name)
        etag = make_etag(found.name, found.commit, found.latest, f"label {label} {target}")

    def write() -> dict[str, Any]:
        row = _selected(project, found, text, version, label)
        return wire.native_object(row) if native else wire.public_object(row, content)

    return Draft(etag, write)


def read_by_id(project: Project, text: str, query: Query) -> Draft:
    """Read a prompt by id, as the generation of ids does."""
    native = check_format(query)
    found = find_by_id(project, text)
    write = wire.native_object if native else wire.seed_object
    return Draft(found.etag, lambda: write(current_row(project, found)))


def read_list(project: Project, query: Query, page: Page) -> Draft:
    """List the prompts, each at its newest version or at that of a label."""
    check_format(query)
    label = query_label(query)
    search = (query.get("search") or "").strip().replace("\0", "")
    author = query_integer(query, "created_by_id")
    content = query_choice(query, "content", wire.CONTENT_MODES, "full")
    order = query_choice(query, "order_by", _ORDER_CHOICES, "-created_at")
    # The ETag is asked first: a move meanwhile gives a newer list under an older ETag, which the
    # next request mends. The other way round the older list would never be.
    position = project.store.position()
    snapshot = project.store.snapshot()
    labels = project.store.labels()
    etag = make_etag(position.tip, position.labels, page.url)

    def write() -> dict[str, Any]:
        chosen = _listed(project, snapshot, label, search)
        rows = [row for row in chosen if not author or _is_by(row, author)]
        if snapshot.commit is not None:
            places = project.history(snapshot).timeline.places()
            rows.sort(key=partial(_order_key, order.lstrip("-"), places), reverse=order[0] == "-")
        limit = page_number(query, "limit", default=_PAGE, least=1)
        offset = page_number(query, "offset", default=0, least=0)
        following, previous = page_links(page, limit, offset, len(rows))
        return {
            "count": len(rows),
            "next": following,
            "previous": previous,
            "results": [
                wire.list_object(row, labels, content) for row in rows[offset : offset + limit]
            ],
        }

    return Draft(etag, write)


def resolve(project: Project, text: str, query: Query) -> Draft:
    """Read one version of a prompt and a page of its history."""
    version = query_integer(query, "version", least=1)
    wanted_id = query_uuid(query, "version_id")
    limit = query_integer(query, "limit", least=1, most=_MAX_VERSIONS_PAGE) or _VERSIONS_PAGE
    offset = query_integer(query, "offset", least=0)
    before = query_integer(query, "before_version", least=1)
    if offset is not None and before is not None:
        raise invalid("invalid_input", "Use either offset or before_version, not both.")
    found = find_by_name(project, text)
    position = project.store.position()
    etag = make_etag(found.name, found.commit, found.latest, position.labels, sorted(query.items()))
    return Draft(
        etag,
        lambda: _resolved(project, found, text, (version, wanted_id), (limit, offset or 0, before)),
    )


def read_diff(project: Project, text: str, query: Query) -> Draft:
    """Tell what changed between two versions of a prompt."""
    after = query_integer(query, "to", least=1)
    before = query_integer(query, "from", least=1)
    found = find_by_name(project, text, ids=True)
    after = found.latest if after is None else after
    before = max(1, after - 1) if before is None else before
    etag = make_etag(found.name, found.commit, found.latest, f"diff {before} {after}")

    def write() -> dict[str, Any]:
        read_alive(found, text)
        old, new = (_version(project, found, text, number) for number in (before, after))
        _refuse_long(old, new)
        changed = diff_prompts(old, new)
        return {
            "name": spell(found.name),
            "from": before,
            "to": after,
            "changes": list(changed.changes),
            "texts": [{"title": item.title, "diff": item.diff} for item in changed.texts],
        }

    return Draft(etag, write)


def _refuse_long(*prompts: Prompt) -> None:
    """Refuse what takes a minute to compare: the time may grow with the square of the lines."""
    lines = sum(text.count("\n") + 1 for prompt in prompts for _, text in texts(prompt))
    if lines > _MAX_DIFF_LINES:
        detail = f"More than {_MAX_DIFF_LINES} lines; compare them with `promptstore diff`."
        raise invalid("too_large", detail)


def _selected(
    project: Project, found: Found, text: str, version: int | None, label: str | None
) -> wire.Row:
    current = read_alive(found, text)
    if version is not None:
        return row_of(project, found, _version(project, found, text, version))
    if label is None:
        return row_of(project, found, current)
    try:
        labelled = project.store.get(found.name, label=label)
    except LabelNotFoundError:
        detail = (
            f"Prompt '{text}' has no label '{label}'. "
            "Fetch without a label to get the latest version."
        )
        raise only_detail(404, detail) from None
    return row_of(project, found, labelled, label)


def _version(project: Project, found: Found, text: str, number: int) -> Prompt:
    try:
        return project.store.get(found.name, version=number)
    except (VersionNotFoundError, PromptNotFoundError):
        raise no_such_version(text, number) from None


def no_such_version(text: str, number: int) -> RefusedError:
    """Say that a prompt has no such version (404)."""
    detail = (
        f"Prompt '{text}' has no version {number}. "
        "Fetch without a version to get the latest version."
    )
    return only_detail(404, detail)


def _listed(project: Project, snapshot: Snapshot, label: str | None, search: str) -> list[wire.Row]:
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
    return [
        _listed_row(
            project,
            snapshot,
            prompt,
            infos.get(prompt.name or "")
            or snapshot.info(prompt.name or "", version=prompt.version),
        )
        for prompt in listed
    ]


def _listed_row(project: Project, snapshot: Snapshot, prompt: Prompt, info: PromptInfo) -> wire.Row:
    history = project.history(snapshot)
    newest = snapshot.read(prompt.name or "")
    message = history.commit(prompt.commit).message if prompt.commit else ""
    return wire.Row(prompt, info, project.id_of(snapshot, newest), newest.version or 0, message)


def _is_by(row: wire.Row, author: int) -> bool:
    person = wire.user_object(row.info.updated_by)
    return person is not None and person["id"] == author


def _order_key(order: str, places: Mapping[str, int], row: wire.Row) -> tuple[Any, ...]:
    prompt = row.prompt
    # Git counts whole seconds, so the place in the history orders what was written in one.
    made = (row.info.updated_at, places.get(row.name, 0))
    if order == "name":
        return (spell(row.name),)
    if order == "version":
        return (prompt.version, *made)
    if order in ("latest_version", "version_count"):
        return (row.latest, *made)
    if order == "first_version_created_at":
        return (row.info.created_at, *made)
    if order == "prompt_size_bytes":
        return (stored_size_of(value_of(prompt)), *made)
    return made


def _resolved(
    project: Project,
    found: Found,
    text: str,
    wanted: tuple[int | None, str | None],
    paging: tuple[int, int, int | None],
) -> dict[str, Any]:
    newest = read_alive(found, text)
    prompt_id = project.id_of(found.snapshot, newest)
    history = project.store.history(found.name)
    versions = [version for version in history if version.number <= found.latest]
    number, wanted_id = wanted
    chosen = [
        version
        for version in versions
        if number in (None, version.number)
        and wanted_id in (None, version_id(prompt_id, version.commit))
    ]
    if not chosen:
        raise no_such_prompt(text)
    is_latest = chosen[0].number == found.latest
    prompt = newest if is_latest else _version(project, found, text, chosen[0].number)
    limit, offset, before = paging
    older = [version for version in versions if before is None or version.number < before]
    moves = project.store.label_history(name=found.name)
    return {
        "prompt": wire.full_object(row_of(project, found, prompt)),
        "versions": _versions(prompt_id, found, older[offset : offset + limit]),
        "has_more": len(older) > offset + limit,
        "labels": wire.label_objects(prompt_id, found.name, project.store.labels(), moves),
    }


def _versions(prompt_id: str, found: Found, versions: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        wire.version_object(prompt_id, found.name, version, found.latest) for version in versions
    ]
