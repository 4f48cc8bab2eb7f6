"""SARIF 2.1.0: findings and changes as the scanners of forges take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from promptstore import __version__
from promptstore.lint.findings import Finding
from promptstore.lint.registry import RULES, explain
from promptstore.review.impact import IMPACTS, Impact
from promptstore.review.ranges import PromptChange

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"

_IMPACT_LEVELS: Final[dict[Impact, str]] = {
    "breaking": "error",
    "behaviour": "warning",
    "compatible": "note",
}
_IMPACT_TITLES: Final[dict[Impact, str]] = {
    "breaking": "A call that rendered before fails now.",
    "behaviour": "A model reads something else, or the config differs.",
    "compatible": "Callers and models see no difference.",
}


def sarif(findings: Sequence[Finding], changes: Sequence[PromptChange] = ()) -> dict[str, Any]:
    """Write findings and changes as one SARIF log.

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
    results = [*map(_finding, findings), *map(_change, changes)]
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
        "fullDescription": {"text": rule.page},
        "help": {"text": rule.page, "markdown": explain(code)},
        "defaultConfiguration": {"level": rule.severity, "enabled": rule.is_on},
    }


def _impact_rule(impact: Impact) -> dict[str, Any]:
    return {
        "id": impact,
        "shortDescription": {"text": _IMPACT_TITLES[impact]},
        "defaultConfiguration": {"level": _IMPACT_LEVELS[impact]},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    region = {"startLine": problem.line, "startColumn": problem.column}
    return _result(problem.code, finding.severity, problem.message, finding.path, region)


def _change(change: PromptChange) -> dict[str, Any]:
    impact = change.judgement.impact
    message = f"{change.name} {change.kind}: {'; '.join(change.judgement.reasons)}"
    return _result(impact, _IMPACT_LEVELS[impact], message, change.path, {"startLine": 1})


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
