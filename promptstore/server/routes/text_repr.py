"""``llm_analytics/text_repr``: an event as readable text."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server import documents
from promptstore.server.bodies import read_body
from promptstore.server.events import show_event
from promptstore.server.replies import reply
from promptstore.server.routes.asked import admit

router: Final = APIRouter(prefix=documents.PROJECT, tags=["events"])


@router.post("/llm_analytics/text_repr", **documents.TEXT_REPR)
async def text_repr(request: Request) -> Response:
    """Turn an event, or a trace with its events, into readable text."""
    admit(request, "llm_analytics:write")
    body = await read_body(request)
    return reply(await run_in_threadpool(show_event, body))
