"""Findings and changes for machines: JSON, annotations of GitHub Actions, and SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from promptstore import __version__
from promptstore.compare.diff import PromptDiff
from promptstore.lint.check import RULES
from promptstore.lint.findings import Finding, Severity
from promptstore.lint.unseen import show_unseen
from promptstore.review.impact import IMPACTS, Impact
from promptstore.review.ranges import PromptChange, RangeDiff

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"

_SEVERITIES: Final[dict[Impact, Severity]] = {
    "breaking": "error",
    "behaviour": "warning",
    "compatible": "note",
}
_TITLES: Final[dict[Impact, str]] = {
    "breaking": "A call that rendered before fails now.",
    "behaviour": "A model reads something else, or the config differs.",
    "compatible": "Callers and models see no difference.",
}


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding: `path`, `name`, `line`, `column`, `code`, `severity`, `message`."""
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


def diff_as_json(found: PromptDiff) -> dict[str, Any]:
    """Return what changed between two prompts: `changes`, and `texts` with `title` and `diff`."""
    texts = [{"title": text.title, "diff": text.diff} for text in found.texts]
    return {"changes": list(found.changes), "texts": texts}


def range_as_json(found: RangeDiff) -> dict[str, Any]:
    """Return what a range changes: `base`, `head` and `prompts`, one object each."""
    prompts = [_change_as_json(change) for change in found.changes]
    return {"base": found.base, "head": found.head, "prompts": prompts}


def _change_as_json(change: PromptChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "old_name": change.old_name,
        "path": change.path,
        "kind": change.kind,
        "impact": change.judgement.impact,
        "reasons": list(change.judgement.reasons),
        "via": list(change.via),
        **diff_as_json(change.diff),
        "renders": [
            {"example": render.example, "before": render.before, "after": render.after}
            for render in change.renders
        ],
        "problems": [
            {key: getattr(problem, key) for key in ("line", "column", "code", "message")}
            for problem in change.problems
        ],
    }


def annotation(finding: Finding) -> str:
    """Return a finding as a line of the log that GitHub shows beside the file."""
    problem = finding.problem
    place = {"line": str(problem.line), "col": str(problem.column), "title": problem.code}
    return _command(finding.severity, {"file": finding.path, **place}, problem.message)


def change_annotation(change: PromptChange) -> str:
    """Return what happened to a prompt as an annotation at the top of its file."""
    impact = change.judgement.impact
    properties = {"file": change.path, "line": "1", "title": f"{impact}: {change.name}"}
    message = f"{change.kind}: {'; '.join(change.judgement.reasons)}"
    return _command(_SEVERITIES[impact], properties, message)


def _command(severity: Severity, properties: dict[str, str], message: str) -> str:
    level = "notice" if severity == "note" else severity
    escaped = {
        key: _command_value(value).replace(":", "%3A").replace(",", "%2C")
        for key, value in properties.items()
    }
    written = ",".join(f"{key}={value}" for key, value in escaped.items())
    return f"::{level} {written}::{_command_value(message)}"


def _command_value(text: str) -> str:
    shown = show_unseen(text.replace("\r", "\n"))
    return shown.replace("%", "%25").replace("\n", "%0A")


def sarif(findings: Sequence[Finding], changes: Sequence[PromptChange] = ()) -> dict[str, Any]:
    """Return findings and changes as one SARIF log.

    Args:
        findings: What `promptstore.lint.check` found.
        changes: What a range of commits changed.

    Returns:
        The log as plain JSON.
    """
    codes = sorted({finding.problem.code for finding in findings})
    impacts = [impact for impact in IMPACTS if any(c.judgement.impact == impact for c in changes)]
    rules = [*map(_rule, codes), *map(_impact_rule, impacts)]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [*map(_finding_result, findings), *map(_change_result, changes)]
    for result in results:
        result["ruleIndex"] = index[result["ruleId"]]
    driver = {"name": "promptstore", "semanticVersion": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.reason},
        "help": {"text": rule.reason, "markdown": rule.page},
        "defaultConfiguration": {"level": rule.severity, "enabled": rule.is_on},
    }


def _impact_rule(impact: Impact) -> dict[str, Any]:
    return {
        "id": impact,
        "shortDescription": {"text": _TITLES[impact]},
        "defaultConfiguration": {"level": _SEVERITIES[impact]},
    }


def _finding_result(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    region = {"startLine": problem.line, "startColumn": problem.column}
    return _result(problem.code, finding.severity, problem.message, finding.path, region)


def _change_result(change: PromptChange) -> dict[str, Any]:
    impact = change.judgement.impact
    message = f"{change.name} {change.kind}: {'; '.join(change.judgement.reasons)}"
    return _result(impact, _SEVERITIES[impact], message, change.path, {"startLine": 1})


def _result(
    rule: str, level: str, message: str, path: str, region: dict[str, int]
) -> dict[str, Any]:
    location = {"artifactLocation": {"uri": quote(path)}, "region": region}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": location}],
    }
