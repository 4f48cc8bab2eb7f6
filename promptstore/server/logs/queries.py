"""Questions about log entries as SQL with bound parameters; no value becomes part of the SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import TypeAdapter, ValidationError

from promptstore.errors import InvalidArgumentError
from promptstore.posthog.logmodels import DateRange, Filter, FilterGroup
from promptstore.server.logs.rows import level_of

Kind: TypeAlias = Literal["log", "resource"]
"""Whose attributes: of the entries, or of what sent them."""

MAX_FILTERS: Final = 100
"""How many conditions a question may have."""

_DAY: Final = timedelta(days=1)
_BUCKET: Final = timedelta(minutes=10)
_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2106, 1, 1, tzinfo=UTC)
_RELATIVE: Final = re.compile(r"-(\d{1,6})([sMhdwmy])")
_SECONDS: Final = {
    "s": 1, "M": 60, "h": 3_600, "d": 86_400, "w": 604_800, "m": 2_592_000, "y": 31_536_000,
}  # fmt: skip
_MAPS: Final = {"log_attribute": "attributes", "log_resource_attribute": "resource"}
_FIELDS: Final = {
    "message": "body", "body": "body",
    "level": "severity", "severity_text": "severity", "severity_level": "severity",
    "service": "service", "service_name": "service", "service.name": "service",
    "event_name": "event", "trace_id": "trace_id", "span_id": "span_id",
}  # fmt: skip
_NARROWING: Final = frozenset({"severity", "service"})
"""The fields of an entry that counts of keys know."""

_ONE: Final = {
    "icontains": "positionCaseInsensitiveUTF8({left}, {right}) > 0",
    "not_icontains": "positionCaseInsensitiveUTF8({left}, {right}) = 0",
    "starts_with": "startsWith({left}, {right})",
    "not_starts_with": "NOT startsWith({left}, {right})",
    "ends_with": "endsWith({left}, {right})",
    "not_ends_with": "NOT endsWith({left}, {right})",
    "regex": "match({left}, {right})",
    "not_regex": "NOT match({left}, {right})",
    "gt": "toFloat64OrNull({left}) > toFloat64OrNull({right})",
    "gte": "toFloat64OrNull({left}) >= toFloat64OrNull({right})",
    "lt": "toFloat64OrNull({left}) < toFloat64OrNull({right})",
    "lte": "toFloat64OrNull({left}) <= toFloat64OrNull({right})",
    "is_date_before": "parseDateTime64BestEffortOrNull({left}, 6, 'UTC') < "
    "parseDateTime64BestEffortOrNull({right}, 6, 'UTC')",
    "is_date_after": "parseDateTime64BestEffortOrNull({left}, 6, 'UTC') > "
    "parseDateTime64BestEffortOrNull({right}, 6, 'UTC')",
}


class Span(NamedTuple):
    """A stretch of time, in UTC; the end is part of it."""

    start: datetime
    end: datetime


def read_span(given: DateRange | None, now: datetime) -> Span:
    """Return the stretch of time that a request names; the last hour where that is malformed."""
    whole = Span(now - _HOUR, now)
    if given is None:
        return whole
    try:
        start = _moment(given.date_from, now) or whole.start
        return Span(start, _moment(given.date_to, now) or now)
    except (ValueError, OverflowError):
        return whole


def _moment(text: str | None, now: datetime) -> datetime | None:
    if not text:
        return None
    relative = _RELATIVE.fullmatch(text)
    if relative:
        found = now - timedelta(seconds=int(relative[1]) * _SECONDS[relative[2]])
    else:
        found = datetime.fromisoformat(text)
    return to_utc(found)


def to_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, which it is in unless it says otherwise; 1970 to 2106 is kept.

    Raises:
        OverflowError: It lies before the year 1 or after 9999.
    """
    known = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(known, _EPOCH), _LATEST)


def read_filters(given: Any) -> list[Filter] | None:
    """Return the conditions of a group of filters, or None where it is none.

    Groups may stand in groups; all conditions must hold, as a page of logs builds them.
    """
    try:
        group = TypeAdapter(FilterGroup).validate_python(given)
        found = list(_flat(group))
    except (ValidationError, RecursionError):
        return None
    return found if len(found) <= MAX_FILTERS else None


def _flat(group: FilterGroup) -> Sequence[Filter]:
    found: list[Filter] = []
    for one in group.values:
        found += [one] if isinstance(one, Filter) else _flat(one)
    return found


@dataclass
class Conditions:
    """Conditions of a question, with their values.

    Attributes:
        parts: The conditions in SQL.
        values: The values by the names of their parameters.
    """

    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any, kind: str = "String") -> str:
        """Return the parameter that stands for a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def add(self, part: str, *values: tuple[Any, str]) -> None:
        """Add a condition, in which each ``?`` stands for a value of a type."""
        for value, kind in values:
            part = part.replace("?", self.bind(value, kind), 1)
        self.parts.append(part)

    def add_services(self, services: Sequence[str]) -> None:
        """Add that the entry is of one of these services, where there are any."""
        if services:
            self.add("service IN ?", (list(services), "Array(String)"))

    def add_filters(self, filters: Sequence[Filter]) -> None:
        """Add filters of entries.

        Raises:
            InvalidArgumentError: A filter is of a kind or of an operator that there is not.
        """
        for one in filters:
            self.parts.append(self._filter(one, _left_of(one, self)))

    def add_span(self, span: Span) -> None:
        """Add that the entry is of a stretch of time."""
        self.add(
            "hour >= ? AND hour <= ? AND time >= ? AND time <= ?",
            (written(_floor(span.start, _HOUR)), "DateTime('UTC')"),
            (written(span.end), "DateTime('UTC')"),
            (written(span.start, 6), "DateTime64(6, 'UTC')"),
            (written(span.end, 6), "DateTime64(6, 'UTC')"),
        )

    def __str__(self) -> str:
        return " AND ".join(f"({part})" for part in self.parts) or "1"

    def _filter(self, one: Filter, left: str) -> str:
        if one.operator in ("is_set", "is_not_set"):
            return f"{left} {'!=' if one.operator == 'is_set' else '='} ''"
        wanted = [_folded(one, text) for text in one.texts]
        if one.operator in ("exact", "is_not"):
            word = "IN" if one.operator == "exact" else "NOT IN"
            return f"{left} {word} {self.bind(wanted, 'Array(String)')}"
        pattern = _ONE.get(one.operator)
        if pattern is None:
            raise InvalidArgumentError(
                message=f"there is no operator {one.operator!r}; there are "
                + ", ".join(["exact", "is_not", "is_set", "is_not_set", *_ONE])
            )
        joined = " AND " if one.operator.startswith("not_") else " OR "
        parts = [pattern.format(left=left, right=self.bind(text)) for text in wanted]
        return joined.join(parts) or "0"


def _left_of(one: Filter, conditions: Conditions) -> str:
    if one.type in _MAPS:
        return f"{_MAPS[one.type]}[{conditions.bind(one.key)}]"
    if one.type == "log" and one.key in _FIELDS:
        return _FIELDS[one.key]
    raise InvalidArgumentError(
        message=f"there is no {one.key!r} of {one.type!r} to filter by; of 'log' there are "
        f"{', '.join(_FIELDS)}, and there are {' and '.join(_MAPS)}"
    )


def _folded(one: Filter, text: str) -> str:
    is_level = one.type == "log" and _FIELDS.get(one.key) == "severity"
    return level_of(0, text) if is_level and one.operator in ("exact", "is_not") else text


def key_conditions(
    project: int, kind: Kind, span: Span, services: Sequence[str], filters: Sequence[Filter]
) -> tuple[str, Conditions]:
    """Return the table of counts and the conditions that narrow it.

    Counts know the time, the service, the severity and the resource of their entries, so other
    conditions narrow nothing.
    """
    found = Conditions()
    found.add("project = ?", (project, "UInt32"))
    found.add("kind = ?", (kind, "String"))
    of_resources = [one for one in filters if one.type == "log_resource_attribute"]
    is_short = span.end - span.start <= _DAY or bool(of_resources)
    step = _BUCKET if is_short else _HOUR
    found.add(
        "bucket >= ? AND bucket <= ?",
        (written(_floor(span.start, step)), "DateTime('UTC')"),
        (written(_floor(span.end, step)), "DateTime('UTC')"),
    )
    found.add_services(services)
    known = [one for one in filters if one.type == "log" and _FIELDS.get(one.key) in _NARROWING]
    found.add_filters(known)
    if of_resources:
        inner = Conditions(values=found.values)
        inner.add("project = ?", (project, "UInt32"))
        inner.add_filters(of_resources)
        found.parts.append(f"resource_hash IN (SELECT resource_hash FROM resources WHERE {inner})")  # noqa: S608
    return ("keys_10m" if is_short else "keys_1h"), found


def written(moment: datetime, digits: int = 0) -> str:
    """Return a moment as the engine reads it, with or without the digits of microseconds."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}" if digits else f"{moment:%Y-%m-%d %H:%M:%S}"


def _floor(moment: datetime, step: timedelta) -> datetime:
    return moment - (moment - _EPOCH) % step
