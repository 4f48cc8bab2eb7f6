"""Printing what changed between two prompts."""

from __future__ import annotations

from promptstore.cli.output import print_diff, print_lines
from promptstore.compare.diff import PromptDiff


def print_prompt_diff(found: PromptDiff, nothing: str = "nothing changed") -> None:
    """Print what changed: a sentence for each change, then each text line by line.

    Args:
        found: What changed.
        nothing: What is printed where nothing did; empty for nothing.
    """
    for change in found.changes:
        print_lines(f"  {change}")
    for text in found.texts:
        print_lines(f"\n{text.title}:")
        print_diff(text.diff)
    if found.is_empty and nothing:
        print_lines(f"  {nothing}")
