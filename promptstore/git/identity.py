"""Who makes a commit, when, and what it says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
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


class Signature(NamedTuple):
    """A person as git knows one.

    Attributes:
        name: The name.
        email: The address.
        time: When the person did it, in seconds since 1970; None is now.
        offset: The time zone of that, in minutes east of UTC.
    """

    name: str
    email: str
    time: int | None = None
    offset: int = 0

    def at(self, time: datetime) -> Signature:
        """Return the same person doing it at a time; one without a zone is local."""
        time = time if time.tzinfo else time.astimezone()
        offset = int((time.utcoffset() or timedelta()).total_seconds() // 60)
        return self._replace(time=int(time.timestamp()), offset=offset)

    def to_git(self) -> pygit2.Signature:
        """Return it as libgit2 takes it."""
        if self.time is None:
            return pygit2.Signature(self.name, self.email)
        return pygit2.Signature(self.name, self.email, self.time, self.offset)


@dataclass(frozen=True, slots=True)
class CommitNote:
    """What a commit says beside its files.

    Attributes:
        author: Who wrote the change.
        committer: Who committed it.
        message: The whole message.
    """

    author: Signature
    committer: Signature
    message: str


def parse_signature(text: str) -> Signature:
    """Parse a person from ``Name <email>``.

    Raises:
        InvalidArgumentError: It is not written like that.
    """
    found = _PERSON.fullmatch(text)
    if found is None:
        raise InvalidArgumentError(
            message=f"a person is written as 'Name <email>', for example "
            f"'Ada Lovelace <ada@example.com>', not {text!r}"
        )
    return Signature(found[1], found[2])


def choose_signatures(
    repository: Repository, author: str | None, committer: str | None
) -> tuple[Signature, Signature]:
    """Choose the author and the committer of a commit.

    Args:
        repository: The repository.
        author: ``Name <email>``, or None for what git knows.
        committer: The same; None where git knows nobody means the author.

    Returns:
        The author and the committer.

    Raises:
        InvalidArgumentError: A person or a date is not written as git writes it.
        RepositoryError: Nobody is known.
    """
    by = _find_signature(repository, "author", author)
    through = _find_signature(repository, "committer", committer)
    by = by or through
    if by is None:
        raise RepositoryError(
            path=str(repository.git_dir),
            reason="git does not know who you are. Run `git config user.name NAME` and "
            "`git config user.email ADDRESS`, or name an author.",
        )
    return by, through or by


def _find_signature(repository: Repository, role: Role, given: str | None) -> Signature | None:
    """Find who commits, as ``git commit`` does (git-commit-tree(1), "Commit Information")."""
    if given:
        return _dated(parse_signature(given), role)
    with translated(repository.git_dir):
        config = repository.handle.config
        name = _find_fact(config, role, "name")
        email = _find_fact(config, role, "email") or os.environ.get("EMAIL")
    return _dated(parse_signature(f"{name} <{email}>"), role) if name and email else None


def _find_fact(config: pygit2.Config, role: Role, fact: str) -> str | None:
    named = os.environ.get(f"GIT_{role.upper()}_{fact.upper()}")
    if named:
        return named
    keys = (f"{role}.{fact}", f"user.{fact}")
    # A key that stands there without a value says nothing.
    return next((value for key in keys if key in config and (value := config[key])), None)


def _dated(person: Signature, role: Role) -> Signature:
    """Add the date that the environment tells, in one of the formats of git-commit(1)."""
    variable = f"GIT_{role.upper()}_DATE"
    text = os.environ.get(variable, "").strip()
    if not text:
        return person
    raw = _RAW_DATE.fullmatch(text)
    if raw:
        minutes = int(raw[3]) * 60 + int(raw[4])
        return person._replace(time=int(raw[1]), offset=-minutes if raw[2] == "-" else minutes)
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            return person.at(parse(text))
    raise InvalidArgumentError(
        message=f"the environment variable {variable} holds no date: {text!r}; write it as "
        "2026-01-31T12:00:00+01:00 or as seconds and zone, 1769857200 +0100"
    )


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
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidArgumentError(message="a commit message is text in UTF-8 without NUL")
