"""Traces: their states, or the tree of their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.events import Event, Node, Trace
from promptstore.formatters.finishing import hidden
from promptstore.formatters.jsontext import indented, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.content import UnreadableError
from promptstore.formatters.posthog.events import (
    RULE,
    embedding_lines,
    evaluation_lines,
    evaluation_result,
    generation_lines,
    span_lines,
    starts_with_message,
    title,
)
from promptstore.formatters.posthog.literals import LiteralReader
from promptstore.formatters.posthog.messages import (
    DASH,
    content_lines,
    strict_choice_messages,
    strict_message_lines,
)

_DEEPEST: Final = 10
_Properties = Mapping[str, Any]


def event_lines(
    event: Event, options: TextReprOptions, literals: LiteralReader | None = None
) -> list[str]:
    """Write one event as its kind asks; an unknown kind is written as a generation.

    Args:
        event: The event.
        options: The options.
        literals: Reads the states that are Python literals; None makes one.

    Returns:
        The lines.
    """
    if event.kind == "$ai_span":
        return span_lines(event.properties, options, literals or LiteralReader())
    if event.kind == "$ai_embedding":
        return embedding_lines(event.properties, options)
    if event.kind == "$ai_evaluation":
        return evaluation_lines(event.properties)
    return generation_lines(event.properties, options)


def trace_lines(trace: Trace, options: TextReprOptions) -> list[str]:
    """Write a trace.

    Args:
        trace: The trace.
        options: The options.

    Returns:
        The lines.
    """
    properties, fields = trace.root.properties, trace.root.fields
    if trace.is_alone and (lines := generation_lines(properties, options)):
        return [*lines, *_state_sections(properties, fields, options)]
    name = properties.get("$ai_span_name") or fields.get("traceName") or fields.get("trace_name")
    lines = [title(name or "TRACE", "TRACE"), RULE]
    if error := properties.get("$ai_error"):
        text = error if isinstance(error, str) else indented(error)
        lines += ["", DASH, "", "TRACE ERROR:", "", text]
    if trace.nodes:
        return [*lines, "", DASH, "", "TRACE HIERARCHY:", "", *_tree_lines(trace.nodes, options)]
    return [*lines, *_state_sections(properties, fields, options)]


def _state_sections(
    properties: _Properties, fields: Mapping[str, Any], options: TextReprOptions
) -> list[str]:
    given = properties.get("$ai_input_state") or fields.get("inputState")
    made = properties.get("$ai_output_state") or fields.get("outputState")
    sections = (
        _state_lines("INPUT", given or fields.get("input_state"), list, options),
        _state_lines("OUTPUT", made or fields.get("output_state"), strict_choice_messages, options),
    )
    return [line for section in sections if section for line in ("", DASH, *section)]


def _state_lines(
    label: str, state: Any, read: Callable[[Sequence[Any]], list[Any]], options: TextReprOptions
) -> list[str]:
    if not state:
        return []
    if isinstance(state, list) and starts_with_message(state):
        try:
            messages = read(state)
            lines = strict_message_lines(messages, options)
            return ["", f"{label}:", *lines] if messages else []
        except UnreadableError:
            return ["", f"TRACE {label}:", "", python_text(state)]
    if isinstance(state, str):
        return ["", f"TRACE {label}:", "", *content_lines(state, options)]
    if isinstance(state, dict | list):
        return ["", f"TRACE {label}:", "", *content_lines(indented(state), options)]
    return ["", f"TRACE {label}:", "", python_text(state)]


def _tree_lines(nodes: Sequence[Node], options: TextReprOptions) -> list[str]:
    lines: list[str] = []
    literals = LiteralReader()
    pads: list[str] = []  # what stands before the connector, one piece for each level
    above = -1
    for node in nodes:
        if node.depth <= _DEEPEST:
            del pads[node.depth :]
            pad = "   " if node.is_last else "│  "
            lines += _node_lines(node, "".join(pads), pad, options, literals)
            pads.append(pad)
        elif node.depth == _DEEPEST + 1 and above == _DEEPEST:
            lines.append("".join(pads) + "  [... max depth reached]")
        above = node.depth
    return lines


def _node_lines(
    node: Node, prefix: str, pad: str, options: TextReprOptions, literals: LiteralReader
) -> list[str]:
    event = node.event
    kind, summarise = _KINDS.get(event.kind or "", ("[EVENT]", None))
    start = prefix + ("└─ " if node.is_last else "├─ ")
    if summarise is None:
        return [f"{start}{_link(event, options)} {_unknown_summary(event)}"]
    head = f"{kind} {summarise(event.properties)}"
    if options.collapsed:
        return [start + head]
    text = "\n".join(event_lines(event, options, literals))
    if options.include_markers:
        return [f"{start}<<<GEN_EXPANDABLE|{_id(event)}|{head}|{hidden(text)}>>>"]
    return [f"{start}[+] {head}", *(f"{prefix}{pad}    {line}" for line in text.split("\n"))]


def _link(event: Event, options: TextReprOptions) -> str:
    if options.collapsed or not options.include_markers:
        return "[EVENT]"
    return f"<<<EVENT_LINK|{_id(event)}|[EVENT]>>>"


def _id(event: Event) -> str:
    return python_text(event.fields.get("id", "unknown"))


def _unknown_summary(event: Event) -> str:
    kind = event.fields.get("event", event.fields.get("value", "unknown"))
    return "unknown" if kind is None else python_text(kind)


def _summary(name: Any, parts: Sequence[str | None]) -> str:
    shown = ", ".join(part for part in parts if part is not None)
    return f"{python_text(name)} ({shown})" if shown else python_text(name)


def _generation_summary(properties: _Properties) -> str:
    model = properties.get("$ai_model")
    return _summary(
        properties.get("$ai_span_name") or model or "generation",
        [
            _latency(properties.get("$ai_latency")),
            _latency(properties.get("$ai_time_to_first_token"), "TTFT: "),
            _cost(properties.get("$ai_total_cost_usd")),
            python_text(model) if model else None,
            "ERROR" if properties.get("$ai_is_error") or properties.get("$ai_error") else None,
        ],
    )


def _span_summary(properties: _Properties) -> str:
    return _summary(
        properties.get("$ai_span_name", "span"),
        [
            _latency(properties.get("$ai_latency")),
            "ERROR" if properties.get("$ai_is_error") else None,
        ],
    )


def _embedding_summary(properties: _Properties) -> str:
    model = properties.get("$ai_model")
    return _summary(
        properties.get("$ai_span_name") or model or "embedding",
        [
            _latency(properties.get("$ai_latency")),
            _cost(properties.get("$ai_total_cost_usd")),
            python_text(model) if model else None,
            "ERROR" if properties.get("$ai_is_error") or properties.get("$ai_error") else None,
        ],
    )


def _evaluation_summary(properties: _Properties) -> str:
    runtime = properties.get("$ai_evaluation_runtime")
    return _summary(
        properties.get("$ai_evaluation_name", "evaluation"),
        [python_text(runtime) if runtime else None, evaluation_result(properties)],
    )


def _latency(value: Any, label: str = "") -> str | None:
    number = _number(value)
    if number is not None:
        return f"{label}{number:.2f}s"
    return None if value is None else label + python_text(value)


def _cost(value: Any) -> str | None:
    number = _number(value)
    if number is not None:
        return f"${number:.4f}"
    return None if value is None else python_text(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


_KINDS: Final[Mapping[str, tuple[str, Callable[[_Properties], str] | None]]] = {
    "$ai_generation": ("[GEN]", _generation_summary),
    "$ai_span": ("[SPAN]", _span_summary),
    "$ai_embedding": ("[EMBED]", _embedding_summary),
    "$ai_evaluation": ("[EVAL]", _evaluation_summary),
}
