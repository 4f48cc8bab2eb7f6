"""Filling a prompt with values."""

from __future__ import annotations

from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from promptstore import Prompt, Variable
from tests.benchmarks import rivals
from tests.benchmarks.harness import OURS, Goal, Report
from tests.benchmarks.places import Places

LOGIC = """\
You help customers of {{ product }}.
{% include "tone" %}
{% if tier == "enterprise" %}
Offer a call with the account manager.
{% else %}
Point at the help pages.
{% endif %}
{% for item in items %}
- {{ item.title }}: {{ item.text }}
{% endfor %}
Ticket: {{ ticket }}
"""
TONE = "Answer in {{ language }}, in at most {{ count }} sentences.\n"
ITEMS = [{"title": f"Title {number}", "text": "Some text of a line."} for number in range(10)]


def run(report: Report, _places: Places) -> None:
    """Measure renders, checks of the values included."""
    _substitution(report)
    _logic(report)


def _substitution(report: Report) -> None:
    ready = rivals.installed()
    text = rivals.written_for("{{ NAME }}")
    declared = {name: Variable(type="string") for name in rivals.VALUES}
    prompt = Prompt(prompt=text, variables=declared, name="reply")
    values: dict[str, Any] = dict(rivals.VALUES)
    template = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    ).from_string(text)
    assert prompt.render(**values).text == template.render(**values)
    report.compare(
        "render, substitutions only, checks included",
        {
            OURS: lambda: prompt.render(**values),
            **{name: rival.render for name, rival in ready.items()},
            "compiled Jinja2": lambda: template.render(**values),
        },
        goals=[Goal("posthog", 2), Goal("mlflow", 1)],
        missing=rivals.missing(ready),
    )


def _logic(report: Report) -> None:
    names = ("product", "tier", "ticket", "language", "count", "items")
    prompt = Prompt(
        prompt=LOGIC,
        variables={name: Variable() for name in names},
        includes={"tone": Prompt(prompt=TONE)},
    )
    values = {**rivals.VALUES, "language": "French", "items": ITEMS}
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.DictLoader({"tone": TONE}),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.from_string(LOGIC)
    assert prompt.render(**values).text == template.render(**values)
    report.compare(
        "render, with a condition, a loop and an include",
        {
            OURS: lambda: prompt.render(**values),
            "compiled Jinja2 in its sandbox": lambda: template.render(**values),
        },
        goals=[Goal("compiled Jinja2 in its sandbox", 1.1)],
    )
