"""A PostHog event, pasted and read as text."""

from __future__ import annotations

import json
from typing import Annotated, Final

from starlette.responses import Response

from promptstore.errors import EventError, InvalidArgumentError
from promptstore.formatters import text_repr
from promptstore.server.web.pages import Form, Sent, page_router, show
from promptstore.server.web.sessions import Analyses, Visitor

router: Final = page_router()

_STYLES: Final = ("posthog", "complete")


@router.get("/events")
def show_events(visitor: Annotated[Visitor, Analyses]) -> Response:
    """Show the form to paste an event into."""
    return _page(visitor, Form())


@router.post("/events")
def send_event(visitor: Annotated[Visitor, Analyses], form: Annotated[Form, Sent]) -> Response:
    """Show an event as text."""
    return _page(visitor, form)


def _page(visitor: Visitor, form: Form) -> Response:
    style = form.get("style", _STYLES[0])
    text = fault = ""
    if form.get("event", "").strip():
        try:
            text = text_repr(json.loads(form["event"]), style=style).text
        except (EventError, InvalidArgumentError) as error:
            fault = str(error)
        except (ValueError, RecursionError) as error:
            fault = f"This is no JSON: {error}"
    return show(
        visitor,
        "events.html",
        event=form.get("event", ""),
        style=style,
        styles=_STYLES,
        text=text,
        fault=fault,
        is_typed=bool(form),
    )
