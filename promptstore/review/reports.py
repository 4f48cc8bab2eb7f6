"""Findings and changes as plain JSON with stable keys."""

from __future__ import annotations

from typing import Any

from promptstore.lint.findings import Finding
from promptstore.review.ranges import PromptChange, RangeDiff


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Write a finding: `path`, `name`, `line`, `column`, `code`, `severity`, `message`."""
    problem = finding.problem
    return {
        "path": finding.path,
        "name": finding.name,
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "severity": finding.severity,
        "message": problem.message,
    }


def range_as_json(found: RangeDiff) -> dict[str, Any]:
    """Write what a range changes: `base`, `head` and `prompts`, one object each."""
    return {
        "base": found.base,
        "head": found.head,
        "prompts": [_change(change) for change in found.changes],
    }


def _change(change: PromptChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "old_name": change.old_name,
        "path": change.path,
        "kind": change.kind,
        "impact": change.judgement.impact,
        "reasons": list(change.judgement.reasons),
        "via": list(change.via),
        "changes": list(change.diff.changes),
        "texts": [{"title": text.title, "diff": text.diff} for text in change.diff.texts],
        "renders": [
            {"example": render.example, "before": render.before, "after": render.after}
            for render in change.renders
        ],
        "problems": [
            {"line": found.line, "column": found.column, "code": found.code,
             "message": found.message}
            for found in change.problems
        ],
    }  # fmt: skip
