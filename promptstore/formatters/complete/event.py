"""One event as lines: what is known about it, its tools, what went in and out, its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.complete.conversation import write_messages
from promptstore.formatters.complete.writing import (
    DASH,
    RULE,
    Writer,
    decoded,
    one_row,
    outline,
    scalar_text,
)
from promptstore.formatters.events import Event
from promptstore.formatters.providers import holds_messages, read_messages

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


def write_event(event: Event, writer: Writer) -> None:
    """Lay out one event.

    Args:
        event: The event.
        writer: Takes the lines.
    """
    properties = event.properties
    facts = _facts(properties)
    writer.add(event_title(event), RULE, *(["", *facts] if facts else []))
    _write_tools(decoded(properties.get("$ai_tools")), writer)
    for label, key in _SECTIONS:
        _write_section(label, decoded(properties.get(key)), writer)
    _write_error(properties, writer)
    others = {key: value for key, value in properties.items() if key not in _KNOWN}
    _write_outline("OTHER PROPERTIES", others, writer)
    fields = {key: value for key, value in event.fields.items() if key not in _OWN_FIELDS}
    _write_outline("OTHER FIELDS", fields, writer)


def event_title(event: Event) -> str:
    """Name an event's kind and id on one line."""
    kind = (event.kind or "event").removeprefix("$ai_").upper()
    shown = "" if event.id is None else f" {' '.join(outline(event.id))}"
    return one_row(f"{scalar_text(kind)}{shown}")


def _facts(properties: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for label, key, unit in _FACTS:
        value = decoded(properties.get(key))
        if value is None or value == "":
            continue
        if isinstance(value, dict | list):
            lines += outline({label: value})
        else:
            lines.append(f"{label}: {scalar_text(value)}{unit}")
    return lines


def _write_tools(tools: Any, writer: Writer) -> None:
    if not tools:
        return
    found = _read_tools(tools)
    writer.add("", DASH, "", f"TOOLS: {len(found)}")
    for tool in found:
        writer.add("", *outline(tool))


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


def _write_section(label: str, value: Any, writer: Writer) -> None:
    if value is None or value == "":
        return
    writer.add("", DASH, "", f"{label}:")
    if isinstance(value, str):
        writer.add("")
        writer.add_content(value)
    elif not holds_messages(value):
        writer.add("")
        writer.add_outline(value)
    else:
        write_messages(read_messages(value), writer)


def _write_error(properties: Mapping[str, Any], writer: Writer) -> None:
    error, flag = decoded(properties.get("$ai_error")), properties.get("$ai_is_error")
    if not error and not flag:
        return
    writer.add("", DASH, "", "ERROR:", "")
    if error:
        writer.add_outline(error)
    else:
        writer.add("no details")
    if flag and not isinstance(flag, int):
        writer.add(*outline({"$ai_is_error": flag}))


def _write_outline(label: str, values: Mapping[str, Any], writer: Writer) -> None:
    if values:
        writer.add("", DASH, "", f"{label}:", "", *outline(dict(values)))
