"""``/docs``: the OpenAPI document as a page for people."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from promptstore.server.page import POLICY, write_page

router: Final = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Show what the server can do. Needs no key."""
    page = write_page(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})
