"""``/healthz``: whether every repository can be read and its branch is there."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.errors import PromptStoreError
from promptstore.server import documents
from promptstore.server.projects import Project
from promptstore.server.replies import reply

_log = logging.getLogger("promptstore.server")

router: Final = APIRouter(tags=["health"])


@router.get("/healthz", **documents.HEALTH)
async def health(request: Request) -> Response:
    """Tell whether every repository can be read and its branch is there. Needs no key."""
    projects = request.app.state.guard.projects.values()
    is_well = await run_in_threadpool(_is_well, projects)
    return reply({"status": "ok" if is_well else "failing"}, 200 if is_well else 503)


def _is_well(projects: Iterable[Project]) -> bool:
    for project in projects:
        try:
            project.store.snapshot().names()
        except PromptStoreError as error:
            _log.error("project %d: %s", project.id, error)
            return False
    return True
