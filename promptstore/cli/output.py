"""What every command prints with: JSON, tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from promptstore.lint.unseen import escaped, show_unseen

if TYPE_CHECKING:
    from rich.progress import Progress

    from promptstore.model.prompt import Prompt
    from promptstore.model.versions import PromptInfo

# What a runner of GitHub Actions obeys; it also ends a line at a carriage return.
_COMMAND: Final = re.compile(r"(?:^|[\r\n])[^\S\r\n]*:(?=:)|#(?=#\[)")
_COLOURS: Final = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_PLAIN: Final = "\x1b[0m"


def make_output_exact() -> None:
    """Write UTF-8 whatever the locale says, and line ends as they are."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", newline="")


def on_terminal() -> bool:
    """Return whether a person reads stdout."""
    return sys.stdout.isatty()


def in_colour() -> bool:
    """Return whether colours are wanted: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return on_terminal() and not os.environ.get("NO_COLOR")


def print_json(value: Any) -> None:
    """Print one JSON value, indented by two; what is not seen, or obeyed, as JSON's escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=datetime.isoformat)
    text = show_unseen(text, lambda character: json.dumps(character)[1:-1])
    # A runner of GitHub Actions obeys `##[…]` wherever it stands in a line of its log.
    sys.stdout.write(text.replace("##[", "\\u0023#[") + "\n")


def print_exactly(text: str) -> None:
    """Print a string without changing a character; a terminal gets it as `print_lines` does."""
    if on_terminal():
        print_lines(text.removesuffix("\n"))
    else:
        _write(text)


def print_file(data: bytes) -> None:
    """Print a file to the byte; a terminal gets its text with control characters shown."""
    text = data.decode(errors="backslashreplace")
    if on_terminal() or _is_obeyed(text):
        print_exactly(text)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def print_lines(text: str) -> None:
    """Print a string for reading; on a terminal, what is not seen is shown as an escape."""
    _write(visible(text, sys.stdout) + "\n")


def print_command(text: str) -> None:
    """Print a line that a runner of GitHub Actions is to obey, such as an annotation."""
    sys.stdout.write(text + "\n")


def print_error(text: str) -> None:
    """Print a line on stderr; neither a terminal nor a runner obeys what stands in it."""
    shown = visible(text, sys.stderr)
    if _is_run_by_actions():
        shown = _COMMAND.sub(_escape_last, shown)
    sys.stderr.write(shown + "\n")


def visible(text: str, stream: TextIO) -> str:
    """Return a string as it may be written: for a terminal, what is not seen as escapes.

    Args:
        text: What is to be written.
        stream: Where to. What is no terminal gets the text unchanged.
    """
    return show_unseen(text) if stream.isatty() else text


def _write(text: str) -> None:
    """Write to stdout; a runner of GitHub Actions is told to obey nothing of it if it would."""
    if not _is_obeyed(text):
        sys.stdout.write(text)
        return
    token = secrets.token_hex(16)
    end = "" if text.endswith("\n") else "\n"
    sys.stdout.write(f"::stop-commands::{token}\n{text}{end}::{token}::\n")


def _is_obeyed(text: str) -> bool:
    """Return whether a runner reads stdout and would obey a part of what is printed."""
    return _is_run_by_actions() and _COMMAND.search(text) is not None and not _goes_to_a_file()


def _is_run_by_actions() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _goes_to_a_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except OSError:  # No file at all, such as a buffer in memory.
        return False


def _escape_last(match: re.Match[str]) -> str:
    return match[0][:-1] + escaped(match[0][-1])


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: a table on a terminal, tab-separated lines elsewhere.

    Args:
        heads: The heads of the columns, shown on a terminal only.
        rows: The cells.
    """
    if not on_terminal():
        _write("".join("\t".join(map(_one_line, row)) + "\n" for row in rows))
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


def print_listing(
    rows: Sequence[Mapping[str, Any]],
    heads: Sequence[str],
    cells: Sequence[Sequence[str]],
    *,
    as_json: bool,
) -> None:
    """Print rows as JSON, or their cells as a table."""
    if as_json:
        print_json(rows)
    else:
        print_table(heads, cells)


def progress_bar() -> Progress:
    """Return a progress bar on stderr, which goes away at its end."""
    from rich.console import Console
    from rich.progress import Progress

    # Rich prints above the bar what goes to stdout meanwhile, also what belongs into a file.
    on_stderr = Console(stderr=True)
    return Progress(console=on_stderr, transient=True, redirect_stdout=sys.stdout.isatty())


def print_diff(text: str) -> None:
    """Print a unified diff, coloured on a terminal."""
    if not in_colour():
        print_lines(text)
        return
    for line in text.split("\n"):
        shown, colour = show_unseen(line), _COLOURS.get(line[:1])
        sys.stdout.write((f"{colour}{shown}{_PLAIN}" if colour else shown) + "\n")


def when(time: datetime | None) -> str:
    """Return a time as ISO 8601, or nothing."""
    return time.isoformat() if time else ""


def short_time(time: datetime | None) -> str:
    """Return a time for a table: local and to the minute on a terminal, ISO 8601 elsewhere."""
    if time is None or not on_terminal():
        return when(time)
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def identity(prompt: Prompt, info: PromptInfo) -> dict[str, Any]:
    """Return which prompt this is, as JSON; what is not known is null.

    The keys are stable: `name`, `version`, `commit`, `snapshot_commit`, `blob`, `digest`, `kind`
    (``text`` or ``chat``), `labels`, `deleted`, and `created_at`, `created_by`, `updated_at`,
    `updated_by` (times as ISO 8601 with a zone, people as ``name <email>``).
    """
    own = ("name", "version", "commit", "snapshot_commit", "blob", "digest")
    known = ("created_at", "created_by", "updated_at", "updated_by")
    return {
        **{key: getattr(prompt, key) for key in own},
        "kind": "chat" if prompt.is_chat else "text",
        "labels": info.labels,
        "deleted": prompt.deleted,
        **{key: getattr(info, key) for key in known},
    }


def counted(count: int, what: str) -> str:
    """Return a number of things, such as ``1 prompt`` or ``2 prompts``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def version_text(version: int | None) -> str:
    """Return a version's number, or a dash where it is not known."""
    return "-" if version is None else str(version)


def _one_line(text: str) -> str:
    return " ".join(text.split())
