"""The style ``complete``: nothing of the event is lost."""

from __future__ import annotations

from promptstore.formatters.events import Event, Trace
from promptstore.formatters.options import TextReprOptions


def write(found: Event | Trace, options: TextReprOptions) -> tuple[str, bool]:
    """Write an event."""
    raise NotImplementedError
