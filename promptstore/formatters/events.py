"""The events that are shown, however they were written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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
    """

    root: Event
    id: Any
    nodes: Sequence[Node]

    @property
    def trace_id(self) -> Any:
        """The trace's id, or None where it is only the id of the object."""
        return self.root.properties.get("$ai_trace_id")
