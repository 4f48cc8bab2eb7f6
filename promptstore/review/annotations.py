"""Annotations of GitHub Actions: a line of the log that the forge shows beside the file."""

from __future__ import annotations

from typing import Final

from promptstore.lint.findings import Finding, Severity
from promptstore.review.escaping import command_property, command_value
from promptstore.review.impact import Impact
from promptstore.review.ranges import PromptChange

_LEVELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "note": "notice"}
_IMPACT_LEVELS: Final[dict[Impact, str]] = {
    "breaking": "error",
    "behaviour": "warning",
    "compatible": "notice",
}


def annotation(finding: Finding) -> str:
    """Write a finding as an annotation."""
    problem = finding.problem
    properties = {
        "file": finding.path,
        "line": str(problem.line),
        "col": str(problem.column),
        "title": problem.code,
    }
    return _command(_LEVELS[finding.severity], properties, problem.message)


def change_annotation(change: PromptChange) -> str:
    """Write what happened to a prompt as an annotation at the top of its file."""
    judgement = change.judgement
    properties = {"file": change.path, "line": "1", "title": f"{judgement.impact}: {change.name}"}
    message = f"{change.kind}: {'; '.join(judgement.reasons)}"
    return _command(_IMPACT_LEVELS[judgement.impact], properties, message)


def _command(level: str, properties: dict[str, str], message: str) -> str:
    written = ",".join(f"{key}={command_property(value)}" for key, value in properties.items())
    return f"::{level} {written}::{command_value(message)}"
