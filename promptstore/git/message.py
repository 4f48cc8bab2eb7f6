"""Commit messages: cleaned as git does, with trailers at their end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from promptstore.errors import InvalidArgumentError

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_TRAILER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: .*")


def compose_message(text: str, trailers: Mapping[str, str]) -> str:
    """Make the whole message of a commit.

    Args:
        text: What a person says about it.
        trailers: Facts for programs, such as ``{"Reviewed-by": "Ada <ada@example.com>"}``
            (git-interpret-trailers(1)).

    Returns:
        The message, with one line end at its end.

    Raises:
        InvalidArgumentError: The text is empty, or a trailer is not one line.
    """
    _refuse_unwritable(text)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    if not lines:
        raise InvalidArgumentError(message="a commit needs a message; this one is empty")
    added = [_trailer(key, value) for key, value in trailers.items()]
    if added and not _ends_with_trailers(lines):
        lines.append("")
    return "\n".join([*lines, *added]) + "\n"


def _trailer(key: str, value: str) -> str:
    _refuse_unwritable(value)
    if not _KEY.fullmatch(key):
        raise InvalidArgumentError(
            message=f"{key!r} cannot be the key of a trailer: it is letters, digits and '-'"
        )
    if not value.strip() or len(value.splitlines()) > 1:
        raise InvalidArgumentError(message=f"the trailer {key!r} needs a value of one line")
    return f"{key}: {value.strip()}"


def _ends_with_trailers(lines: list[str]) -> bool:
    """Tell whether the last paragraph, which is not the first, holds trailers only."""
    if "" not in lines:
        return False
    last = lines[len(lines) - lines[::-1].index("") :]
    return all(_TRAILER.fullmatch(line) for line in last)


def _refuse_unwritable(text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidArgumentError(message="a commit message is text in UTF-8 without NUL")
