"""Generations, embeddings, evaluations and spans: their input, output, tools, states and error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

from promptstore.formatters.jsontext import DEEPEST, indented, one_line, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.content import (
    NO_OUTPUT,
    UnreadableError,
    call_text,
    payload_text,
)
from promptstore.formatters.posthog.literals import LiteralReader
from promptstore.formatters.posthog.messages import (
    DASH,
    choice_messages,
    content_lines,
    message_lines,
    strict_message_lines,
    tools_section,
)

RULE: Final = "=" * 80
_LINES: Final = 100_000  # of an error; an object that comes then stands on one line
_SHOWN: Final = 500  # characters of an input that is not understood
_Properties = Mapping[str, Any]


def generation_lines(properties: _Properties, options: TextReprOptions) -> list[str]:
    """Write a generation.

    Args:
        properties: The event's properties.
        options: The options.

    Returns:
        The lines.
    """
    lines: list[str] = []
    for section in (
        tools_section(properties.get("$ai_tools"), options),
        _input_section(properties.get("$ai_input"), options),
        _output_section(properties, options),
    ):
        if section:
            lines += _gap(lines)
            lines.append(DASH)
            lines += section
    lines += _error_section(properties, lines)
    return lines


def embedding_lines(properties: _Properties, options: TextReprOptions) -> list[str]:
    """Write an embedding; the vector itself is not shown.

    Args:
        properties: The event's properties.
        options: The options.

    Returns:
        The lines.
    """
    section = _input_section(properties.get("$ai_input"), options)
    lines: list[str] = [DASH, *section] if section else []
    lines += [*_gap(lines), DASH, "", "OUTPUT:", "", "Embedding vector generated", ""]
    return [*lines, *_error_section(properties, lines)]


def evaluation_lines(properties: _Properties) -> list[str]:
    """Write an evaluation.

    Args:
        properties: The event's properties.

    Returns:
        The lines.
    """
    name = python_text(properties.get("$ai_evaluation_name", "Unknown evaluation"))
    line = f"EVALUATION: {name} | Result: {evaluation_result(properties) or 'UNKNOWN'}"
    runtime, model = (
        properties.get("$ai_evaluation_runtime"),
        properties.get("$ai_evaluation_model"),
    )
    if runtime == "llm_judge" and model:
        line += f" (llm_judge/{python_text(model)})"
    elif runtime:
        line += f" ({python_text(runtime)})"
    if reasoning := properties.get("$ai_evaluation_reasoning"):
        line += f" | Reasoning: {python_text(reasoning)}"
    return [DASH, "", line, ""]


def evaluation_result(properties: _Properties) -> str | None:
    """Name an evaluation's result, or None where it is not known."""
    applicable = properties.get("$ai_evaluation_applicable")
    if applicable is False or applicable == "false":
        return "N/A"
    result = properties.get("$ai_evaluation_result")
    if result is True or result == "true":
        return "PASS"
    return "FAIL" if result is False or result == "false" else None


def _input_section(value: Any, options: TextReprOptions) -> list[str]:
    if not value:
        return []
    lines: list[str] = ["", "INPUT:"]
    if isinstance(value, str):
        return [*lines, "", *content_lines(value, options)]
    if isinstance(value, list):
        lines += message_lines(value, options)
        return lines
    text = one_line(value)
    text = text[:_SHOWN] + "..." if len(text) > _SHOWN else text
    return [*lines, "", f"[Unparsed input format: {type(value).__name__}]", text]


def _choices_section(choices: Any, options: TextReprOptions) -> list[str]:
    messages = choice_messages(choices)
    return ["", "OUTPUT:", *message_lines(messages, options)] if messages else []


def _output_section(properties: _Properties, options: TextReprOptions) -> list[str]:
    output, choices = properties.get("$ai_output"), properties.get("$ai_output_choices")
    if _is_response(choices) and choices["output"]:
        return ["", "OUTPUT:", *message_lines(choices["output"], options)]
    if _is_response(output) and output["output"]:
        return ["", "OUTPUT:", *message_lines(output["output"], options)]
    if isinstance(output, str) and output:
        return ["", "OUTPUT:", "", *content_lines(output, options)]
    return _choices_section(choices, options)


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
    return [*_gap(before), "", DASH, "", "ERROR:", "", *_error_lines(error), ""]


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


def _gap(lines: Sequence[str]) -> list[str]:
    return [""] if lines else []


def span_lines(
    properties: _Properties, options: TextReprOptions, literals: LiteralReader
) -> list[str]:
    """Write a span.

    Args:
        properties: The event's properties.
        options: The options.
        literals: Reads the states that are Python literals.

    Returns:
        The lines.
    """
    lines: list[str] = [title(properties.get("$ai_span_name", "Span"), "Span"), RULE]
    if error := properties.get("$ai_error"):
        lines += [DASH, "", "ERROR:", "", _error_text(error)]
    for label, key in (("INPUT STATE", "$ai_input_state"), ("OUTPUT STATE", "$ai_output_state")):
        if state := properties.get(key):
            lines += [DASH, "", f"{label}:", "", *_state_lines(state, options, literals)]
    return lines


def title(name: Any, default: str) -> str:
    """Write a name in capitals; null has the default's name."""
    return (default if name is None else python_text(name)).upper()


def _error_text(error: Any) -> str:
    return indented(error) if isinstance(error, dict) else python_text(error)


def starts_with_message(state: Sequence[Any]) -> bool:
    """Return whether a list's first item looks like a message."""
    first = state[0]
    return isinstance(first, dict) and ("role" in first or "content" in first)


def _state_lines(state: Any, options: TextReprOptions, literals: LiteralReader) -> list[str]:
    try:
        if isinstance(state, str):
            return content_lines(literals.read(state), options)
        if isinstance(state, list):
            return _list_lines(state, options)
        if isinstance(state, dict):
            return _object_lines(state, options)
    except UnreadableError:
        pass
    return [python_text(state)]


def _list_lines(state: list[Any], options: TextReprOptions) -> list[str]:
    if starts_with_message(state):
        return strict_message_lines(state, options)
    return content_lines(indented(state), options)


def _object_lines(state: dict[str, Any], options: TextReprOptions) -> list[str]:
    if state.get("__type") == "tool_call_with_context":
        return _context_lines(state, options)
    messages = state.get("messages")
    if isinstance(messages, list) and messages:
        return strict_message_lines(messages, options)
    if state.get("type") == "tool":
        text = payload_text(state.get("content"))
        shown = content_lines(text, options) if text else [NO_OUTPUT]
        return [*_tool_result_heading(state), *shown]
    return content_lines(indented(state), options)


def _context_lines(state: dict[str, Any], options: TextReprOptions) -> list[str]:
    lines: list[str] = []
    inner = state.get("state")
    if isinstance(inner, dict):
        messages = inner.get("messages")
        if isinstance(messages, list) and messages:
            lines += strict_message_lines(messages, options)
        if inner.get("remaining_steps") is not None:
            lines += ["", f"Remaining steps: {python_text(inner['remaining_steps'])}"]
    call = state.get("tool_call")
    if isinstance(call, dict) and call:
        text = call_text(call.get("name", "unknown"), call.get("args", {}))
        lines += ["", "Tool Call:", f"  {text}"]
    return lines


def _tool_result_heading(state: dict[str, Any]) -> list[str]:
    name, status = state.get("name"), state.get("status")
    if name and not isinstance(name, str):
        raise UnreadableError
    parts = ["[TOOL RESULT]", name or "", f"({python_text(status)})" if status else ""]
    return [" ".join(part for part in parts if part), ""]
