"""``llm_analytics/text_repr``: events as text."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Security
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from promptstore.posthog.models import TextRepresentation
from promptstore.posthog.requests import TextReprRequest
from promptstore.server.answers import answer_json
from promptstore.server.auth import Caller, authorize
from promptstore.server.bodies import EventRoute
from promptstore.server.events import show_event
from promptstore.server.routes.common import make_router

router: Final = make_router("events", EventRoute)

Analyst = Annotated[Caller, Security(authorize, scopes=["llm_analytics:write"])]


@router.post(
    "/llm_analytics/text_repr",
    response_model=TextRepresentation,
    responses={400: {"model": dict[str, Any], "description": "What is wrong, by field."}},
)
async def text_repr(_caller: Analyst, body: TextReprRequest) -> Response:
    """Turn an event, or a trace with its events, into readable text."""
    return answer_json(await run_in_threadpool(show_event, body))
