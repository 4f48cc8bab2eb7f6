"""Text that stays text wherever a forge shows it."""

from __future__ import annotations

import re
from typing import Final

from promptstore.lint.unseen import show_unseen

_SPECIAL: Final = re.compile(r"[!-/:-@\[-`{-~]")
# GitLab takes a line that begins with a slash for one of its commands, such as /approve.
_SPECIAL_IN_BLOCK: Final = re.compile("[&<>@#:!`/]")
_MOST: Final = 300
"""How many characters of a text are shown inline."""


def code(text: str) -> str:
    """Return a text as inline code that holds on one line of Markdown, in a table too.

    It is HTML rather than backticks, since no number of backticks survives a cell, and forges
    make no mention or link of what stands in it.
    """
    text = text if len(text) <= _MOST else f"{text[:_MOST]}…"
    return f"<code>{_escaped(show_unseen(text).replace(chr(10), '⏎'))}</code>"


def plain(text: str) -> str:
    """Return a text for the inside of ``<pre>``, where it keeps its lines.

    Markdown means nothing there; what is escaped is HTML, and what a forge or a runner might find
    in any text: mentions, references and commands.
    """
    return _escaped(show_unseen(text), _SPECIAL_IN_BLOCK)


def command_value(text: str) -> str:
    """Return a text as the message of a workflow command of GitHub Actions."""
    shown = show_unseen(text.replace("\r", "\n"))
    return shown.replace("%", "%25").replace("\n", "%0A")


def command_property(text: str) -> str:
    """Return a text as the property of a workflow command of GitHub Actions."""
    return command_value(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str, special: re.Pattern[str] = _SPECIAL) -> str:
    return special.sub(lambda match: f"&#{ord(match[0])};", text)
