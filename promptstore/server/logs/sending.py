"""``/v1/logs``: log entries as OpenTelemetry's exporters send them over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server.errors import api_error, server_error, unauthenticated
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
from promptstore.server.logs.routes import logs_of
from promptstore.server.logs.service import LogService
from promptstore.server.projects import Project, check_local

MAX_SECONDS: Final = 30.0
"""How long a request may wait until its entries are kept."""

_READERS: Final = {PROTOBUF: read_protobuf, JSON: read_json}

router: Final = APIRouter()


@router.post("/v1/logs", include_in_schema=False)
@router.post("/i/v1/logs", include_in_schema=False)
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
