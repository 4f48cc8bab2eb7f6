"""``llm_analytics/text_repr``: an event as readable text."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from promptstore.formatters import text_repr
from promptstore.posthog.content import is_deep
from promptstore.posthog.requests import TextReprRequest
from promptstore.server.errors import ApiError, invalid


def show_event(request: TextReprRequest) -> dict[str, Any]:
    """Return the text and the metadata of an event.

    Raises:
        ApiError: The event lacks what the answer tells of it (400).
        EventError: The data is no event.
    """
    _check_data(request.event_type, request.data)
    options = request.options.model_dump(exclude_unset=True)
    shown = text_repr(request.data, event_type=request.event_type, **options)
    metadata = {field.name: getattr(shown.metadata, field.name) for field in fields(shown.metadata)}
    if is_deep(metadata):
        raise _invalid("The IDs of an event must not be nested deeply")
    return {"text": shown.text, "metadata": metadata}


def _check_data(kind: str, data: Any) -> None:
    if kind == "$ai_trace":
        _check_trace(data)
    elif not isinstance(data, dict) or "properties" not in data:
        raise _invalid(f"{kind} events require 'properties' object in data field")
    elif not data.get("id"):
        raise _invalid(f"{kind} events require an 'id' field")


def _check_trace(data: Any) -> None:
    trace = data.get("trace") if isinstance(data, dict) else None
    if not trace or not isinstance(trace, dict) or not isinstance(data.get("hierarchy"), list):
        raise _invalid("Trace events require 'trace' object and 'hierarchy' array in data field")
    properties = trace.get("properties")
    named = isinstance(properties, dict) and properties.get("$ai_trace_id")
    if not named and not trace.get("id"):
        raise _invalid("Trace events require an ID (trace.id or trace.properties.$ai_trace_id)")


def _invalid(detail: str) -> ApiError:
    return invalid("invalid_input", detail)
