"""What PostHog's API does with events and logs, beside prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from promptstore.posthog.client.connection import ProjectClient
from promptstore.posthog.logmodels import (
    LogAttributes,
    LogExplanation,
    LogPage,
    LogsQuery,
    LogValues,
    Translation,
)
from promptstore.posthog.models import TextRepresentation
from promptstore.posthog.queries import EventType


class EventsClient(ProjectClient):
    """The operations of a client that are about events and logs."""

    def text_repr(
        self,
        event_type: EventType,
        data: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
    ) -> TextRepresentation:
        """Turn an event into readable text.

        Args:
            event_type: ``$ai_generation``, ``$ai_span``, ``$ai_embedding`` or ``$ai_trace``.
            data: The event: its ``id`` and ``properties``, or its ``trace`` and ``hierarchy``.
            options: What `promptstore.posthog.queries.TextReprOptions` has, such as
                ``{"max_length": 1000}``.
        """
        path = self._path("llm_analytics", "text_repr")
        body = {"event_type": event_type, "data": dict(data)}
        if options is not None:
            body["options"] = dict(options)
        # Nothing is stored there, so it may be asked again.
        return self._read(TextRepresentation, "POST", path, body=body, is_read=True)

    def translate(self, text: str, target_language: str | None = None) -> Translation:
        """Translate a text by a model; it costs, so it is not repeated after a fault.

        Args:
            text: The text, at most 10,000 characters.
            target_language: A code such as ``fr``; None is the server's ``en``.
        """
        path = self._path("llm_analytics", "translate")
        body = {"text": text}
        if target_language is not None:
            body["target_language"] = target_language
        return self._read(Translation, "POST", path, body=body)

    def log_attributes(
        self,
        *,
        search: str | None = None,
        attribute_type: Literal["log", "resource"] | None = None,
        date_range: Mapping[str, Any] | None = None,
        service_names: Sequence[str] | None = None,
        filter_group: Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        search_values: bool = False,
    ) -> LogAttributes:
        """List the keys that log records have.

        Args:
            search: Only keys that hold it.
            attribute_type: Whether keys of records or of resources are listed; None is records.
            date_range: For example ``{"date_from": "-1h"}``.
            service_names: Only records of these services.
            filter_group: Only records that fit this group of filters.
            limit: How many to list; None is the server's 100.
            offset: How many to skip.
            search_values: Whether keys with a value that holds the search are listed too.
        """
        path = self._path("logs", "attributes")
        query = {
            "search": search,
            "attribute_type": attribute_type,
            "dateRange": _json_or_none(date_range),
            "serviceNames": _json_or_none(service_names),
            "filterGroup": _json_or_none(filter_group),
            "limit": limit,
            "offset": offset,
            "search_values": "true" if search_values else None,
        }
        return self._read(LogAttributes, "GET", path, query=query, is_read=True)

    def log_values(
        self,
        key: str,
        *,
        search: str | None = None,
        attribute_type: Literal["log", "resource"] | None = None,
        date_range: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> LogValues:
        """List the values of a key that log records have.

        Args:
            key: The key.
            search: Only values that hold it.
            attribute_type: Whether it is a key of records or of resources; None is records.
            date_range: For example ``{"date_from": "-1h"}``.
            limit: How many to list; None is the server's 100.
        """
        query = {
            "key": key,
            "value": search,
            "attribute_type": attribute_type,
            "dateRange": _json_or_none(date_range),
            "limit": limit,
        }
        path = self._path("logs", "values")
        return self._read(LogValues, "GET", path, query=query, is_read=True)

    def query_logs(self, query: LogsQuery | None = None) -> LogPage:
        """List log records, newest first unless the query says otherwise.

        Args:
            query: Which ones; None is those of the last hour. For the next page give the cursor of
                the one before as ``after``.
        """
        asked = (query or LogsQuery()).model_dump(by_alias=True, exclude_unset=True)
        path = self._path("logs", "query")
        body = {"query": asked}
        return self._read(LogPage, "POST", path, body=body, is_read=True)

    def explain_log(
        self, uuid: str, timestamp: str, *, force_refresh: bool = False
    ) -> LogExplanation:
        """Let a model explain one log record; it costs, so it is not repeated after a fault.

        Args:
            uuid: The record's id.
            timestamp: Its time as ISO 8601.
            force_refresh: Whether to ask the model even where an answer is stored.
        """
        path = self._path("logs", "explainLogWithAI")
        body = {"uuid": uuid, "timestamp": timestamp, "force_refresh": force_refresh}
        return self._read(LogExplanation, "POST", path, body=body)


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
