"""``promptstore explain``: what a code of ``promptstore check`` means."""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.output import print_exactly, print_table
from promptstore.lint.registry import RULES, all_pages
from promptstore.lint.registry import explain as page_of


def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="A code such as PS203; all in a table when left out.", metavar="CODE"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every page, as Markdown.")
    ] = False,
) -> None:
    """Explain what a code of `promptstore check` means and what to do."""
    if everything:
        print_exactly(all_pages())
        return
    if code is not None:
        print_exactly(page_of(code))
        return
    rows = [
        [rule.code, rule.severity if rule.is_on else "off", rule.title] for rule in RULES.values()
    ]
    print_table(["code", "severity", "what is wrong"], rows)
