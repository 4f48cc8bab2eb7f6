"""Who a commit is by: from the call, the environment, or git's configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.git.configuration import Settings
from promptstore.git.reading import Repository, translated

Role: TypeAlias = Literal["author", "committer"]

_PERSON: Final = re.compile(r"\s*([^<>\n\0]*[^<>\n\0\s])\s*<\s*([^<>\n\0\s]+)\s*>\s*")


class Signature(NamedTuple):
    """A person as git knows one.

    Attributes:
        name: The name.
        email: The address.
    """

    name: str
    email: str


def parse_signature(text: str) -> Signature:
    """Read a person from ``Name <email>``.

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


def find_signature(repository: Repository, role: Role) -> Signature | None:
    """Find who commits here, as ``git commit`` does (git-commit-tree(1), "Commit Information").

    Args:
        repository: The repository.
        role: Whether it is about the author or the committer.

    Returns:
        The person, or None where neither the environment nor the configuration tells.
    """
    with translated(repository.git_dir):
        known = repository.configuration.ask(_people)
    name = _find_fact(known, role, "name")
    email = _find_fact(known, role, "email") or os.environ.get("EMAIL")
    return parse_signature(f"{name} <{email}>") if name and email else None


def _people(config: Settings) -> dict[str, str]:
    keys = [f"{who}.{fact}" for who in ("user", *get_args(Role)) for fact in ("name", "email")]
    found = ((key, config[key]) for key in keys if key in config)
    # A key that stands there without a value says nothing.
    return {key: value for key, value in found if value}


def _find_fact(known: Mapping[str, str], role: Role, fact: str) -> str | None:
    named = os.environ.get(f"GIT_{role.upper()}_{fact.upper()}")
    return named or known.get(f"{role}.{fact}") or known.get(f"user.{fact}")


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
        InvalidArgumentError: One is not written like that.
        RepositoryError: Nobody is known.
    """
    by = parse_signature(author) if author else find_signature(repository, "author")
    through = parse_signature(committer) if committer else find_signature(repository, "committer")
    by = by or through
    if by is None:
        raise RepositoryError(
            path=str(repository.git_dir),
            reason="git does not know who you are. Run `git config user.name NAME` and "
            "`git config user.email ADDRESS`, or name an author.",
        )
    return by, through or by
