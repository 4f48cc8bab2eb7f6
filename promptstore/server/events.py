"""The request of ``llm_analytics/text_repr``: read with the words that clients know, then shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from promptstore.formatters import text_repr
from promptstore.server.content import is_deep
from promptstore.server.fields import read_boolean, read_integer
from promptstore.server.problems import RefusedError, invalid

EVENT_TYPES: Final = ("$ai_generation", "$ai_span", "$ai_embedding", "$ai_trace")
"""The types of events that the route takes."""

_NULL: Final = "This field may not be null."
_REQUIRED: Final = "This field is required."
_BOOLEANS: Final = (
    "truncated", "include_markers", "include_line_numbers", "collapsed", "include_metadata",
    "include_hierarchy",
)  # fmt: skip
_INTEGERS: Final = ("truncate_buffer", "tools_collapse_threshold", "max_length", "max_depth")


def show_event(body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request.

    Args:
        body: ``event_type``, ``data`` and, if wanted, ``options``.

    Returns:
        ``text`` and ``metadata``.

    Raises:
        RefusedError: A field is missing or wrong (400).
        EventError: The data is no event.
    """
    faults = _faults(body)
    if faults:
        raise RefusedError(400, faults)
    kind, data = body["event_type"], body["data"]
    _check_data(kind, data)
    options = _read_options(body.get("options", {}))
    shown = text_repr(data, event_type=kind, **options)
    metadata = {field.name: getattr(shown.metadata, field.name) for field in fields(shown.metadata)}
    if is_deep(metadata):
        raise _invalid("The IDs of an event must not be nested deeply")
    return {"text": shown.text, "metadata": metadata}


def _faults(body: Mapping[str, Any]) -> dict[str, Any]:
    """List what is wrong with the fields, all at once."""
    faults: dict[str, Any] = {}
    for field in ("event_type", "data"):
        if field not in body:
            faults[field] = [_REQUIRED]
        elif body[field] is None:
            faults[field] = [_NULL]
    kind = body.get("event_type")
    if kind is not None and kind not in EVENT_TYPES:
        faults["event_type"] = [f'"{kind}" is not a valid choice.']
    if "options" in body:
        found = _option_faults(body["options"])
        if found:
            faults["options"] = found
    return faults


def _option_faults(options: Any) -> Any:
    if options is None:
        return [_NULL]
    if not isinstance(options, dict):
        name = type(options).__name__
        return {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {name}."]}
    readers = dict.fromkeys(_BOOLEANS, _boolean_fault) | dict.fromkeys(_INTEGERS, _integer_fault)
    found = {name: fault(options[name]) for name, fault in readers.items() if name in options}
    return {name: [text] for name, text in found.items() if text}


def _boolean_fault(value: Any) -> str:
    return _fault(value, lambda: read_boolean(value, ""), "Must be a valid boolean.")


def _integer_fault(value: Any) -> str:
    return _fault(value, lambda: read_integer(value, ""), "A valid integer is required.")


def _fault(value: Any, read: Callable[[], object], text: str) -> str:
    if value is None:
        return _NULL
    try:
        read()
    except RefusedError:
        return text
    return ""


def _read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options; what is no option is dropped."""
    booleans = {key: read_boolean(options[key], key) for key in _BOOLEANS if key in options}
    integers = {key: read_integer(options[key], key) for key in _INTEGERS if key in options}
    return booleans | integers


def _check_data(kind: str, data: Any) -> None:
    """Refuse an event without what the answer tells of it."""
    if kind == "$ai_trace":
        _check_trace(data)
        return
    if not isinstance(data, dict) or "properties" not in data:
        raise _invalid(f"{kind} events require 'properties' object in data field")
    if not data.get("id"):
        raise _invalid(f"{kind} events require an 'id' field")


def _check_trace(data: Any) -> None:
    trace = data.get("trace") if isinstance(data, dict) else None
    if not trace or not isinstance(data.get("hierarchy"), list):
        raise _invalid("Trace events require 'trace' object and 'hierarchy' array in data field")
    if not isinstance(trace, dict):
        raise _invalid("Trace events require 'trace' object and 'hierarchy' array in data field")
    properties = trace.get("properties")
    named = isinstance(properties, dict) and properties.get("$ai_trace_id")
    if not named and not trace.get("id"):
        raise _invalid("Trace events require an ID (trace.id or trace.properties.$ai_trace_id)")


def _invalid(detail: str) -> RefusedError:
    return invalid("invalid_input", detail)
