"""Generations, embeddings and evaluations: their input, output, tools and error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

from promptstore.formatters.jsontext import DEEPEST, one_line, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.messages import (
    DASH,
    choice_messages,
    content_lines,
    message_lines,
)
from promptstore.formatters.posthog.tools import tools_section
from promptstore.formatters.shortening import Piece

_SHOWN: Final = 500  # characters of an input that is not understood
_Properties = Mapping[str, Any]


def generation_lines(properties: _Properties, options: TextReprOptions) -> list[Piece]:
    """Write a generation.

    Args:
        properties: The event's properties.
        options: The options.

    Returns:
        The lines.
    """
    lines: list[Piece] = []
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


def embedding_lines(properties: _Properties, options: TextReprOptions) -> list[Piece]:
    """Write an embedding; the vector itself is not shown.

    Args:
        properties: The event's properties.
        options: The options.

    Returns:
        The lines.
    """
    section = _input_section(properties.get("$ai_input"), options)
    lines: list[Piece] = [DASH, *section] if section else []
    lines += [*_gap(lines), DASH, "", "OUTPUT:", "", "Embedding vector generated", ""]
    return [*lines, *_error_section(properties, lines)]


def evaluation_lines(properties: _Properties) -> list[Piece]:
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


def _input_section(value: Any, options: TextReprOptions) -> list[Piece]:
    if not value:
        return []
    lines: list[Piece] = ["", "INPUT:"]
    if isinstance(value, str):
        return [*lines, "", *content_lines(value, options)]
    if isinstance(value, list):
        lines += message_lines(value, options)
        return lines
    text = one_line(value)
    text = text[:_SHOWN] + "..." if len(text) > _SHOWN else text
    return [*lines, "", f"[Unparsed input format: {type(value).__name__}]", text]


def _choices_section(choices: Any, options: TextReprOptions) -> list[Piece]:
    messages = choice_messages(choices)
    return ["", "OUTPUT:", *message_lines(messages, options)] if messages else []


def _output_section(properties: _Properties, options: TextReprOptions) -> list[Piece]:
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


def _error_section(properties: _Properties, before: Sequence[Piece]) -> list[str]:
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
        elif depth >= DEEPEST:
            lines.append(f"{indent}{head} {one_line(item)}")
        else:
            lines.append(f"{indent}{head}")
            todo += [(head, inner, depth + 1) for head, inner in reversed(_heads(item))]
    return lines


def _heads(value: dict[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{key}:", item) for key, item in value.items()]
    return [("-", item) for item in value]


def _gap(lines: Sequence[Piece]) -> list[str]:
    return [""] if lines else []
