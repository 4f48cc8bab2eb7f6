"""What a prompt's name may be, and which known names look like a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from promptstore.errors import InvalidNameError

MAX_LENGTH = 255
SUFFIX = ".yaml"

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
NAME_PATTERN = rf"{_SEGMENT}(?:/{_SEGMENT})*"
"""What a name matches, as a regular expression."""

_NAME = re.compile(NAME_PATTERN)


def check_name(name: str) -> str:
    """Return the name unchanged when it can be a prompt's name.

    Args:
        name: For example ``support/triage``.

    Returns:
        The same name.

    Raises:
        InvalidNameError: It is empty, too long, leaves the root, or holds another character.
    """
    if not isinstance(name, str):
        raise InvalidNameError(name=str(name), reason=f"it is a {type(name).__name__}, not a text")
    if _NAME.fullmatch(name) and len(name) <= MAX_LENGTH:
        return name
    raise InvalidNameError(name=name, reason=_reason(name))


def is_name(text: object) -> bool:
    """Whether a value can be a prompt's name."""
    return isinstance(text, str) and len(text) <= MAX_LENGTH and _NAME.fullmatch(text) is not None


def near_matches(wrong: str, known: Iterable[str]) -> list[str]:
    """Find up to three known names that a person may have meant.

    Args:
        wrong: The name that is not known.
        known: The names that there are.

    Returns:
        The nearest first; empty when none is near.
    """
    from difflib import get_close_matches  # only errors need it

    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    # A person may have given the path of the file.
    folded = wrong.casefold().removesuffix(SUFFIX)
    meant = [key for key in by_folded if f"/{folded}".endswith(f"/{key}")]
    close = get_close_matches(folded, by_folded, n=3, cutoff=0.7)
    last = folded.rpartition("/")[2]
    same_leaf = [key for key in by_folded if last and key.rpartition("/")[2] == last]
    ordered = dict.fromkeys([*meant, *close, *sorted(same_leaf)])
    return [by_folded[key] for key in ordered][:3]


def _reason(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > MAX_LENGTH:
        return f"it has {len(name)} characters, {MAX_LENGTH} are allowed"
    if name.startswith("/") or name.endswith("/") or "//" in name:
        return "it has an empty segment"
    for segment in name.split("/"):
        if segment.startswith((".", "-")):
            return f"the segment {segment!r} starts with {segment[0]!r}"
    odd = next((c for c in name if not re.fullmatch(r"[A-Za-z0-9_./-]", c)), "")
    return f"it holds {odd!r}"
