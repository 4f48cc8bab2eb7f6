"""Generations, embeddings, evaluations and spans: their input, output, tools, states and error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

from promptstore.formatters.events import Event
from promptstore.formatters.jsontext import DEEPEST, indented, one_line, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.content import (
    NO_OUTPUT,
    UnreadableError,
    call_text,
    payload_text,
)
from promptstore.formatters.posthog.literals import LiteralReader
from promptstore.formatters.posthog.messages import DASH, MessageLayout, choice_messages

RULE: Final = "=" * 80
_LINES: Final = 100_000  # of an error; an object that comes then stands on one line
_SHOWN: Final = 500  # characters of an input that is not understood
_Properties = Mapping[str, Any]


class EventLayout(MessageLayout):
    """Lays out one event as PostHog does.

    Args:
        options: The options.
    """

    def __init__(self, options: TextReprOptions) -> None:
        super().__init__(options)
        self._literals = LiteralReader()

    def event(self, event: Event) -> list[str]:
        """Lay out an event as its kind asks; one of an unknown kind like a generation."""
        layouts = {
            "$ai_span": self._span,
            "$ai_embedding": self._embedding,
            "$ai_evaluation": self._evaluation,
        }
        return layouts.get(event.kind or "", self.generation)(event.properties)

    def generation(self, properties: _Properties) -> list[str]:
        """Lay out a generation."""
        lines: list[str] = []
        for section in (
            self.tools(properties.get("$ai_tools")),
            self._input(properties.get("$ai_input")),
            self._output(properties),
        ):
            if section:
                lines += ["", DASH] if lines else [DASH]
                lines += section
        return lines + _error_section(properties, lines)

    def _embedding(self, properties: _Properties) -> list[str]:
        section = self._input(properties.get("$ai_input"))
        lines = [DASH, *section, ""] if section else []
        lines += [DASH, "", "OUTPUT:", "", "Embedding vector generated", ""]
        return lines + _error_section(properties, lines)

    def _evaluation(self, properties: _Properties) -> list[str]:
        name = python_text(properties.get("$ai_evaluation_name", "Unknown evaluation"))
        line = f"EVALUATION: {name} | Result: {evaluation_result(properties) or 'UNKNOWN'}"
        runtime = properties.get("$ai_evaluation_runtime")
        model = properties.get("$ai_evaluation_model")
        if runtime == "llm_judge" and model:
            line += f" (llm_judge/{python_text(model)})"
        elif runtime:
            line += f" ({python_text(runtime)})"
        if reasoning := properties.get("$ai_evaluation_reasoning"):
            line += f" | Reasoning: {python_text(reasoning)}"
        return [DASH, "", line, ""]

    def _span(self, properties: _Properties) -> list[str]:
        lines = [title(properties.get("$ai_span_name", "Span"), "Span"), RULE]
        if error := properties.get("$ai_error"):
            text = indented(error) if isinstance(error, dict) else python_text(error)
            lines += [DASH, "", "ERROR:", "", text]
        for label, key in (("INPUT", "$ai_input_state"), ("OUTPUT", "$ai_output_state")):
            if state := properties.get(key):
                lines += [DASH, "", f"{label} STATE:", "", *self._state(state)]
        return lines

    def _input(self, value: Any) -> list[str]:
        if not value:
            return []
        if isinstance(value, str):
            return ["", "INPUT:", "", *self.content(value)]
        if isinstance(value, list):
            return ["", "INPUT:", *self.messages(value)]
        text = one_line(value)
        text = text[:_SHOWN] + "..." if len(text) > _SHOWN else text
        return ["", "INPUT:", "", f"[Unparsed input format: {type(value).__name__}]", text]

    def _output(self, properties: _Properties) -> list[str]:
        output, choices = properties.get("$ai_output"), properties.get("$ai_output_choices")
        for value in (choices, output):
            if _is_response(value) and value["output"]:
                return ["", "OUTPUT:", *self.messages(value["output"])]
        if isinstance(output, str) and output:
            return ["", "OUTPUT:", "", *self.content(output)]
        messages = choice_messages(choices)
        return ["", "OUTPUT:", *self.messages(messages)] if messages else []

    def _state(self, state: Any) -> list[str]:
        try:
            if isinstance(state, str):
                return self.content(self._literals.read(state))
            if isinstance(state, list) and starts_with_message(state):
                return self.messages(state, is_strict=True)
            if isinstance(state, dict) and (lines := self._object(state)):
                return lines
        except UnreadableError:
            return [python_text(state)]
        return (
            self.content(indented(state))
            if isinstance(state, dict | list)
            else [python_text(state)]
        )

    def _object(self, state: dict[str, Any]) -> list[str]:
        """Lay out a state that says what it is; nothing where it does not."""
        if state.get("__type") == "tool_call_with_context":
            return self._call_with_context(state)
        if isinstance(messages := state.get("messages"), list) and messages:
            return self.messages(messages, is_strict=True)
        if state.get("type") != "tool":
            return []
        name, status = state.get("name"), state.get("status")
        if name and not isinstance(name, str):
            raise UnreadableError
        parts = ["[TOOL RESULT]", name or "", f"({python_text(status)})" if status else ""]
        text = payload_text(state.get("content"))
        shown = self.content(text) if text else [NO_OUTPUT]
        return [" ".join(part for part in parts if part), "", *shown]

    def _call_with_context(self, state: dict[str, Any]) -> list[str]:
        lines: list[str] = []
        if isinstance(inner := state.get("state"), dict):
            if isinstance(messages := inner.get("messages"), list) and messages:
                lines += self.messages(messages, is_strict=True)
            if inner.get("remaining_steps") is not None:
                lines += ["", f"Remaining steps: {python_text(inner['remaining_steps'])}"]
        if isinstance(call := state.get("tool_call"), dict) and call:
            text = call_text(call.get("name", "unknown"), call.get("args", {}))
            lines += ["", "Tool Call:", f"  {text}"]
        return lines


def evaluation_result(properties: _Properties) -> str | None:
    """Name an evaluation's result, or None where it is not known."""
    applicable = properties.get("$ai_evaluation_applicable")
    if applicable is False or applicable == "false":
        return "N/A"
    result = properties.get("$ai_evaluation_result")
    if result is True or result == "true":
        return "PASS"
    return "FAIL" if result is False or result == "false" else None


def title(name: Any, default: str) -> str:
    """Write a name in capitals; null has the default's name."""
    return (default if name is None else python_text(name)).upper()


def starts_with_message(state: Sequence[Any]) -> bool:
    """Return whether a list's first item looks like a message."""
    first = state[0]
    return isinstance(first, dict) and ("role" in first or "content" in first)


def _is_response(value: Any) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(value, dict)
        and value.get("object") == "response"
        and isinstance(value.get("output"), list)
    )


def _error_section(properties: _Properties, before: Sequence[str]) -> list[str]:
    error = properties.get("$ai_error")
    if not (error or properties.get("$ai_is_error")):
        return []
    return [*([""] if before else []), "", DASH, "", "ERROR:", "", *_error_lines(error), ""]


def _error_lines(error: Any) -> list[str]:
    if not error:
        return ["An error occurred (no details available)"]
    if isinstance(error, str):
        try:
            decoded = json.loads(error)
        except (ValueError, RecursionError):
            return [error]
        return _outline(decoded) if isinstance(decoded, dict) and decoded else [error]
    return _outline(error) if isinstance(error, dict) else [python_text(error)]


def _outline(value: Any) -> list[str]:
    """Lay out a value in lines that look like YAML; what is very deep stands on one line."""
    lines: list[str] = []
    todo = [(head, item, 0) for head, item in reversed(_heads(value))]
    while todo:
        head, item, depth = todo.pop()
        indent = "  " * depth
        if not isinstance(item, dict | list):
            lines.append(f"{indent}{head} {python_text(item)}")
        elif depth >= DEEPEST or len(lines) > _LINES:
            lines.append(f"{indent}{head} {one_line(item)}")
        else:
            lines.append(f"{indent}{head}")
            todo += [(head, inner, depth + 1) for head, inner in reversed(_heads(item))]
    return lines


def _heads(value: dict[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{key}:", item) for key, item in value.items()]
    return [("-", item) for item in value]
