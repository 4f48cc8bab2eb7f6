"""The answers of the API, typed: JSON in, frozen values out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from promptstore.errors import RemoteAnswerError
from promptstore.model.values import freeze

Dialect: TypeAlias = Literal["seed", "current"]
"""The generation of the API: ``seed`` writes by id and counts no versions, ``current`` does."""


@dataclass(frozen=True, slots=True)
class RemoteUser:
    """A person as the remote knows one.

    Attributes:
        id: The number of the account.
        uuid: Its UUID.
        email: The address.
        first_name: The first name, perhaps empty.
        last_name: The last name, perhaps empty.
        role: The role at the organization, or None.
    """

    id: int | None
    uuid: str
    email: str
    first_name: str = ""
    last_name: str = ""
    role: str | None = None

    @property
    def name(self) -> str:
        """The whole name; the address where there is none."""
        return " ".join(filter(None, (self.first_name, self.last_name))) or self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePrompt:
    """One version of a prompt as the remote holds it.

    Attributes:
        id: The id of this version; in the dialect ``seed`` that of the prompt.
        name: The prompt's name there.
        prompt: Its content: a text, or other JSON; None where only a preview was asked for.
        config: Its config, or None where it has none.
        version: The version's number; always 1 in the dialect ``seed``.
        latest_version: The number of the newest version, or None in the dialect ``seed``.
        version_description: What was said about the version, or None.
        created_by: Who made it, or None where it is not told.
        created_at: When it was made.
        updated_at: When it changed last.
        deleted: Whether it is archived.
        label: The label that it was asked for by, or None.
        labels: The versions by label, over all versions of the prompt where a list tells them.
        dialect: The generation that the answer is of.
    """

    id: str
    name: str
    prompt: Any
    version: int
    config: Mapping[str, Any] | None = None
    latest_version: int | None = None
    version_description: str | None = None
    created_by: RemoteUser | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted: bool = False
    label: str | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    dialect: Dialect = "current"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """One version in a prompt's history, without its content.

    Attributes:
        id: Its id.
        version: Its number.
        version_description: What was said about it, or None.
        created_by: Who made it, or None.
        created_at: When it was made.
        labels: The labels that point at it.
    """

    id: str
    version: int
    version_description: str | None
    created_by: RemoteUser | None
    created_at: datetime | None
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromptHistory:
    """A prompt and a page of its versions, newest first.

    Attributes:
        prompt: The version that was asked for.
        versions: The page.
        has_more: Whether there are older versions.
        labels: The version by label, over all versions.
    """

    prompt: RemotePrompt
    versions: tuple[VersionSummary, ...]
    has_more: bool
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TextRepresentation:
    """An event as readable text.

    Attributes:
        text: The text.
        metadata: What the server says about it, such as ``char_count`` and ``truncated``.
    """

    text: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated text.

    Attributes:
        translation: The text.
        detected_language: The language that it was in, or None where the server does not say.
        provider: Who translated it.
    """

    translation: str
    detected_language: str | None
    provider: str | None


@dataclass(frozen=True, slots=True)
class LogAttribute:
    """A key that log records have.

    Attributes:
        name: The key.
        kind: ``log_attribute`` or ``log_resource_attribute``.
        matched_on: Whether the key or a value fitted the search, or None where not told.
        matched_value: The value that fitted, or None.
    """

    name: str
    kind: str
    matched_on: str | None = None
    matched_value: str | None = None


@dataclass(frozen=True, slots=True)
class LogAttributes:
    """A page of keys.

    Attributes:
        results: The keys, the most frequent first.
        count: How many there are in all.
    """

    results: tuple[LogAttribute, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExplanation:
    """What a model says about one log record.

    Attributes:
        headline: It in a few words.
        severity_assessment: ``ok``, ``warning``, ``error`` or ``critical``.
        impact_summary: Whom it concerns and how.
        probable_causes: Dicts with ``hypothesis``, ``confidence`` and ``reasoning``.
        immediate_actions: Dicts with ``action``, ``priority`` and ``why``.
        technical_explanation: It at length.
        key_fields: Dicts with ``field``, ``value``, ``significance`` and ``attribute_type``.
    """

    headline: str
    severity_assessment: str
    impact_summary: str
    probable_causes: tuple[Mapping[str, Any], ...]
    immediate_actions: tuple[Mapping[str, Any], ...]
    technical_explanation: str
    key_fields: tuple[Mapping[str, Any], ...]


@contextmanager
def reading(request: str, *, wrote: bool = False) -> Iterator[None]:
    """Turn what does not fit into the error that says so.

    Args:
        request: What was asked.
        wrote: Whether the request changed something.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        what = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise RemoteAnswerError(
            request=request,
            status=200,
            detail=f"the answer is not as expected: {what}",
            may_have_written=wrote,
        ) from None


def read_prompt(value: Any) -> RemotePrompt:
    """Read a prompt of either generation."""
    row = _object(value)
    is_current = "latest_version" in row or "is_latest" in row
    return RemotePrompt(
        id=_text(row, "id"),
        name=_text(row, "name"),
        prompt=freeze(row.get("prompt")),
        config=None if row.get("config") is None else freeze(_object(row["config"])),
        version=_integer(row, "version"),
        latest_version=_integer(row, "latest_version") if is_current else None,
        version_description=row.get("version_description"),
        created_by=_user(row.get("created_by")),
        created_at=_time(row.get("created_at")),
        updated_at=_time(row.get("updated_at")),
        deleted=row.get("deleted") is True,
        label=row.get("label"),
        labels=_labels(row),
        dialect="current" if is_current else "seed",
    )


def read_history(value: Any) -> PromptHistory:
    """Read a prompt with a page of its versions."""
    row = _object(value)
    return PromptHistory(
        read_prompt(row["prompt"]),
        _all(_summary, row["versions"]),
        row["has_more"] is True,
        {_text(label, "name"): _integer(label, "version") for label in row["labels"]},
    )


def read_text_representation(value: Any) -> TextRepresentation:
    """Read the answer of ``text_repr``."""
    row = _object(value)
    return TextRepresentation(_text(row, "text"), freeze(_object(row["metadata"])))


def read_translation(value: Any) -> Translation:
    """Read the answer of ``translate``."""
    row = _object(value)
    return Translation(_text(row, "translation"), row.get("detected_language"), row.get("provider"))


def read_log_attributes(value: Any) -> LogAttributes:
    """Read the answer of ``logs/attributes``; the oldest servers give a bare list."""
    row = {"results": value, "count": len(value)} if isinstance(value, list) else _object(value)
    return LogAttributes(_all(_attribute, row["results"]), _integer(row, "count"))


def read_log_explanation(value: Any) -> LogExplanation:
    """Read the answer of ``explainLogWithAI``."""
    row = _object(value)
    return LogExplanation(
        headline=_text(row, "headline"),
        severity_assessment=_text(row, "severity_assessment"),
        impact_summary=_text(row, "impact_summary"),
        probable_causes=_all(_frozen_object, row["probable_causes"]),
        immediate_actions=_all(_frozen_object, row["immediate_actions"]),
        technical_explanation=_text(row, "technical_explanation"),
        key_fields=_all(_frozen_object, row["key_fields"]),
    )


def _summary(value: Any) -> VersionSummary:
    row = _object(value)
    return VersionSummary(
        id=_text(row, "id"),
        version=_integer(row, "version"),
        version_description=row.get("version_description"),
        created_by=_user(row.get("created_by")),
        created_at=_time(row.get("created_at")),
        labels=tuple(row.get("labels") or ()),
    )


def _attribute(value: Any) -> LogAttribute:
    row = _object(value)
    kind = _text(row, "propertyFilterType")
    return LogAttribute(_text(row, "name"), kind, row.get("matchedOn"), row.get("matchedValue"))


def _user(value: Any) -> RemoteUser | None:
    if not isinstance(value, dict):
        return None
    role = value.get("role_at_organization")
    return RemoteUser(
        id=value.get("id"),
        uuid=str(value.get("uuid") or ""),
        email=str(value.get("email") or ""),
        first_name=str(value.get("first_name") or ""),
        last_name=str(value.get("last_name") or ""),
        role=str(role) if role else None,
    )


def _labels(row: Mapping[str, Any]) -> dict[str, int]:
    if row.get("all_labels") is not None:
        return {_text(item, "name"): _integer(item, "version") for item in row["all_labels"]}
    return {str(name): _integer(row, "version") for name in row.get("labels") or ()}


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _all(read: Callable[[Any], Any], values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list):
        raise TypeError("a list was expected")
    return tuple(read(value) for value in values)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not a {type(value).__name__}")
    return value


def _frozen_object(value: Any) -> Mapping[str, Any]:
    frozen: Mapping[str, Any] = freeze(_object(value))
    return frozen


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if not isinstance(value, str):
        raise TypeError(f"{key!r} is no text")
    return value


def _integer(row: Mapping[str, Any], key: str) -> int:
    value = row[key]
    if type(value) is not int:
        raise TypeError(f"{key!r} is no integer")
    return value
