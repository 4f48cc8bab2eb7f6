"""What needs no key: ``/healthz``, ``/docs``, and the webhook of a forge, ``/hooks/fetch``."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Iterable
from typing import Final, Literal

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from promptstore.errors import PromptStoreError
from promptstore.posthog.models import Health, example
from promptstore.server.errors import api_error, not_found, unauthenticated
from promptstore.server.http import answer
from promptstore.server.projects import REFUSALS, Project

_log = logging.getLogger("promptstore.server")

SECRET_VARIABLE: Final = "PROMPTSTORE_HOOK_SECRET"  # noqa: S105 - a name, no secret
"""The environment variable that holds the secret which the forge was told."""

_MAX_PUSH_BYTES: Final = 25 * 1024 * 1024
"""How large the message of a push may be, on GitHub too."""

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


class FetchAnswer(BaseModel):
    """That a webhook was understood, and a fetch begins."""

    model_config = example({"status": "accepted"})

    status: Literal["accepted"]


@router.post(
    "/hooks/fetch",
    operation_id="fetch",
    status_code=202,
    response_model=FetchAnswer,
    responses={401: REFUSALS[401], 404: {"description": "The server fetches nothing."}},
)
async def fetch(request: Request) -> Response:
    """Fetch now, as a push webhook of GitHub or GitLab asks.

    It is signed with the secret that the server was started with, as GitHub does
    (`X-Hub-Signature-256`), or carries it, as GitLab does (`X-Gitlab-Token`).
    """
    secret: str | None = request.app.state.hook_secret
    projects = [one for one in request.app.state.projects.values() if one.settings.fetch_interval]
    if not secret or not projects:
        raise not_found("Endpoint not found.")
    if not await _is_signed(request, secret.encode()):
        raise unauthenticated("authentication_failed", "The secret of this webhook is another one.")
    await asyncio.to_thread(_fetch, projects)
    return answer(FetchAnswer(status="accepted"), 202)


async def _is_signed(request: Request, secret: bytes) -> bool:
    code, size = hmac.new(secret, digestmod=hashlib.sha256), 0
    async for piece in request.stream():
        code.update(piece)
        size += len(piece)
        if size > _MAX_PUSH_BYTES:
            raise api_error(413, "request_too_large", "The message of a push is not that large.")
    wanted = {
        "x-hub-signature-256": b"sha256=" + code.hexdigest().encode(),
        "x-gitlab-token": secret,
    }
    return any(
        hmac.compare_digest(given.encode(), right)
        for header, right in wanted.items()
        if (given := request.headers.get(header)) is not None
    )


def _fetch(projects: Iterable[Project]) -> None:
    for project in projects:
        try:
            project.store.fetch(wait=False)
        except PromptStoreError as error:
            _log.warning("project %d: %s", project.id, error)
