"""``logs/…``, where log entries are asked for, and ``/v1/logs``, where exporters send them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Security
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.errors import InvalidArgumentError
from promptstore.posthog.logmodels import (
    DateRange,
    Filter,
    LogAttributes,
    LogEntry,
    LogKeysQuery,
    LogPage,
    LogsQueryRequest,
    LogValues,
    LogValuesQuery,
)
from promptstore.server.errors import ApiError, api_error, server_error, unauthenticated
from promptstore.server.http import LimitedRequest, answer_json
from promptstore.server.logs.otlp import (
    JSON,
    MAX_BYTES,
    PROTOBUF,
    Batch,
    read_json,
    read_protobuf,
    unpack,
)
from promptstore.server.logs.queries import Conditions, read_filters, read_span
from promptstore.server.logs.store import KeysQuery
from promptstore.server.logs.writer import LogService
from promptstore.server.projects import Caller, Project, authorize, check_local, make_router

router: Final = make_router("logs")

MAX_EXPORTABLE: Final = 10_000
"""What PostHog's answer says of its export; there is none here."""

_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": dict[str, Any], "description": "What is wrong with the question."}
}

LogReader = Annotated[Caller, Security(authorize, scopes=["logs:read"])]

_Read = TypeVar("_Read")


def logs_of(request: Request) -> LogService:
    """Return what keeps the logs of the server.

    Raises:
        ApiError: It keeps none (501).
    """
    logs: LogService | None = request.app.state.logs
    if logs is None:
        detail = (
            "This server keeps no logs. Start it with `promptstore serve --logs FOLDER`, which "
            "says what else is needed."
        )
        raise server_error(501, "not_implemented", detail)
    return logs


@router.get("/logs/attributes", response_model=LogAttributes)
async def log_attributes(
    request: Request, caller: LogReader, query: Annotated[LogKeysQuery, Query()]
) -> Response:
    """List the keys that the attributes of log entries have."""
    store = logs_of(request).store
    found = await run_in_threadpool(store.attributes, caller.project.id, _keys_query(query))
    return answer_json(found.model_dump(by_alias=True, exclude_none=True))


@router.get("/logs/values", response_model=LogValues, responses=_REFUSED)
async def log_values(
    request: Request, caller: LogReader, query: Annotated[LogValuesQuery, Query()]
) -> Response:
    """List the values that an attribute of log entries has, the most frequent first."""
    if not query.key:
        raise ApiError(400, {"error": "key is required"})
    store = logs_of(request).store
    found = await run_in_threadpool(
        store.values, caller.project.id, query.key, query.value, _keys_query(query)
    )
    return answer_json(found.model_dump())


@router.post("/logs/query", response_model=LogPage, responses=_REFUSED)
async def query_logs(request: Request, caller: LogReader, body: LogsQueryRequest) -> Response:
    """List log entries, page by page."""
    query = body.query
    if query is None:
        raise ApiError(400, {"error": "No query provided"})
    store = logs_of(request).store
    entries, cursor = await run_in_threadpool(store.query, caller.project.id, query)
    left_out = {"attributes", "resource_attributes"} if query.exclude_attributes else set()
    page = LogPage(
        query=query.model_dump(by_alias=True, exclude_unset=True),
        results=entries,
        hasMore=cursor is not None,
        nextCursor=cursor,
        maxExportableLogs=MAX_EXPORTABLE,
        columns=[name for name in LogEntry.model_fields if name not in {"service", *left_out}],
    )
    exclude: Any = {"results": {"__all__": left_out}}
    return answer_json(page.model_dump(by_alias=True, exclude=exclude))


def _keys_query(query: LogKeysQuery) -> KeysQuery:
    return KeysQuery(
        kind="resource" if query.attribute_type == "resource" else "log",
        span=read_span(
            _read(query.date_range, TypeAdapter(DateRange).validate_python), datetime.now(UTC)
        ),
        search=query.search,
        by_values=query.search_values.lower() == "true",
        services=_read(query.service_names, TypeAdapter(list[str]).validate_python) or (),
        filters=_read(query.filter_group, _usable_filters) or (),
        limit=query.limit,
        offset=query.offset,
    )


def _usable_filters(given: Any) -> list[Filter]:
    filters = read_filters(given) or []
    Conditions().add_filters(filters)
    return filters


def _read(text: str, read: Callable[[Any], _Read]) -> _Read | None:
    """Return what a parameter holds in JSON, or None where it is malformed."""
    try:
        return read(json.loads(text)) if text else None
    except (ValueError, RecursionError, ValidationError, InvalidArgumentError):
        return None


MAX_SECONDS: Final = 30.0
"""How long a request may wait until its entries are kept."""

_READERS: Final = {PROTOBUF: read_protobuf, JSON: read_json}

sending_router: Final = APIRouter()


@sending_router.post("/v1/logs", include_in_schema=False)
@sending_router.post("/i/v1/logs", include_in_schema=False)
async def export_logs(request: Request) -> Response:
    """Keep entries: the answer comes when they are kept, and 400 only for what nobody can read."""
    project = _sending_project(request)
    logs = logs_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _READERS:
        detail = f"Send `{PROTOBUF}` or `{JSON}`, not {kind!r}."
        raise api_error(415, "unsupported_media_type", detail)
    data = await LimitedRequest(request.scope, request.receive, MAX_BYTES).sent()
    encoding = request.headers.get("content-encoding", "").strip().lower()
    batch, kept = await run_in_threadpool(_take, logs, data, encoding, kind, project.id)
    try:
        async with asyncio.timeout(MAX_SECONDS):
            await asyncio.wrap_future(kept)
    except TimeoutError:
        detail = "The entries are not written yet. Send them again."
        raise server_error(503, "logs_unavailable", detail, {"Retry-After": "1"}) from None
    return _answer(kind, batch)


def _sending_project(request: Request) -> Project:
    """Return the project that log entries are sent to, by its public token.

    Raises:
        ApiError: 401 without the token of a project.
    """
    state = request.app.state
    projects: Mapping[int, Project] = state.projects
    if state.tokens is None:
        check_local(request)
        if len(projects) == 1:
            return next(iter(projects.values()))
    header = request.headers.get("authorization", "")
    given = header.removeprefix("Bearer ").strip() or request.query_params.get("token", "")
    for project in projects.values():
        if given == project.settings.public_token:
            return project
    detail = "Send the public token of the project: `Authorization: Bearer phc_…`."
    raise unauthenticated("authentication_failed" if given else "not_authenticated", detail)


def _take(
    logs: LogService, data: bytes, encoding: str, kind: str, project: int
) -> tuple[Batch, Future[None]]:
    batch = _READERS[kind](unpack(data, encoding))
    return batch, logs.accept(batch.records, project)


def _answer(kind: str, batch: Batch) -> Response:
    """Return the answer in the kind of the request; it tells of entries that were not kept."""
    if kind == JSON:
        rejected = {"rejectedLogRecords": str(batch.rejected), "errorMessage": batch.reason}
        return answer_json({"partialSuccess": rejected} if batch.rejected else {})
    # Protobuf is read whole or not at all.
    return Response(b"", media_type=PROTOBUF)
