"""The forms in which people hold events → one `Event` or `Trace`.

An event as it is posted or exported has ``properties``. A row of a table of events has columns
instead, some of them with JSON inside. A trace comes as a tree, or as a list of its events which
name their parents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from promptstore.errors import EventError
from promptstore.formatters.jsontext import load_exact

TRACE: Final = "$ai_trace"
EVENT_TYPES: Final = ("$ai_generation", "$ai_span", "$ai_embedding", "$ai_evaluation", TRACE)
"""The types of events that there are."""

_ENCODED: Final = frozenset(
    {"input", "output", "output_choices", "tools", "input_state", "output_state"}
)
_PLAIN: Final = frozenset({
    "base_url", "cache_creation_input_tokens", "cache_read_input_tokens", "framework",
    "generation_id", "http_status", "input_cost_usd", "input_tokens", "latency", "model",
    "output_cost_usd", "output_tokens", "parent_id", "prompt_name", "prompt_version", "provider",
    "reasoning_tokens", "request_cost_usd", "session_id", "span_id", "span_name", "span_type",
    "stop_reason", "time_to_first_token", "tools_called", "total_cost_usd", "total_tokens",
    "trace_id", "trace_name", "web_search_cost_usd",
})  # fmt: skip

_Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        fields: What stands beside the properties: ``event``, ``id``, ``timestamp`` and so on.
        properties: Its properties, such as ``$ai_input``.
    """

    fields: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def kind(self) -> str | None:
        """What the event calls itself, such as ``$ai_generation``, or None."""
        kind = self.fields.get("event")
        return kind if isinstance(kind, str) else None

    @property
    def id(self) -> Any:
        """The event's id, or None."""
        return self.fields.get("id")

    @property
    def trace_id(self) -> Any:
        """The id of the trace that it belongs to, or None."""
        return self.properties.get("$ai_trace_id") or self.fields.get("trace_id")


@dataclass(frozen=True, slots=True)
class Node:
    """One event's place in the tree of a trace.

    Attributes:
        event: The event.
        depth: How many events stand above it.
        is_last: Whether no brother follows it.
    """

    event: Event
    depth: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace: what is known of it as a whole, and its events.

    Attributes:
        root: The trace itself, with its fields and properties.
        id: The id of what was given as the event, or None.
        nodes: Its events; each stands before the events below it.
        is_alone: Whether the trace itself was given as an event, and nothing around it.
    """

    root: Event
    id: Any
    nodes: Sequence[Node]
    is_alone: bool = False

    @property
    def trace_id(self) -> Any:
        """The trace's id, or None where it is only the id of the object."""
        return self.root.properties.get("$ai_trace_id")


def read_event(value: Any, event_type: str | None = None) -> Event | Trace:
    """Find out what was given.

    Args:
        value: An event, a row, a trace with its hierarchy, or a list of the events of one trace.
        event_type: What it is said to be, or None to see it from the value.

    Returns:
        The event, or the trace.

    Raises:
        EventError: It is none of these.
    """
    if not isinstance(value, dict):
        if isinstance(value, list | tuple):
            return _read_list(value)
        raise EventError(reason=f"it is {_name(value)}, not an object")
    if event_type == TRACE or (event_type is None and _is_trace(value)):
        return _read_trace(value)
    return _read_single(value, event_type)


def _is_trace(value: _Object) -> bool:
    if "trace" in value and "hierarchy" in value and "properties" not in value:
        return True
    return value.get("event") == TRACE


def _read_single(value: _Object, event_type: str | None) -> Event:
    if _is_row(value):
        return _from_row(value)
    kind = event_type or "an event"
    if "properties" not in value:
        raise EventError(reason=f"{kind} needs 'properties', and it has none")
    properties = _properties(value)
    if properties is None:
        raise EventError(reason=f"its 'properties' are {_name(value['properties'])}, not an object")
    return Event(_with_id(value), properties)


def _read_inside(value: Any) -> Event:
    """Read an event inside of a trace, where a broken one is shown as far as it goes."""
    if not isinstance(value, dict):
        return Event({"value": value}, {})
    if _is_row(value):
        return _from_row(value)
    return Event(_with_id(value), _properties(value) or {})


def _properties(value: _Object) -> _Object | None:
    properties = value.get("properties")
    if isinstance(properties, str):
        try:
            properties = json.loads(properties)
        except (ValueError, RecursionError):
            return None
    return properties if isinstance(properties, dict) else None


def _with_id(value: _Object) -> _Object:
    fields = value.copy()
    properties = fields.pop("properties", None)
    if isinstance(properties, str) and isinstance(load_exact(properties), str):
        fields["properties"] = properties  # decoding loses something of it, if it can be decoded
    if "id" not in fields and "uuid" in fields:
        fields["id"] = fields.pop("uuid")
    return fields


def _is_row(value: _Object) -> bool:
    has_columns = not _ENCODED.isdisjoint(value)
    if "properties" in value:
        return has_columns and _properties(value) is not None
    return has_columns or any(key.startswith("$ai_") for key in value)


def _from_row(row: _Object) -> Event:
    """Turn the columns of a row into properties; those that hold JSON are decoded."""
    fields = _with_id(row)
    properties = dict(_properties(row) or {})
    columns = {key: key for key in fields if key.startswith("$ai_")}
    columns |= {key: f"$ai_{key}" for key in fields if key in _ENCODED}
    if fields.get("is_error"):
        columns |= {key: f"$ai_{key}" for key in ("is_error", "error") if key in fields}
    replaced: list[_Object] = []  # a column counts, but the property is shown too
    for key, name in columns.items():
        if name in properties:
            replaced.append({name: properties[name]})
        properties[name] = _column(key, fields.pop(key))
    for key in list(fields):
        if key in _PLAIN and f"$ai_{key}" not in properties:
            properties[f"$ai_{key}"] = fields.pop(key)
    return Event(fields | ({"replaced": replaced} if replaced else {}), properties)


def _column(name: str, value: Any) -> Any:
    is_encoded = name.removeprefix("$ai_") in _ENCODED and isinstance(value, str)
    return load_exact(value) if is_encoded else value


def _read_trace(value: _Object) -> Trace:
    if "trace" not in value and "hierarchy" not in value:
        nodes = tuple(_walk(_children(value)))
        return Trace(_event_of(value), value.get("id"), nodes, is_alone=not nodes)
    trace, hierarchy = value.get("trace"), value.get("hierarchy")
    if not trace or not isinstance(trace, dict):
        raise EventError(reason="a trace needs an object 'trace'")
    if not isinstance(hierarchy, list):
        raise EventError(reason="a trace needs a list 'hierarchy'")
    root = Event(_with_id(trace) | _beside(value, "trace", "hierarchy"), _properties(trace) or {})
    return Trace(root, value.get("id"), tuple(_walk(hierarchy)))


def _walk(hierarchy: Sequence[Any]) -> Iterator[Node]:
    """Go through a tree of any depth, each event before those below it."""
    todo = [(item, 0, index == 0) for index, item in enumerate(reversed(hierarchy))]
    while todo:
        item, depth, is_last = todo.pop()
        yield Node(_event_of(item), depth, is_last)
        below = reversed(_children(item))
        todo += [(child, depth + 1, index == 0) for index, child in enumerate(below)]


def _event_of(item: Any) -> Event:
    if not isinstance(item, dict):
        return _read_inside(item)
    if isinstance(inner := item.get("event"), dict):
        return _read_inside(inner | _beside(item, "event", "children"))
    flat = item.copy()
    flat.pop("children", None)
    return _read_inside(flat)


def _beside(value: _Object, *known: str) -> _Object:
    """Get what stands beside the parts of a trace that are known, as one field."""
    others = {key: item for key, item in value.items() if key not in known}
    return {"beside": others} if others else {}


def _children(item: Any) -> Sequence[Any]:
    children = item.get("children") if isinstance(item, dict) else None
    if not children:
        return ()
    return children if isinstance(children, list) else (children,)


def _read_list(values: Sequence[Any]) -> Trace:
    """Nest the events of one trace by the ids of their parents."""
    if not values:
        raise EventError(reason="the list is empty")
    events = [_read_item(index, value) for index, value in enumerate(values)]
    traces = {event.trace_id for event in events if isinstance(event.trace_id, str)}
    if len(traces) > 1:
        raise EventError(
            reason=f"the list holds events of {len(traces)} traces ({', '.join(sorted(traces)[:3])}"
            f"{', …' if len(traces) > 3 else ''}); give those of one trace at a time"
        )
    roots = [event for event in events if event.kind == TRACE]
    root = (
        roots[0] if roots else Event({}, {"$ai_trace_id": trace} if (trace := _one(traces)) else {})
    )
    nodes = tuple(_nest(_in_order([event for event in events if event is not root])))
    return Trace(root, None, nodes, is_alone=not nodes)


def _read_item(index: int, value: Any) -> Event:
    try:
        event = read_event(value)
    except EventError as error:
        raise EventError(reason=error.reason, index=index) from None
    if isinstance(event, Event):
        return event
    if isinstance(value, dict) and "trace" not in value and "hierarchy" not in value:
        return _read_inside(value)  # the event of a trace
    raise EventError(reason="it is a trace, and stands inside of a list of events", index=index)


def _one(values: set[str]) -> str | None:
    return next(iter(values), None)


def _in_order(events: list[Event]) -> list[Event]:
    """Sort by time where every event tells its time, else keep the order."""
    try:
        times = [datetime.fromisoformat(event.fields["timestamp"]) for event in events]
        return [events[index] for index in sorted(range(len(events)), key=times.__getitem__)]
    except (KeyError, TypeError, ValueError):
        return events


def _nest(events: Sequence[Event]) -> Iterator[Node]:
    owners = {
        name: index for index, event in reversed([*enumerate(events)]) for name in _ids(event)
    }
    below: dict[int | None, list[int]] = {}
    for index, event in enumerate(events):
        parent = event.properties.get("$ai_parent_id")
        owner = owners.get(parent) if isinstance(parent, str) else None
        below.setdefault(owner if owner != index else None, []).append(index)
    shown: set[int] = set()
    for start in (None, *range(len(events))):  # events that are each other's parents come last
        tops = below.get(None, []) if start is None else [start] if start not in shown else []
        todo = [(index, 0, place == 0) for place, index in enumerate(reversed(tops))]
        while todo:
            index, depth, is_last = todo.pop()
            if index in shown:
                continue
            shown.add(index)
            yield Node(events[index], depth, is_last)
            children = [child for child in below.get(index, ()) if child not in shown]
            todo += [(c, depth + 1, place == 0) for place, c in enumerate(reversed(children))]


def _ids(event: Event) -> Iterator[str]:
    names = (
        event.properties.get("$ai_span_id"),
        event.properties.get("$ai_generation_id"),
        event.id,
    )
    return (name for name in names if isinstance(name, str))


def _name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    return "a number" if isinstance(value, int | float) else "a list"
