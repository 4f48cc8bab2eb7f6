"""The log entries of all projects: how they come in, and what can be asked about them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from promptstore.errors import InvalidArgumentError
from promptstore.posthog.logmodels import (
    Filter,
    LogAttribute,
    LogAttributes,
    LogEntry,
    LogsQuery,
    LogValue,
    LogValues,
)
from promptstore.server.logs.engine import Engine
from promptstore.server.logs.queries import (
    MAX_FILTERS,
    Conditions,
    Kind,
    Span,
    key_conditions,
    read_filters,
    read_span,
    to_utc,
    written,
)
from promptstore.server.logs.rows import level_of

MIN_VALUE_SEARCH: Final = 4
"""How many characters are needed to look for keys by their values."""

MAX_PAGE: Final = 10_000
"""How many keys or values a page may have."""

MAX_CONTEXT: Final = 20
"""How many entries around one are given."""

_AROUND: Final = timedelta(seconds=30)
_COLUMNS: Final = """
    id, toUnixTimestamp64Micro(time) AS at, toUnixTimestamp64Micro(seen) AS seen_at, body,
    severity, severity_number, service, event, trace_id, span_id, flags, attributes, resource
"""
_NO_TRACE: Final = "0" * 32


@dataclass(frozen=True, slots=True)
class KeysQuery:
    """Which keys are listed.

    Attributes:
        kind: Whose attributes.
        span: The time of their entries.
        search: What the key holds, in any letter case.
        by_values: Whether values that hold it count too.
        services: The services of their entries; none is all.
        filters: Further conditions.
        limit: How many keys a page has.
        offset: How many come before it.
    """

    kind: Kind
    span: Span
    search: str = ""
    by_values: bool = False
    services: Sequence[str] = ()
    filters: Sequence[Filter] = ()
    limit: int = 100
    offset: int = 0


class LogStore:
    """Asks an engine about entries.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def attributes(self, project: int, query: KeysQuery) -> LogAttributes:
        """List keys: one that is what is searched first, then whole words, then the frequent."""
        is_wide = query.by_values and len(query.search) >= MIN_VALUE_SEARCH
        limit, offset = min(query.limit, MAX_PAGE), query.offset
        found, count = self._keys(
            project, query, *((offset + limit, 0) if is_wide else (limit, offset))
        )
        if is_wide:
            known = {row.name for row in found}
            found += [row for row in self._keys_by_value(project, query) if row.name not in known]
            found = found[offset : offset + limit]
            # What the roll-up cannot know is not counted: there may be more.
            count = offset + len(found)
        return LogAttributes(results=found, count=count)

    def _keys(
        self, project: int, query: KeysQuery, limit: int, offset: int
    ) -> tuple[list[LogAttribute], int]:
        table, conditions = key_conditions(
            project, query.kind, query.span, query.services, query.filters
        )
        search = conditions.bind(query.search)
        if query.search:
            conditions.parts.append(f"positionCaseInsensitiveUTF8(key, {search}) > 0")
        values = conditions.values | {"limit": limit, "offset": offset}
        rows = self._engine.ask(
            f"""SELECT key, count() OVER () AS whole FROM {table} WHERE {conditions} GROUP BY key
            ORDER BY lowerUTF8(key) = lowerUTF8({search}) DESC,
                has(extractAll(lowerUTF8(key), '\\\\pL+'), lowerUTF8({search})) DESC,
                sum(n) DESC, key
            LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",  # noqa: S608 - values are bound
            values,
        )
        if not rows and offset:
            return [], self._keys(project, query, 1, 0)[1]
        found = [_attribute(query.kind, row["key"], "key") for row in rows]
        return found, rows[0]["whole"] if rows else 0

    def _keys_by_value(self, project: int, query: KeysQuery) -> list[LogAttribute]:
        conditions = _entries(project, query.span, query.services, query.filters)
        search = conditions.bind(query.search)
        column = "attributes" if query.kind == "log" else "resource"
        rows = self._engine.ask(
            f"""SELECT key, any(value) AS matched FROM entries
            ARRAY JOIN mapKeys({column}) AS key, mapValues({column}) AS value
            WHERE {conditions} AND length(value) < 256
                AND positionCaseInsensitiveUTF8(value, {search}) > 0
            GROUP BY key ORDER BY count() DESC, key LIMIT {{limit:UInt64}}""",  # noqa: S608
            conditions.values | {"limit": query.limit + query.offset},
        )
        return [_attribute(query.kind, row["key"], "value", row["matched"]) for row in rows]

    def values(self, project: int, key: str, search: str, query: KeysQuery) -> LogValues:
        """List the values of an attribute, the most frequent first."""
        conditions = _entries(project, query.span, query.services, query.filters)
        column = "attributes" if query.kind == "log" else "resource"
        name = conditions.bind(key)
        conditions.parts.append(f"mapContains({column}, {name})")
        if search:
            found = conditions.bind(search)
            conditions.parts.append(f"positionCaseInsensitiveUTF8({column}[{name}], {found}) > 0")
        rows = self._engine.ask(
            f"""SELECT {column}[{name}] AS value FROM entries WHERE {conditions}
            GROUP BY value ORDER BY count() DESC, value
            LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}""",  # noqa: S608 - values are bound
            conditions.values | {"limit": min(query.limit, MAX_PAGE), "offset": query.offset},
        )
        return LogValues(results=[LogValue(id=row["value"], name=row["value"]) for row in rows])

    def query(self, project: int, query: LogsQuery) -> tuple[list[LogEntry], str | None]:
        """Return a page of entries, and the cursor of the next one where there is more.

        Raises:
            InvalidArgumentError: The cursor or a filter is none.
        """
        span = read_span(query.date_range, datetime.now(UTC))
        filters = read_filters(query.filter_group or {})
        if filters is None:
            raise InvalidArgumentError(message=f"there are more than {MAX_FILTERS} filters")
        conditions = _entries(project, span, query.service_names, filters)
        if query.severity_levels:
            levels = [level_of(0, word) for word in query.severity_levels]
            conditions.add("severity IN ?", (levels, "Array(String)"))
        if query.search_term:
            term = (query.search_term, "String")
            conditions.add("positionCaseInsensitiveUTF8(body, ?) > 0", term)
        sign, way = ("<", "DESC") if query.order_by == "latest" else (">", "ASC")
        if query.after is not None:
            at, last = _read_cursor(query.after)
            conditions.add(
                f"(time, id) {sign} (?, ?)", (at, "DateTime64(6, 'UTC')"), (last, "UUID")
            )
        rows = self._engine.ask(
            f"""SELECT {_COLUMNS} FROM entries WHERE {conditions}
            ORDER BY time {way}, id {way} LIMIT {{limit:UInt64}}""",  # noqa: S608 - values are bound
            conditions.values | {"limit": query.limit + 1},
        )
        page = [_entry(row) for row in rows[: query.limit]]
        return page, _cursor(page[-1]) if len(rows) > query.limit else None

    def find(self, project: int, uuid: UUID, moment: datetime) -> LogEntry | None:
        """Find an entry by its id and its time, which may be a second off."""
        second = timedelta(seconds=1)
        conditions = _entries(project, Span(moment - second, moment + second))
        conditions.add("id = ?", (str(uuid), "UUID"))
        rows = self._engine.ask(
            f"SELECT {_COLUMNS} FROM entries WHERE {conditions} LIMIT 1",  # noqa: S608
            conditions.values,
        )
        return _entry(rows[0]) if rows else None

    def around(self, project: int, entry: LogEntry) -> list[LogEntry]:
        """Return entries around one, oldest first: of its trace, else of its service."""
        moment = datetime.fromisoformat(entry.timestamp)
        conditions = _entries(project, Span(moment - _AROUND, moment + _AROUND))
        conditions.add("id != ?", (entry.uuid, "UUID"))
        if entry.trace_id != _NO_TRACE:
            conditions.add("trace_id = ?", (entry.trace_id, "String"))
        else:
            conditions.add("service = ?", (entry.service, "String"))
        at = conditions.bind(written(moment, 6), "DateTime64(6, 'UTC')")
        rows = self._engine.ask(
            f"""SELECT {_COLUMNS} FROM entries WHERE {conditions}
            ORDER BY abs(toUnixTimestamp64Micro(time) - toUnixTimestamp64Micro({at})), id
            LIMIT {MAX_CONTEXT}""",  # noqa: S608 - values are bound
            conditions.values,
        )
        return sorted(map(_entry, rows), key=lambda one: one.timestamp)


def _entries(
    project: int, span: Span, services: Sequence[str] = (), filters: Sequence[Filter] = ()
) -> Conditions:
    found = Conditions()
    found.add("project = ?", (project, "UInt32"))
    found.add_span(span)
    found.add_services(services)
    found.add_filters(filters)
    return found


def _attribute(kind: Kind, key: str, matched: str, value: str | None = None) -> LogAttribute:
    names = {"log": "log_attribute", "resource": "log_resource_attribute"}
    row: dict[str, Any] = {"name": key, "propertyFilterType": names[kind], "matchedOn": matched}
    return LogAttribute.model_validate(row if value is None else row | {"matchedValue": value})


def _entry(row: dict[str, Any]) -> LogEntry:
    return LogEntry(
        uuid=str(row["id"]),
        timestamp=_iso(row["at"]),
        observed_timestamp=_iso(row["seen_at"]),
        body=row["body"],
        severity_text=row["severity"],
        severity_number=row["severity_number"],
        level=row["severity"],
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        trace_flags=row["flags"],
        attributes=row["attributes"],
        resource_attributes=row["resource"],
        event_name=row["event"],
        service=row["service"],
    )


def _iso(microseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _cursor(entry: LogEntry) -> str:
    text = json.dumps({"timestamp": entry.timestamp, "uuid": entry.uuid})
    return base64.b64encode(text.encode()).decode()


def _read_cursor(text: str) -> tuple[str, str]:
    try:
        found = json.loads(base64.b64decode(text, validate=True))
        moment = to_utc(datetime.fromisoformat(found["timestamp"]))
        return written(moment, 6), str(UUID(found["uuid"]))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        message = "`after` is no cursor; take `nextCursor` of the page before"
        raise InvalidArgumentError(message=message) from error
