"""``logs/…``: keys and values of attributes, and the entries themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query, Security
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
from promptstore.server.errors import ApiError, server_error
from promptstore.server.http import answer_json
from promptstore.server.logs.queries import Conditions, read_filters, read_span
from promptstore.server.logs.service import LogService
from promptstore.server.logs.store import KeysQuery
from promptstore.server.projects import Caller, authorize, make_router

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
