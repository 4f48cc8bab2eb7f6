"""Printing where a forge reads along: nothing that is printed may become a command to it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def guarded() -> Iterator[None]:
    """Tell a runner of GitHub Actions to obey nothing that is printed inside.

    A text that holds a line such as ``::set-output …`` is then only a text. Elsewhere nothing is
    printed.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = secrets.token_hex(16)
    sys.stdout.write(f"::stop-commands::{token}\n")
    try:
        yield
    finally:
        sys.stdout.write(f"::{token}::\n")
