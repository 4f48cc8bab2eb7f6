"""The style ``complete``: nothing of the event is lost, and content cannot forge a marker."""

from __future__ import annotations

from typing import Any, Final

from promptstore.formatters.complete.event import event_title, write_event
from promptstore.formatters.complete.writing import DASH, RULE, Writer, one_row, scalar_text
from promptstore.formatters.events import Event, Node, Trace
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.shortening import Piece

_DEEPEST: Final = 20  # levels of a tree that get an indentation of their own

__all__ = ["write"]


def write(found: Event | Trace, options: TextReprOptions) -> tuple[list[Piece], bool]:
    """Write an event or a trace.

    Args:
        found: The event or the trace.
        options: The options.

    Returns:
        The lines, and whether something of it was taken out.
    """
    writer = Writer(options)
    if isinstance(found, Event):
        write_event(found, writer)
    else:
        _write_trace(found, writer)
    return writer.lines, writer.is_shortened


def _write_trace(trace: Trace, writer: Writer) -> None:
    root = Event({"event": "$ai_trace", **trace.root.fields}, trace.root.properties)
    write_event(root, writer)
    if not trace.nodes:
        return
    writer.add("", DASH, "", f"EVENTS: {len(trace.nodes)}", "")
    for number, node in enumerate(trace.nodes, 1):
        writer.add(_tree_line(number, node))
    if writer.options.collapsed:
        return
    for number, node in enumerate(trace.nodes, 1):
        writer.add("", RULE, f"EVENT #{number}", "")
        write_event(node.event, writer)


def _tree_line(number: int, node: Node) -> str:
    indent = "  " * min(node.depth, _DEEPEST)
    deep = f" (level {node.depth})" if node.depth > _DEEPEST else ""
    return f"{indent}#{number} {event_title(node.event)}{deep}{_summary(node.event)}"


def _summary(event: Event) -> str:
    properties = event.properties
    parts: list[str] = [
        f"{one_row(scalar_text(value))}{unit}"
        for key, unit in (("$ai_span_name", ""), ("$ai_model", ""), ("$ai_latency", " s"))
        if _is_shown(value := properties.get(key))
    ]
    if properties.get("$ai_is_error") or properties.get("$ai_error"):
        parts.append("ERROR")
    return f" ({', '.join(parts)})" if parts else ""


def _is_shown(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, dict | list)
