"""What every command prints with: JSON, tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import typer

from promptstore.model import Prompt

_UNSAFE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def make_output_exact() -> None:
    """Write UTF-8 whatever the locale says, and line ends as they are."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", newline="")


def on_terminal() -> bool:
    """Tell whether a person reads stdout."""
    return sys.stdout.isatty()


def in_colour() -> bool:
    """Tell whether colours are wanted: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return on_terminal() and not os.environ.get("NO_COLOR")


def print_json(value: Any) -> None:
    """Print one JSON value, indented by two, letters as they are."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_exactly(text: str) -> None:
    """Print a text without changing a character; a terminal gets the line end that it lacks."""
    sys.stdout.write(text)
    if on_terminal() and not text.endswith("\n"):
        sys.stdout.write("\n")


def print_lines(text: str) -> None:
    """Print a text for reading; on a terminal, control characters are shown, not obeyed."""
    sys.stdout.write(visible(text) + "\n")


def print_error(text: str) -> None:
    """Print a line on stderr."""
    typer.echo(visible(text), err=True)


def visible(text: str) -> str:
    """Show what could steer a terminal, or turn text around, as an escape; on a terminal only."""
    if not on_terminal():
        return text
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: a table on a terminal, tab-separated lines elsewhere.

    Args:
        heads: The heads of the columns, shown on a terminal only.
        rows: The cells.
    """
    if not on_terminal():
        for row in rows:
            sys.stdout.write("\t".join(_one_line(cell) for cell in row) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(_one_line(cell))) for cell in row))
    Console().print(table)


def print_diff(text: str) -> None:
    """Print a unified diff, coloured on a terminal."""
    for line in text.splitlines():
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        shown = visible(line)
        print_coloured(shown, colour if in_colour() else None)


def print_coloured(text: str, colour: str | None) -> None:
    """Print a line, in a colour or plain."""
    sys.stdout.write((typer.style(text, fg=colour) if colour else text) + "\n")


def when(time: datetime | None) -> str:
    """Write a time as ISO 8601, or nothing."""
    return time.isoformat() if time else ""


def identity(prompt: Prompt) -> dict[str, Any]:
    """Say which prompt this is, as JSON; the keys are stable."""
    return {
        "name": prompt.name,
        "version": prompt.version,
        "commit": prompt.commit,
        "snapshot_commit": prompt.snapshot_commit,
        "blob": prompt.blob,
        "digest": prompt.digest,
        "kind": "chat" if prompt.is_chat else "text",
        "labels": list(prompt.labels),
        "deleted": prompt.deleted,
        "created_at": when(prompt.created_at) or None,
        "created_by": prompt.created_by,
        "updated_at": when(prompt.updated_at) or None,
        "updated_by": prompt.updated_by,
    }


def version_text(version: int | None) -> str:
    """Write a version's number, or a dash where it is not known."""
    return "-" if version is None else str(version)


def _one_line(text: str) -> str:
    return " ".join(text.split())
