"""``/healthz`` and ``/docs``, which need no key."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from promptstore.errors import PromptStoreError
from promptstore.posthog.models import Health
from promptstore.server.http import answer
from promptstore.server.projects import Project

_log = logging.getLogger("promptstore.server")

router: Final = APIRouter(tags=["health"])
docs: Final = APIRouter()
# Swagger UI comes with a package, so that the page works without a network.
docs.mount("/docs/ui", StaticFiles(packages=[("fastapi_swagger", "resources")]))


@router.get(
    "/healthz",
    operation_id="health",
    response_model=Health,
    responses={503: {"model": Health, "description": "A repository cannot be read."}},
)
def health(request: Request) -> Response:
    """Return whether every repository can be read and its branch is there. Needs no key."""
    is_well = _is_well(request.app.state.projects.values())
    return answer(Health(status="ok" if is_well else "failing"), 200 if is_well else 503)


def _is_well(projects: Iterable[Project]) -> bool:
    for project in projects:
        try:
            project.store.snapshot().names()
        except PromptStoreError as error:
            _log.error("project %d: %s", project.id, error)
            return False
    return True


@docs.get("/docs", include_in_schema=False)
def show_docs(request: Request) -> Response:
    """Show what the server can do, and let a person try it. Needs no key."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=request.app.title,
        swagger_js_url="docs/ui/swagger-ui-bundle.js",
        swagger_css_url="docs/ui/swagger-ui.css",
        swagger_favicon_url="docs/ui/favicon-32x32.png",
        swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True},
    )
    text = bytes(page.body).decode()
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = hashlib.sha256((script[1] if script else "").encode()).digest()
    policy = (
        f"default-src 'self'; script-src 'self' 'sha256-{base64.b64encode(digest).decode()}'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})
