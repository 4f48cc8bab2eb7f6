"""The versions of a prompt, and who made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a prompt.

    Attributes:
        name: The prompt's name then.
        number: Its number, from 1.
        commit: The commit that made it.
        author: The commit's author, as ``name <email>``.
        committed_at: When it was committed.
        message: The commit's whole message.
        blob: The id of the file's content, or None where the commit removed the file.
        deleted: Whether the prompt is tombstoned in this version, or its file was removed.
        labels: The labels that point at it, sorted.
    """

    name: str
    number: int
    commit: str
    author: str
    committed_at: datetime
    message: str
    blob: str | None
    deleted: bool
    labels: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The first line of the commit's message."""
        return self.message.strip().split("\n", 1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptInfo:
    """Who made which version of a prompt when.

    Attributes:
        name: The prompt's name.
        version: The number of the version, or None where history is not known.
        commit: The commit that made this version, or None where history is not known.
        created_at: When the first version was committed.
        created_by: The author of the first version, as ``name <email>``.
        updated_at: When this version was committed.
        updated_by: The author of this version, as ``name <email>``.
        labels: The labels that point at this version, sorted.
    """

    name: str
    version: int | None = None
    commit: str | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    labels: tuple[str, ...] = ()
