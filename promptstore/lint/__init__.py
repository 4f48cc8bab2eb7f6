"""The rules of ``promptstore check``: a small function each, with a code and a page."""

from __future__ import annotations

from promptstore.lint.configuration import checked_codes, read_settings
from promptstore.lint.findings import Finding
from promptstore.lint.library import Library
from promptstore.lint.registry import RULES, all_pages, explain, severity_of
from promptstore.lint.rule import Rule
from promptstore.lint.settings import SEVERITIES, Settings, Severity

__all__ = [
    "RULES",
    "SEVERITIES",
    "Finding",
    "Library",
    "Rule",
    "Settings",
    "Severity",
    "all_pages",
    "checked_codes",
    "explain",
    "read_settings",
    "severity_of",
]
