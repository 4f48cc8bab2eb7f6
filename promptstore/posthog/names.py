"""How a name in git is written in PostHog's API, which knows neither ``/`` nor ``.``.

``support/triage`` is ``support__triage``. A name that would not come back from that form, such as
``v1.2`` or ``a__b``, is escaped: a ``-``, which no name in git starts with, and then ``__`` for
``/``, ``_d`` for ``.`` and ``_u`` for ``_``, so ``-v1_d2`` and ``-a_u_ub``.
"""

from __future__ import annotations

import re
from typing import Final

from promptstore.errors import InvalidNameError
from promptstore.model.values import check_name, is_name

API_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What the API takes as a name."""

MAX_NAME_LENGTH: Final = 255
"""How long a name may be in the API, in characters."""

RESERVED_NAME: Final = "new"
"""The name that the API keeps for itself, in any letter case."""

_ESCAPES: Final = {"/": "__", ".": "_d", "_": "_u"}
_ESCAPED: Final = {escape: character for character, escape in _ESCAPES.items()}


def encode_name(name: str) -> str:
    """Return the API's form of a name in git.

    Args:
        name: The name in git. A long one may give more characters than `MAX_NAME_LENGTH`.

    Returns:
        The form that `decode_name` turns back into the name.
    """
    plain = name.replace("/", "__")
    is_safe = API_NAME.fullmatch(plain) and plain.lower() != RESERVED_NAME
    return plain if is_safe and _decode_plain(plain) == name else _escape(name)


def decode_name(text: str) -> str:
    """Return the name in git that a form of the API stands for.

    Args:
        text: A name as the API writes it. ``__`` stands for ``/`` wherever that gives a name in
            git, so ``a__b`` is ``a/b`` and ``__a`` is itself.

    Returns:
        The name in git.

    Raises:
        InvalidNameError: It stands for no name.
    """
    if not API_NAME.fullmatch(text):
        raise InvalidNameError(name=text, reason="the API's names are letters, digits, '-' and '_'")
    if not text.startswith("-"):
        return check_name(_decode_plain(text))
    name = re.sub("_.", lambda found: _ESCAPED.get(found[0], found[0]), text[1:])
    if not is_name(name) or encode_name(name) != text:
        raise InvalidNameError(
            name=text, reason="it starts with '-' and is not the escaped form of a name"
        )
    return name


def _decode_plain(text: str) -> str:
    nested = text.replace("__", "/")
    return nested if is_name(nested) else text


def _escape(name: str) -> str:
    return "-" + re.sub("[/._]", lambda found: _ESCAPES[found[0]], name)
