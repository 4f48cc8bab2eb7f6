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
    EventLayout,
    evaluation_result,
    starts_with_message,
    title,
)
from promptstore.formatters.posthog.messages import DASH, choice_messages

_DEEPEST: Final = 10
_Properties = Mapping[str, Any]


def write(found: Event | Trace, options: TextReprOptions) -> tuple[list[str], bool]:
    """Write an event or a trace.

    Args:
        found: The event or the trace.
        options: The options.

    Returns:
        The lines, and False: PostHog does not tell whether something of it was taken out.
    """
    layout = _TraceLayout(options)
    return layout.trace(found) if isinstance(found, Trace) else layout.event(found), False


class _TraceLayout(EventLayout):
    """Lays out traces as PostHog does."""

    def trace(self, trace: Trace) -> list[str]:
        properties, fields = trace.root.properties, trace.root.fields
        if trace.is_alone and (lines := self.generation(properties)):
            return [*lines, *self._states(properties, fields)]
        name = properties.get("$ai_span_name") or fields.get("traceName")
        lines = [title(name or fields.get("trace_name") or "TRACE", "TRACE"), RULE]
        if error := properties.get("$ai_error"):
            text = error if isinstance(error, str) else indented(error)
            lines += ["", DASH, "", "TRACE ERROR:", "", text]
        if trace.nodes:
            return [*lines, "", DASH, "", "TRACE HIERARCHY:", "", *self._tree(trace.nodes)]
        return [*lines, *self._states(properties, fields)]

    def _states(self, properties: _Properties, fields: Mapping[str, Any]) -> list[str]:
        given = properties.get("$ai_input_state") or fields.get("inputState")
        made = properties.get("$ai_output_state") or fields.get("outputState")
        lines: list[str] = []
        for label, state in (
            ("INPUT", given or fields.get("input_state")),
            ("OUTPUT", made or fields.get("output_state")),
        ):
            if state and (section := self._trace_state(label, state)):
                lines += ["", DASH, *section]
        return lines

    def _trace_state(self, label: str, state: Any) -> list[str]:
        shown = [python_text(state)]
        if isinstance(state, list) and starts_with_message(state):
            try:
                messages = state if label == "INPUT" else choice_messages(state, is_strict=True)
                lines = self.messages(messages, is_strict=True)
            except UnreadableError:
                return ["", f"TRACE {label}:", "", *shown]
            return ["", f"{label}:", *lines] if messages else []
        if isinstance(state, str | dict | list):
            shown = self.content(state if isinstance(state, str) else indented(state))
        return ["", f"TRACE {label}:", "", *shown]

    def _tree(self, nodes: Sequence[Node]) -> list[str]:
        lines: list[str] = []
        pads: list[str] = []  # what stands before the connector, one piece for each level
        above = -1
        for node in nodes:
            if node.depth <= _DEEPEST:
                del pads[node.depth :]
                pad = "   " if node.is_last else "│  "
                lines += self._node(node, "".join(pads), pad)
                pads.append(pad)
            elif node.depth == _DEEPEST + 1 and above == _DEEPEST:
                lines.append("".join(pads) + "  [... max depth reached]")
            above = node.depth
        return lines

    def _node(self, node: Node, prefix: str, pad: str) -> list[str]:
        event, options = node.event, self.options
        kind, summarise = _KINDS.get(event.kind or "", ("[EVENT]", None))
        start = prefix + ("└─ " if node.is_last else "├─ ")
        has_markers = options.include_markers and not options.collapsed
        name = python_text(event.fields.get("id", "unknown"))
        if summarise is None:
            link = f"<<<EVENT_LINK|{name}|[EVENT]>>>" if has_markers else "[EVENT]"
            return [f"{start}{link} {_unknown_summary(event)}"]
        head = f"{kind} {summarise(event.properties)}"
        if options.collapsed:
            return [start + head]
        text = "\n".join(self.event(event))
        if has_markers:
            return [f"{start}<<<GEN_EXPANDABLE|{name}|{head}|{hidden(text)}>>>"]
        return [f"{start}[+] {head}", *(f"{prefix}{pad}    {line}" for line in text.split("\n"))]


def _unknown_summary(event: Event) -> str:
    kind = event.fields.get("event", event.fields.get("value", "unknown"))
    return "unknown" if kind is None else python_text(kind)


def _summary(name: Any, *parts: str | None) -> str:
    shown = ", ".join(part for part in parts if part is not None)
    return f"{python_text(name)} ({shown})" if shown else python_text(name)


def _model_summary(properties: _Properties, default: str, *between: str | None) -> str:
    model = properties.get("$ai_model")
    is_error = properties.get("$ai_is_error") or properties.get("$ai_error")
    return _summary(
        properties.get("$ai_span_name") or model or default,
        _latency(properties.get("$ai_latency")),
        *between,
        _cost(properties.get("$ai_total_cost_usd")),
        python_text(model) if model else None,
        "ERROR" if is_error else None,
    )


def _generation_summary(properties: _Properties) -> str:
    first = _latency(properties.get("$ai_time_to_first_token"), "TTFT: ")
    return _model_summary(properties, "generation", first)


def _embedding_summary(properties: _Properties) -> str:
    return _model_summary(properties, "embedding")


def _span_summary(properties: _Properties) -> str:
    error = "ERROR" if properties.get("$ai_is_error") else None
    name = properties.get("$ai_span_name", "span")
    return _summary(name, _latency(properties.get("$ai_latency")), error)


def _evaluation_summary(properties: _Properties) -> str:
    runtime = properties.get("$ai_evaluation_runtime")
    name = properties.get("$ai_evaluation_name", "evaluation")
    return _summary(name, python_text(runtime) if runtime else None, evaluation_result(properties))


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
