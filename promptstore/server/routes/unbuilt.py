"""Documented routes that are not built yet; each says so instead of being missing."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server import documents
from promptstore.server.problems import not_built
from promptstore.server.routes.asked import admit

router: Final = APIRouter(prefix=documents.PROJECT, tags=["not built yet"])


@router.post("/llm_analytics/translate", **documents.TRANSLATE)
async def translate(request: Request) -> Response:
    """Translate a text. Not built yet."""
    admit(request, "llm_analytics:write")
    raise not_built("translate")


@router.get("/logs/attributes", **documents.LOG_ATTRIBUTES)
async def log_attributes(request: Request) -> Response:
    """List the attributes of logs. Not built yet."""
    admit(request, "logs:read")
    raise not_built("logs/attributes")


@router.post("/logs/explainLogWithAI", **documents.EXPLAIN_LOG)
async def explain_log(request: Request) -> Response:
    """Explain a log entry. Not built yet."""
    admit(request, "logs:write")
    raise not_built("logs/explainLogWithAI")
