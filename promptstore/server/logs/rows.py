"""The rows of the table of entries, made of records."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from promptstore.server.logs.otlp import Record

LEVELS: Final = ("trace", "debug", "info", "warn", "error", "fatal")
"""The severities, from the least to the worst; four numbers of OTLP each."""

MAX_ATTRIBUTES: Final = 1_000
"""How many attributes of an entry are kept."""

MAX_NAME: Final = 256
"""How many characters of a service's, scope's or event's name are kept."""

_WORDS: Final = {
    "trace": "trace", "verbose": "trace", "finest": "trace",
    "debug": "debug", "dbg": "debug", "fine": "debug",
    "info": "info", "information": "info", "notice": "info", "log": "info",
    "warn": "warn", "warning": "warn",
    "err": "error", "error": "error", "severe": "error",
    "crit": "fatal", "critical": "fatal", "alert": "fatal", "emerg": "fatal",
    "emergency": "fatal", "panic": "fatal", "fatal": "fatal",
}  # fmt: skip
_LEVEL_KEYS: Final = ("level", "severity", "log.level", "config.log_level")
_LATEST: Final = 4_291_747_200_000_000
"""The year 2106, in microseconds: what is later is a mistake, and does not fit."""

_DAY: Final = 86_400
_MAX_PARSED: Final = 65_536


class Row(NamedTuple):
    """One row; its fields are the columns that are written."""

    project: int
    id: UUID
    time: int
    seen: int
    expires: int
    severity: str
    severity_number: int
    service: str
    event: str
    scope: str
    trace_id: str
    span_id: str
    flags: int
    body: str
    attributes: Mapping[str, str]
    resource: Mapping[str, str]


def make_rows(records: Sequence[Record], project: int, retention: int) -> list[Row]:
    """Return the rows of records that arrive now.

    Args:
        records: The records.
        project: The number of the project that they are for.
        retention: For how many days they are kept.
    """
    now = time.time_ns() // 1_000
    expires = now // 1_000_000 // _DAY + retention + 1
    resources: dict[int, dict[str, str]] = {}
    rows = []
    for record in records:
        resource = resources.get(id(record.resource))
        if resource is None:
            resource = resources[id(record.resource)] = _strings(record.resource)
        number = record.severity_number if 0 < record.severity_number <= 24 else 0
        rows.append(
            Row(
                project=project,
                id=make_id(now // 1_000),
                time=min(max(record.time // 1_000, 0), _LATEST) or now,
                seen=now,
                expires=expires,
                severity=level_of(number, record.severity_text, record.body),
                severity_number=number,
                service=resource.get("service.name", "")[:MAX_NAME],
                event=record.event[:MAX_NAME],
                scope=record.scope[:MAX_NAME],
                trace_id=record.trace_id,
                span_id=record.span_id,
                flags=record.flags & 0xFFFF_FFFF,
                body=_string(record.body),
                attributes=_strings(record.attributes),
                resource=resource,
            )
        )
    return rows


def level_of(number: int, word: str, body: Any = None) -> str:
    """Return the severity of an entry as one of `LEVELS`: a number wins over a word."""
    if number:
        return LEVELS[(number - 1) // 4]
    known = _WORDS.get(word.strip().lower())
    if known is None and isinstance(body, str) and body[:1] == "{" and len(body) < _MAX_PARSED:
        body = _parsed(body)
    if known is None and isinstance(body, dict):
        words = (str(body[key]).lower() for key in _LEVEL_KEYS if key in body)
        known = next((_WORDS[one] for one in words if one in _WORDS), None)
    return known or "info"


def make_id(milliseconds: int) -> UUID:
    """Return a new UUID of version 7, which begins with the time."""
    tail = secrets.randbits(74)
    high, low = tail >> 62, tail & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    items = list(values.items())[:MAX_ATTRIBUTES]
    return {key: value if isinstance(value, str) else _string(value) for key, value in items}


def _string(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
