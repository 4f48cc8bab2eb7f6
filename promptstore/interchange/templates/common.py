"""What the translations share: the error, and literal text in a template of Jinja2."""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = re.compile(r"\{[{%#]|\{$")


class UntranslatableError(ValueError):
    """A template that cannot be written in a language here and render the same.

    Never leaves this room: a reader turns it into a loss or a refusal.
    """


def literal(text: str) -> str:
    """Return literal text as a template of Jinja2: whatever would begin a tag as a string."""
    return _MARK.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)
