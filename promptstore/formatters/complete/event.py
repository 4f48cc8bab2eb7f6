"""An event or a trace as lines: what is known about it, its tools, what went in and out, its error.

Nothing of the event is lost, and no content can be taken for what the layout adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.complete.messages import MessageReader, holds_messages
from promptstore.formatters.complete.writing import (
    DASH,
    RULE,
    Writer,
    decoded,
    escaped,
    one_row,
    scalar_text,
)
from promptstore.formatters.events import Event, Node, Trace
from promptstore.formatters.jsontext import one_line
from promptstore.formatters.options import TextReprOptions

_FACTS: Final = (  # label, property, unit
    ("trace", "$ai_trace_id", ""),
    ("name", "$ai_span_name", ""),
    ("model", "$ai_model", ""),
    ("provider", "$ai_provider", ""),
    ("prompt", "$ai_prompt_name", ""),
    ("prompt version", "$ai_prompt_version", ""),
    ("parameters", "$ai_model_parameters", ""),
    ("latency", "$ai_latency", " s"),
    ("time to first token", "$ai_time_to_first_token", " s"),
    ("input tokens", "$ai_input_tokens", ""),
    ("output tokens", "$ai_output_tokens", ""),
    ("cache read tokens", "$ai_cache_read_input_tokens", ""),
    ("cache creation tokens", "$ai_cache_creation_input_tokens", ""),
    ("reasoning tokens", "$ai_reasoning_tokens", ""),
    ("cost", "$ai_total_cost_usd", " USD"),
    ("input cost", "$ai_input_cost_usd", " USD"),
    ("output cost", "$ai_output_cost_usd", " USD"),
    ("stop reason", "$ai_stop_reason", ""),
    ("http status", "$ai_http_status", ""),
    ("evaluation", "$ai_evaluation_name", ""),
    ("result", "$ai_evaluation_result", ""),
    ("reasoning", "$ai_evaluation_reasoning", ""),
)
_SECTIONS: Final = (
    ("INPUT", "$ai_input"),
    ("OUTPUT", "$ai_output_choices"),
    ("OUTPUT", "$ai_output"),
    ("INPUT STATE", "$ai_input_state"),
    ("OUTPUT STATE", "$ai_output_state"),
)
_ERRORS: Final = ("$ai_error", "$ai_is_error")
_KNOWN: Final = {
    "$ai_tools", *_ERRORS, *(key for _, key, _ in _FACTS), *(key for _, key in _SECTIONS)
}  # fmt: skip
_OWN_FIELDS: Final = ("event", "id")
_MOST: Final = 100_000  # events of a trace that are laid out; the others stand on one line
_DEEPEST: Final = 20  # levels of a tree that get an indentation of their own


def write(found: Event | Trace, options: TextReprOptions) -> tuple[list[str], bool]:
    """Write an event or a trace.

    Args:
        found: The event or the trace.
        options: The options.

    Returns:
        The lines, and whether something of it was taken out.
    """
    text = _EventText(options)
    if isinstance(found, Event):
        text.add_event(found)
    else:
        text.add_trace(found)
    return text.lines, text.is_shortened


class _EventText(Writer):
    """The text of events."""

    def __init__(self, options: TextReprOptions) -> None:
        super().__init__(options)
        self._reader = MessageReader()

    def add_trace(self, trace: Trace) -> None:
        root = Event({"event": "$ai_trace", **trace.root.fields}, trace.root.properties)
        self.add_event(root)
        if not trace.nodes:
            return
        self.add("", DASH, "", f"EVENTS: {len(trace.nodes)}", "")
        shown, further = trace.nodes[:_MOST], trace.nodes[_MOST:]
        for number, node in enumerate(shown, 1):
            self.add(self._tree_line(number, node))
        if not self.options.collapsed:
            for number, node in enumerate(shown, 1):
                self.add("", RULE, f"EVENT #{number}", "")
                self.add_event(node.event)
        if further:
            events = [{**n.event.fields, "properties": n.event.properties} for n in further]
            self.add("", RULE, f"FURTHER EVENTS: {len(further)}", "")
            self.add(escaped(one_line(events, escaped=False)))

    def add_event(self, event: Event) -> None:
        properties = event.properties
        facts = self._facts(properties)
        self.add(self._title(event), RULE, *(["", *facts] if facts else []))
        self._add_tools(decoded(properties.get("$ai_tools")))
        for label, key in _SECTIONS:
            self._add_section(label, decoded(properties.get(key)))
        self._add_error(properties)
        others = {key: value for key, value in properties.items() if key not in _KNOWN}
        self._add_rest("OTHER PROPERTIES", others)
        fields = {key: value for key, value in event.fields.items() if key not in _OWN_FIELDS}
        self._add_rest("OTHER FIELDS", fields)

    def _title(self, event: Event) -> str:
        """Name an event's kind and id on one line."""
        kind = event.kind or "EVENT"
        if kind.startswith("$ai_"):
            kind = kind.removeprefix("$ai_").upper()
        shown = "" if event.id is None else f" {' '.join(self.outline(event.id))}"
        return one_row(f"{scalar_text(kind)}{shown}")

    def _facts(self, properties: Mapping[str, Any]) -> list[str]:
        lines: list[str] = []
        for label, key, unit in _FACTS:
            if key not in properties:
                continue
            value = decoded(properties[key])
            if value is None or value == "":
                continue
            if isinstance(value, dict | list):
                lines += self.outline({label: value})
            else:
                lines.append(f"{label}: {scalar_text(value)}{unit}")
        return lines

    def _add_tools(self, tools: Any) -> None:
        if not tools:
            return
        found = _read_tools(tools)
        self.add("", DASH, "", f"TOOLS: {len(found)}")
        for index, tool in enumerate(found):
            if not self.has_room:
                self.add("", *self.outline(found[index:]))
                return
            self.add("", *self.outline(tool))

    def _add_section(self, label: str, value: Any) -> None:
        if value is None or value == "":
            return
        self.add("", DASH, "", f"{label}:")
        if isinstance(value, str):
            self.add("")
            self.add_content(value)
        elif not holds_messages(value):
            self.add("")
            self.add_outline(value)
        else:
            self.add_messages(self._reader.read(value))

    def _add_error(self, properties: Mapping[str, Any]) -> None:
        error, flag = decoded(properties.get("$ai_error")), properties.get("$ai_is_error")
        if not error and not flag:
            return
        self.add("", DASH, "", "ERROR:", "")
        if error:
            self.add_outline(error)
        else:
            self.add("no details")
        if flag and not isinstance(flag, int):
            self.add(*self.outline({"$ai_is_error": flag}))

    def _add_rest(self, label: str, values: Mapping[str, Any]) -> None:
        if values:
            self.add("", DASH, "", f"{label}:", "", *self.outline(dict(values)))

    def _tree_line(self, number: int, node: Node) -> str:
        indent = "  " * min(node.depth, _DEEPEST)
        deep = f" (level {node.depth})" if node.depth > _DEEPEST else ""
        return f"{indent}#{number} {self._title(node.event)}{deep}{_summary(node.event)}"


def _read_tools(tools: Any) -> Sequence[Any]:
    """Take the tools out of what bundles and wraps them."""
    if isinstance(tools, dict):
        is_tool = any(isinstance(tools.get(key), str) for key in ("name", "type"))
        bundles = any(key in tools for key in ("functionDeclarations", "function_declarations"))
        tools = [tools] if is_tool or bundles else [{key: value} for key, value in tools.items()]
    if not isinstance(tools, list):
        return [tools]
    found: list[Any] = []
    for tool in tools:
        found += _unbundled(tool)
    return found


def _unbundled(tool: Any) -> list[Any]:
    if not isinstance(tool, dict):
        return [tool]
    for key in ("functionDeclarations", "function_declarations"):
        if isinstance(tool.get(key), list):
            rest = {name: value for name, value in tool.items() if name != key}
            return [*tool[key], *([rest] if rest else [])]
    return [tool]


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
