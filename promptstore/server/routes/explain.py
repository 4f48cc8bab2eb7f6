"""``logs/explainLogWithAI``: one log entry explained by the server's model."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Security
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.model.rendering import RenderedPrompt
from promptstore.posthog.fields import read_uuid
from promptstore.posthog.logmodels import ExplainRequest, LogEntry, LogExplanation
from promptstore.server.answers import answer_json
from promptstore.server.asking import ask, model_of
from promptstore.server.auth import Caller, authorize
from promptstore.server.bodies import EventRoute
from promptstore.server.errors import ApiError, api_error
from promptstore.server.explaining import (
    ExplanationCache,
    Key,
    read_explanation,
    show_context,
    show_entry,
)
from promptstore.server.logs.queries import to_utc
from promptstore.server.logs.store import LogStore
from promptstore.server.ownprompts import headers_of, render_own
from promptstore.server.projects import Project
from promptstore.server.routes.common import make_router
from promptstore.server.routes.logs import logs_of

router: Final = make_router("logs", EventRoute)

MAX_SECONDS: Final = 60.0
"""How long an explanation may take."""

_FAILED: Final = "Failed to generate log explanation"


@router.post(
    "/logs/explainLogWithAI",
    response_model=LogExplanation,
    responses={
        400: {"model": dict[str, Any], "description": "What is wrong, by field."},
        404: {"model": dict[str, str], "description": "There is no such entry."},
    },
)
async def explain_log(
    request: Request,
    caller: Annotated[Caller, Security(authorize, scopes=["logs:write"])],
    body: ExplainRequest,
) -> Response:
    """Explain a log entry by the model of the server; `X-Prompt-…` says which prompt ran."""
    store = logs_of(request).store
    model = model_of(request)
    entry, rendered = await run_in_threadpool(_prepare, store, caller.project, body)
    # One instant is one key, in whatever time zone it was asked for.
    key = Key(caller.project.id, entry.uuid, entry.timestamp, rendered.digest, str(model))
    cache: ExplanationCache = request.app.state.explanations

    async def make() -> LogExplanation:
        failed = _failure(500, "explanation_error", _FAILED)
        late = _failure(504, "explanation_timeout", f"{_FAILED}: the model took too long")
        answer = await ask(model, rendered, MAX_SECONDS, failed=failed, late=late)
        if not answer.strip():
            raise ApiError(400, {"error": "The model answered nothing"})
        explanation = read_explanation(answer, entry)
        if explanation is None:
            raise failed
        return explanation

    explanation, is_kept = await cache.get(key, make, refresh=body.force_refresh)
    headers = {**headers_of(rendered), "X-Cache": "hit" if is_kept else "miss"}
    return answer_json(explanation.model_dump(), headers=headers)


def _prepare(
    store: LogStore, project: Project, body: ExplainRequest
) -> tuple[LogEntry, RenderedPrompt]:
    uuid = read_uuid(body.uuid)
    try:
        entry = None if uuid is None else store.find(project.id, UUID(uuid), to_utc(body.timestamp))
    except OverflowError:
        entry = None
    if entry is None:
        raise ApiError(404, {"error": "Log not found"})
    context = show_context(store.around(project.id, entry))
    values = {"entry": show_entry(entry), "context": context}
    return entry, render_own(project, "logs/explain", values)


def _failure(status: int, code: str, detail: str) -> ApiError:
    return api_error(status, code, detail, kind="server_error")
