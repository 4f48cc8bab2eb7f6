"""Who makes a commit, when, and what it says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import pygit2

from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.git.reading import Repository, translated

Role: TypeAlias = Literal["author", "committer"]

_PERSON: Final = re.compile(r"\s*([^<>\n\0]*[^<>\n\0\s])\s*<\s*([^<>\n\0\s]+)\s*>\s*")
_RAW_DATE: Final = re.compile(r"@?(\d{1,11}) ([+-])(0\d|1[0-4])([0-5]\d)")
_TRAILER_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_TRAILER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: .*")


class CommitNote(NamedTuple):
    """What a commit says beside its files.

    Attributes:
        author: Who wrote the change, and when.
        committer: Who committed it, and when.
        message: The whole message.
    """

    author: pygit2.Signature
    committer: pygit2.Signature
    message: str


_LEFT_OUT: Final = str.maketrans("", "", "<>\n")
"""What git leaves out of a configured name, as a commit could not tell it from its own marks."""


def parse_signature(text: str, time: datetime | None = None) -> pygit2.Signature:
    """Parse a person from ``Name <email>``.

    Args:
        text: The person.
        time: When the person did it; None is now.

    Raises:
        InvalidArgumentError: It is not written like that.
    """
    found = _PERSON.fullmatch(text)
    try:
        if found is not None:
            when = () if time is None else (int(time.timestamp()), _minutes_east(time))
            return pygit2.Signature(found[1], found[2], *when)
    except (ValueError, pygit2.GitError):
        pass  # libgit2 takes no name of punctuation alone
    raise InvalidArgumentError(
        message="a person is written as 'Name <email>', for example "
        f"'Ada Lovelace <ada@example.com>', not {text!r}"
    )


def choose_signatures(
    repository: Repository,
    author: str | None = None,
    committer: str | None = None,
    authored_at: datetime | None = None,
) -> tuple[pygit2.Signature, pygit2.Signature]:
    """Choose the author and the committer of a commit.

    Args:
        repository: The repository.
        author: ``Name <email>``, or None for what git knows.
        committer: The same; None where git knows nobody means the author.
        authored_at: When the author wrote it, or None for what git knows, else now.

    Returns:
        The author and the committer.

    Raises:
        InvalidArgumentError: A person or a date is not written as git writes it.
        RepositoryError: Nobody is known.
    """
    by = author or _find_person(repository, "author")
    through = committer or _find_person(repository, "committer")
    wrote = authored_at or _find_date("author" if by else "committer")
    by = by or through
    if by is None:
        raise RepositoryError(
            path=str(repository.git_dir),
            reason="git does not know who you are. Run `git config user.name NAME` and "
            "`git config user.email ADDRESS`, or name an author.",
        )
    date = _find_date("committer" if through else "author")
    return parse_signature(by, wrote), parse_signature(through or by, date)


def _find_person(repository: Repository, role: Role) -> str | None:
    """Find who commits, as ``git commit`` does (git-commit-tree(1), "Commit Information")."""
    with translated(repository.git_dir):
        config = repository.handle.config
        name = _find_fact(config, role, "name")
        email = _find_fact(config, role, "email") or os.environ.get("EMAIL")
    if not name or not email:
        return None
    return f"{name.translate(_LEFT_OUT)} <{email.translate(_LEFT_OUT)}>"


def _find_fact(config: pygit2.Config, role: Role, fact: str) -> str | None:
    named = os.environ.get(f"GIT_{role.upper()}_{fact.upper()}")
    if named:
        return named
    keys = (f"{role}.{fact}", f"user.{fact}")
    # A key that stands there without a value says nothing.
    return next((value for key in keys if key in config and (value := config[key])), None)


def _find_date(role: Role) -> datetime | None:
    """Return the date that the environment tells, in one of the formats of git-commit(1)."""
    variable = f"GIT_{role.upper()}_DATE"
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    raw = _RAW_DATE.fullmatch(text)
    if raw:
        offset = timedelta(hours=int(raw[3]), minutes=int(raw[4]))
        zone = timezone(-offset if raw[2] == "-" else offset)
        with suppress(OverflowError, ValueError, OSError):
            return datetime.fromtimestamp(int(raw[1]), zone)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            return parse(text)
    raise InvalidArgumentError(
        message=f"the environment variable {variable} holds no date: {text!r}; write it as "
        "2026-01-31T12:00:00+01:00 or as seconds and zone, 1769857200 +0100"
    )


def _minutes_east(time: datetime) -> int:
    """Return the time zone of a time, in minutes; one without a zone is local."""
    offset = (time if time.tzinfo else time.astimezone()).utcoffset()
    return int((offset or timedelta()).total_seconds() // 60)


def compose_message(text: str, trailers: Mapping[str, str]) -> str:
    """Compose the whole message of a commit, cleaned as git does.

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
    if not _TRAILER_KEY.fullmatch(key):
        raise InvalidArgumentError(
            message=f"{key!r} cannot be the key of a trailer: it is letters, digits and '-'"
        )
    if not value.strip() or len(value.splitlines()) > 1:
        raise InvalidArgumentError(message=f"the trailer {key!r} needs a value of one line")
    return f"{key}: {value.strip()}"


def _ends_with_trailers(lines: list[str]) -> bool:
    """Return whether the last paragraph, which is not the first, holds trailers only."""
    if "" not in lines:
        return False
    last = lines[len(lines) - lines[::-1].index("") :]
    return all(_TRAILER.fullmatch(line) for line in last)


def _refuse_unwritable(text: str) -> None:
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise InvalidArgumentError(message="a commit message is text in UTF-8 without NUL")
