"""The pages as routes of the application."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from promptstore.server.web import (
    changing,
    editing,
    events,
    listing,
    prompts,
    proposing,
    signing,
    trying,
)
from promptstore.server.web.sessions import Sessions

_PAGES: Final = (
    listing.router,
    prompts.router,
    trying.router,
    editing.router,
    proposing.router,
    changing.router,
    events.router,
)


def add_pages(app: FastAPI, *, allow_direct: bool = False) -> None:
    """Add all pages to the application: each for the only project, and for one by its number.

    Args:
        app: The application.
        allow_direct: Whether pages may commit to the served branch.
    """
    app.state.sessions = Sessions()
    app.state.allow_direct = allow_direct
    app.include_router(signing.router)
    for prefix in ("", "/projects/{project_id}"):
        for pages in _PAGES:
            app.include_router(pages, prefix=prefix)
