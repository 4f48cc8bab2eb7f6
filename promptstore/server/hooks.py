"""``POST /hooks/fetch``: the webhook of a forge, which asks the server to fetch now."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterable
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from promptstore.errors import PromptStoreError
from promptstore.posthog.models import example
from promptstore.server.errors import api_error, not_found, unauthenticated
from promptstore.server.http import answer
from promptstore.server.projects import REFUSALS, Project

SECRET_VARIABLE: Final = "PROMPTSTORE_HOOK_SECRET"  # noqa: S105 - a name, no secret
"""The environment variable that holds the secret which the forge was told."""

_MAX_BYTES: Final = 25 * 1024 * 1024
"""How large the message of a push may be, on GitHub too."""

_log = logging.getLogger("promptstore.server")


class FetchAnswer(BaseModel):
    """That a webhook was understood, and a fetch begins."""

    model_config = example({"status": "accepted"})

    status: Literal["accepted"]


router: Final = APIRouter(tags=["health"])


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
        if size > _MAX_BYTES:
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
