"""How a name in git is spelled in the API, which knows no ``/`` and no ``.``.

A name of letters, digits, ``_`` and ``-`` is spelled as it is. Any other one starts with ``-``,
which no name in git does, and then writes ``/`` as ``__``, ``.`` as ``_d`` and ``_`` as ``_u``:
``support/triage`` is ``-support__triage``, ``v1.2`` is ``-v1_d2``.
"""

from __future__ import annotations

import re
from typing import Final

from promptstore.model.names import is_name

_ESCAPED: Final = {"/": "__", ".": "_d", "_": "_u"}
_PLAIN: Final = {escaped: letter for letter, escaped in _ESCAPED.items()}
_HELD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def spell(name: str) -> str:
    """Give the API's spelling of a name in git."""
    if _HELD.fullmatch(name):
        return name
    return "-" + re.sub(r"[/._]", lambda found: _ESCAPED[found[0]], name)


def unspell(text: str) -> str:
    """Give the name in git that a spelling stands for.

    Args:
        text: A name as the API spells it; the spelling of git (``support/triage``) is taken too.

    Returns:
        The name in git. What is no spelling of any name is given back: it is no name in git.
    """
    if not text.startswith("-"):
        return text
    name = re.sub(r"_.", lambda found: _PLAIN.get(found[0], found[0]), text[1:])
    return name if is_name(name) and spell(name) == text else text
