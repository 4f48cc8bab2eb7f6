"""Printing where a forge reads along: nothing that is printed may become a command to it."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_COMMAND: Final = re.compile(r"^\s*:(?=:)|#(?=#\[)", re.MULTILINE)


@contextmanager
def guarded() -> Iterator[None]:
    """Tell a runner of GitHub Actions to obey nothing that is printed inside.

    A text that holds a line such as ``::set-output …`` is then only a text. Elsewhere nothing is
    printed.
    """
    if not _is_read_by_a_runner():
        yield
        return
    token = secrets.token_hex(16)
    sys.stdout.write(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        sys.stdout.write(f"::{token}::\n")


def disarmed(text: str) -> str:
    """Show as an escape what a runner of GitHub Actions would obey; elsewhere change nothing."""
    return _COMMAND.sub(_escaped, text) if _is_read_by_a_runner() else text


def _is_read_by_a_runner() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _escaped(match: re.Match[str]) -> str:
    return f"{match[0][:-1]}\\x{ord(match[0][-1]):02x}"
