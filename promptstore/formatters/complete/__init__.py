"""The style ``complete``: nothing of the event is lost, and content cannot forge a marker."""

from __future__ import annotations

from promptstore.formatters.complete.event import write

__all__ = ["write"]
