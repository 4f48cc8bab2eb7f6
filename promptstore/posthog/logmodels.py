"""Requests and answers of PostHog's API that are about texts and log entries."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from promptstore.posthog.models import example
from promptstore.posthog.queries import Limit, Offset
from promptstore.posthog.requests import Boolean, Text

MAX_TEXT: Final = 10_000
"""How many characters a text to translate may have."""


class TranslateRequest(BaseModel):
    """A text to translate."""

    model_config = example({"text": "Good morning", "target_language": "fr"})

    text: Annotated[Text, Field(pattern=r"\S", max_length=MAX_TEXT, description="The text.")]
    target_language: Annotated[
        Text, Field(pattern=r"\S", max_length=10, description="A code such as `fr`.")
    ] = "en"


class Translation(BaseModel):
    """A text in another language.

    Attributes:
        translation: The text.
        detected_language: The language that it was in, or None where the server does not say.
        provider: Who translated it.
    """

    model_config = example(
        {"translation": "Bonjour", "detected_language": None, "provider": "openai"}
    )

    translation: str
    detected_language: str | None = None
    provider: str | None = "openai"


class DateRange(BaseModel):
    """A stretch of time: moments in ISO 8601, or such as `-1h` and `-30M` before now."""

    model_config = example({"date_from": "-1h", "date_to": None})

    date_from: str | None = None
    date_to: str | None = None


class Filter(BaseModel):
    """A condition on entries."""

    model_config = example(
        {"key": "http.route", "type": "log_attribute", "operator": "exact", "value": ["/pay"]}
    )

    key: str
    type: str
    operator: str = "exact"
    value: Any = None

    @property
    def texts(self) -> list[str]:
        """The values, as attributes hold them."""
        values = self.value if isinstance(self.value, list) else [self.value]
        return [
            one if isinstance(one, str) else json.dumps(one) for one in values if one is not None
        ]


class FilterGroup(BaseModel):
    """Conditions that must all hold; a group may hold groups."""

    model_config = example({"type": "AND", "values": []})

    type: Literal["AND"] = "AND"
    values: list[Filter | FilterGroup] = Field(default=[], max_length=100)


class LogAttribute(BaseModel):
    """A key that entries have.

    Attributes:
        name: The key.
        kind: Whether entries or their resources have it.
        matched_on: Whether the key or a value fitted the search, or None where not told.
        matched_value: The value that fitted, or None.
    """

    model_config = example(
        {"name": "http.route", "propertyFilterType": "log_attribute", "matchedOn": "key"}
    )

    name: str
    kind: Literal["log_attribute", "log_resource_attribute"] = Field(alias="propertyFilterType")
    matched_on: Literal["key", "value"] | None = Field(None, alias="matchedOn")
    matched_value: str | None = Field(None, alias="matchedValue")


class LogAttributes(BaseModel):
    """A page of keys, the most frequent first, and how many there are in all."""

    model_config = example({"results": [], "count": 0})

    results: list[LogAttribute]
    count: int

    @model_validator(mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        """Take the bare list that the oldest servers give."""
        return {"results": value, "count": len(value)} if isinstance(value, list) else value


class LogValue(BaseModel):
    """A value that an attribute has."""

    model_config = example({"id": "/pay", "name": "/pay"})

    id: str
    name: str


class LogValues(BaseModel):
    """The values of an attribute, the most frequent first."""

    model_config = example({"results": [{"id": "/pay", "name": "/pay"}], "refreshing": False})

    results: list[LogValue]
    refreshing: bool = False


class LogsQuery(BaseModel):
    """Which entries are listed."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={
            "examples": [{"dateRange": {"date_from": "-1h"}, "searchTerm": "timeout"}]
        },
    )

    date_range: Annotated[DateRange | None, Field(alias="dateRange")] = None
    severity_levels: Annotated[list[str], Field(alias="severityLevels", max_length=100)] = []
    service_names: Annotated[list[str], Field(alias="serviceNames", max_length=1000)] = []
    search_term: Annotated[str, Field(alias="searchTerm", max_length=10_000)] = ""
    filter_group: Annotated[FilterGroup | None, Field(alias="filterGroup")] = None
    order_by: Annotated[Literal["latest", "earliest"], Field(alias="orderBy")] = "latest"
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[str | None, Field(max_length=1000)] = None
    exclude_attributes: Annotated[bool, Field(alias="excludeAttributes")] = False


class LogsQueryRequest(BaseModel):
    """A question about entries."""

    model_config = example({"query": {"searchTerm": "timeout", "limit": 10}})

    query: LogsQuery | None = None


class LogKeysQuery(BaseModel):
    """Which keys, or which values of one, are listed; anything odd counts as left out."""

    search: str = Field("", description="What the key holds.")
    limit: Limit = Field(100, description="How many are given.")
    offset: Offset = Field(0, description="How many are left out before them.")
    date_range: str = Field("", alias="dateRange", description='JSON: `{"date_from": "-1h"}`.')
    service_names: str = Field("", alias="serviceNames", description='JSON: `["checkout"]`.')
    filter_group: str = Field("", alias="filterGroup", description="A group of filters in JSON.")
    attribute_type: str = Field("log", description="`log` or `resource`.")
    search_values: str = Field("", description="`true`: values that hold it count too.")


class LogValuesQuery(LogKeysQuery):
    """Which values of a key are listed."""

    key: str = Field("", description="The key.")
    value: str = Field("", description="What the value holds.")


class LogEntry(BaseModel):
    """A log entry."""

    uuid: str
    timestamp: str
    observed_timestamp: str
    body: str
    severity_text: str
    severity_number: int
    level: str
    trace_id: str
    span_id: str
    trace_flags: int
    attributes: dict[str, str]
    resource_attributes: dict[str, str]
    event_name: str
    service: str = Field("", exclude=True)


class LogPage(BaseModel):
    """A page of entries."""

    model_config = example(
        {
            "query": {},
            "results": [],
            "hasMore": True,
            "nextCursor": "eyJ0aW1lc3RhbXAiOiAiIn0=",
            "maxExportableLogs": 10_000,
            "columns": [],
        }
    )

    query: dict[str, Any]
    results: list[LogEntry]
    has_more: bool = Field(alias="hasMore")
    next_cursor: str | None = Field(alias="nextCursor")
    max_exportable_logs: int = Field(alias="maxExportableLogs")
    columns: list[str]


class ExplainRequest(BaseModel):
    """Which entry is explained."""

    model_config = example(
        {
            "uuid": "01a227c1-fb3f-750d-a713-49f1e96b87f8",
            "timestamp": "2026-08-24T14:15:22.123456Z",
            "force_refresh": False,
        }
    )

    uuid: Text
    timestamp: datetime
    force_refresh: Boolean = False


class Cause(BaseModel):
    """What may have led to an entry."""

    hypothesis: str
    confidence: Literal["high", "medium", "low"]
    reasoning: str


class Action(BaseModel):
    """What may be done."""

    action: str
    priority: Literal["now", "soon", "later"]
    why: str


class KeyField(BaseModel):
    """A field of the entry that its explanation rests on."""

    field: str
    value: str
    significance: str
    attribute_type: Literal["log", "resource"]


class LogExplanation(BaseModel):
    """What an entry means, as a model sees it."""

    model_config = example(
        {
            "headline": "Database pool of checkout is exhausted",
            "severity_assessment": "error",
            "impact_summary": "Payments probably fail.",
            "probable_causes": [
                {"hypothesis": "Slow queries", "confidence": "medium", "reasoning": "50/50 in use"}
            ],
            "immediate_actions": [
                {"action": "Look at running queries", "priority": "now", "why": "They hold it"}
            ],
            "technical_explanation": "- The pool has `50` connections.",
            "key_fields": [],
        }
    )

    headline: str
    severity_assessment: Literal["ok", "warning", "error", "critical"]
    impact_summary: str
    probable_causes: list[Cause]
    immediate_actions: list[Action]
    technical_explanation: str
    key_fields: list[KeyField]
