"""Answers that only a client reads, beside those that a server gives too."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, model_validator

from promptstore.posthog.models import LabelVersion, RemotePrompt, VersionSummary


class PromptHistory(BaseModel):
    """A prompt and a page of its versions, newest first.

    Attributes:
        prompt: The version that was asked for.
        versions: The page.
        has_more: Whether there are older versions.
        labels: Where the labels of all versions point.
    """

    prompt: RemotePrompt
    versions: list[VersionSummary]
    has_more: bool
    labels: list[LabelVersion]


class PromptPage(BaseModel):
    """A page of the list.

    Attributes:
        next: The address of the next page, or None.
        results: The prompts.
    """

    next: str | None
    results: list[RemotePrompt]


class Translation(BaseModel):
    """A translated text.

    Attributes:
        translation: The text.
        detected_language: The language that it was in, or None where the server does not say.
        provider: Who translated it.
    """

    translation: str
    detected_language: str | None = None
    provider: str | None = None


class LogAttribute(BaseModel):
    """A key that log records have.

    Attributes:
        name: The key.
        kind: ``log_attribute`` or ``log_resource_attribute``.
        matched_on: Whether the key or a value fitted the search, or None where not told.
        matched_value: The value that fitted, or None.
    """

    name: str
    kind: str = Field(alias="propertyFilterType")
    matched_on: str | None = Field(None, alias="matchedOn")
    matched_value: str | None = Field(None, alias="matchedValue")


class LogAttributes(BaseModel):
    """A page of keys; the oldest servers give a bare list.

    Attributes:
        results: The keys, the most frequent first.
        count: How many there are in all.
    """

    results: list[LogAttribute]
    count: int

    @model_validator(mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        return {"results": value, "count": len(value)} if isinstance(value, list) else value


class LogExplanation(BaseModel):
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
    probable_causes: list[dict[str, Any]]
    immediate_actions: list[dict[str, Any]]
    technical_explanation: str
    key_fields: list[dict[str, Any]]
