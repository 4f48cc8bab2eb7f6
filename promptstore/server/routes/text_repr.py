"""``llm_analytics/text_repr``: an event as readable text."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server import documents
from promptstore.server.problems import not_built
from promptstore.server.routes.asked import admit

router: Final = APIRouter(prefix=documents.PROJECT, tags=["events"])


@router.post("/llm_analytics/text_repr", **documents.TEXT_REPR)
async def text_repr(request: Request) -> Response:
    """Turn an event into readable text. Not built yet."""
    admit(request, "llm_analytics:write")
    raise not_built("text_repr")
