"""What every command prints with: JSON, tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TextIO

from promptstore.cli.forge import disarmed
from promptstore.model.prompt import Prompt
from promptstore.model.versions import PromptInfo

_UNSAFE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
_COLOURS: Final = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_PLAIN: Final = "\x1b[0m"


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
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # A runner of GitHub Actions obeys `##[…]` wherever it stands in a line of its log.
    sys.stdout.write(text.replace("##[", "\\u0023#[") + "\n")


def print_exactly(text: str) -> None:
    """Print a text without changing a character; a terminal gets the line end that it lacks."""
    sys.stdout.write(text)
    if on_terminal() and not text.endswith("\n"):
        sys.stdout.write("\n")


def print_file(data: bytes) -> None:
    """Print a file to the byte; a terminal gets its text with control characters shown."""
    if on_terminal():
        print_exactly(visible(data.decode(errors="backslashreplace"), sys.stdout))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def print_lines(text: str) -> None:
    """Print a text for reading; on a terminal, control characters are shown, not obeyed."""
    sys.stdout.write(visible(text, sys.stdout) + "\n")


def print_error(text: str) -> None:
    """Print a line on stderr; neither a terminal nor a runner obeys what stands in it."""
    sys.stderr.write(disarmed(visible(text, sys.stderr)) + "\n")


def visible(text: str, stream: TextIO) -> str:
    """Show what could steer a terminal, or turn text around, as an escape.

    Args:
        text: What is to be written.
        stream: Where to. What is no terminal gets the text unchanged.

    Returns:
        The text to write.
    """
    return _UNSAFE.sub(_escape, text) if stream.isatty() else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


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
        table.add_row(*(Text(visible(_one_line(cell), sys.stdout)) for cell in row))
    Console().print(table)


def print_diff(text: str) -> None:
    """Print a unified diff, coloured on a terminal."""
    for line in text.split("\n"):
        shown = visible(line, sys.stdout)
        colour = _COLOURS.get(line[:1]) if in_colour() else None
        sys.stdout.write((f"{colour}{shown}{_PLAIN}" if colour else shown) + "\n")


def when(time: datetime | None) -> str:
    """Write a time as ISO 8601, or nothing."""
    return time.isoformat() if time else ""


def identity(prompt: Prompt, info: PromptInfo) -> dict[str, Any]:
    """Say which prompt this is, as JSON; what is not known is null.

    The keys are stable: `name`, `version`, `commit`, `snapshot_commit`, `blob`, `digest`, `kind`
    (``text`` or ``chat``), `labels`, `deleted`, and `created_at`, `created_by`, `updated_at`,
    `updated_by` (times as ISO 8601 with a zone, people as ``name <email>``).
    """
    return {
        "name": prompt.name,
        "version": prompt.version,
        "commit": prompt.commit,
        "snapshot_commit": prompt.snapshot_commit,
        "blob": prompt.blob,
        "digest": prompt.digest,
        "kind": "chat" if prompt.is_chat else "text",
        "labels": list(info.labels),
        "deleted": prompt.deleted,
        "created_at": when(info.created_at) or None,
        "created_by": info.created_by,
        "updated_at": when(info.updated_at) or None,
        "updated_by": info.updated_by,
    }


def version_text(version: int | None) -> str:
    """Write a version's number, or a dash where it is not known."""
    return "-" if version is None else str(version)


def _one_line(text: str) -> str:
    return " ".join(text.split())
