"""Text that stays text wherever a forge shows it."""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile(r"[!-/:-@\[-`{-~]")
_SPECIAL_IN_BLOCK: Final = re.compile("[&<>@#:!`]")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e0fff]"
)


_MOST: Final = 300
"""How many characters of a text are shown inline."""


def code(text: str) -> str:
    """Write a text as inline code that holds on one line of Markdown, in a table too.

    It is HTML rather than backticks, since no number of backticks survives a cell, and forges
    make no mention or link of what stands in it.
    """
    text = text if len(text) <= _MOST else f"{text[:_MOST]}…"
    return f"<code>{_escaped(shown(text).replace(chr(10), '⏎'))}</code>"


def plain(text: str) -> str:
    """Write a text for the inside of ``<pre>``, where it keeps its lines.

    Markdown means nothing there; what is escaped is HTML, and what a forge or a runner might find
    in any text: mentions, references and commands.
    """
    return _escaped(shown(text), _SPECIAL_IN_BLOCK)


def shown(text: str) -> str:
    """Show what nobody would see, or what turns text around, as an escape."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def command_value(text: str) -> str:
    """Write a text as the message of a workflow command of GitHub Actions."""
    shown_text = shown(text.replace("\r", "\n"))
    return shown_text.replace("%", "%25").replace("\n", "%0A")


def command_property(text: str) -> str:
    """Write a text as the property of a workflow command of GitHub Actions."""
    return command_value(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str, special: re.Pattern[str] = _SPECIAL) -> str:
    return special.sub(lambda match: f"&#{ord(match[0])};", text)
