"""The pages as routes of the application."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI

from promptstore.server.web import listing, prompts, signing
from promptstore.server.web.sessions import Sessions

_PAGES: Final = (listing.router, prompts.router)


def add_pages(app: FastAPI) -> None:
    """Add all pages to the application: each for the only project, and for one by its number."""
    app.state.sessions = Sessions()
    app.include_router(signing.router)
    for prefix in ("", "/projects/{project_id}"):
        for pages in _PAGES:
            app.include_router(pages, prefix=prefix)
