"""OTLP over HTTP: the bytes of a request as records, from protobuf and from JSON."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from promptstore.errors import LogFormatError, LogsTooLargeError

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

MAX_BYTES: Final = 16 * 1024 * 1024
"""How many bytes a request may have, unpacked too."""

_MAX_DEPTH: Final = 64
_TRACE_LENGTH: Final = 32
_SPAN_LENGTH: Final = 16


@dataclass(slots=True)
class Record:
    """One log entry as it was sent.

    Attributes:
        time: When it happened, in nanoseconds since 1970; 0 where nobody said.
        body: The body: any JSON, bytes as base64.
        severity_number: 1 to 24, or 0 where nobody said.
        severity_text: The word of the sender.
        event: The name of the event.
        scope: The name of the instrumentation.
        trace_id: The id of the trace in hex; zeros for none.
        span_id: The id of the span in hex; zeros for none.
        flags: The flags of the trace.
        attributes: Its attributes.
        resource: The attributes of what sent it.
    """

    time: int
    body: Any
    severity_number: int
    severity_text: str
    event: str
    scope: str
    trace_id: str
    span_id: str
    flags: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass(slots=True)
class Batch:
    """The records of a request.

    Attributes:
        records: Those that could be read.
        rejected: How many could not.
        reason: Why the first of these could not.
    """

    records: list[Record] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""


def unpack(data: bytes, encoding: str) -> bytes:
    """Return the body of a request as it was before it was packed.

    Raises:
        LogFormatError: It is packed otherwise than said, or by what is not known.
        LogsTooLargeError: It unpacks to more than `MAX_BYTES`.
    """
    if encoding in ("", "identity"):
        return data
    if encoding != "gzip":
        raise LogFormatError(reason=f"the encoding {encoding!r} is not known; send gzip, or none")
    inflater = zlib.decompressobj(wbits=31)
    try:
        whole = inflater.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise LogFormatError(reason="the body is not gzip") from None
    if len(whole) > MAX_BYTES:
        raise LogsTooLargeError(reason=f"the body unpacks to more than {MAX_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise LogFormatError(reason="the body is not one whole gzip stream")
    return whole


def read_protobuf(data: bytes) -> Batch:
    """Read an ``ExportLogsServiceRequest`` in protobuf.

    Raises:
        LogFormatError: It is none.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    try:
        request = ExportLogsServiceRequest.FromString(data)
    except DecodeError:
        raise LogFormatError(reason="the body is no ExportLogsServiceRequest in protobuf") from None
    batch = Batch()
    for resource_logs in request.resource_logs:
        resource = _mapping(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            scope = scope_logs.scope.name
            for record in scope_logs.log_records:
                batch.records.append(_from_protobuf(record, scope, resource))
    return batch


def _from_protobuf(record: LogRecord, scope: str, resource: Mapping[str, Any]) -> Record:
    return Record(
        time=record.time_unix_nano or record.observed_time_unix_nano,
        body=_value(record.body),
        severity_number=record.severity_number,
        severity_text=record.severity_text,
        event=record.event_name,
        scope=scope,
        trace_id=_id(record.trace_id.hex(), _TRACE_LENGTH),
        span_id=_id(record.span_id.hex(), _SPAN_LENGTH),
        flags=record.flags,
        attributes=_mapping(record.attributes),
        resource=resource,
    )


def _mapping(pairs: Sequence[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _mapping(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


def read_json(data: bytes) -> Batch:
    """Read an ``ExportLogsServiceRequest`` in OTLP's JSON, whose ids are hex.

    Raises:
        LogFormatError: It is none.
    """
    try:
        content = json.loads(data)
        places = list(_places(content))
    except (ValueError, RecursionError) as error:
        raise LogFormatError(
            reason=f"the body is no ExportLogsServiceRequest in JSON: {error}"
        ) from None
    batch = Batch()
    for record, scope, resource in places:
        try:
            batch.records.append(_from_json(_object(record, "a log record"), scope, resource))
        except ValueError as error:
            batch.rejected += 1
            batch.reason = batch.reason or str(error)
    return batch


def _places(content: Any) -> Iterator[tuple[Any, str, Mapping[str, Any]]]:
    for resource_logs in _list(_object(content, "the body"), "resourceLogs"):
        given = _object(resource_logs, "an item of `resourceLogs`")
        resource = _json_mapping(_list(_object(given.get("resource") or {}, "`resource`"), _PAIRS))
        for scope_logs in _list(given, "scopeLogs"):
            found = _object(scope_logs, "an item of `scopeLogs`")
            scope = _text(_object(found.get("scope") or {}, "`scope`"), "name")
            for record in _list(found, "logRecords"):
                yield record, scope, resource


def _from_json(record: Mapping[str, Any], scope: str, resource: Mapping[str, Any]) -> Record:
    return Record(
        time=_number(record, "timeUnixNano") or _number(record, "observedTimeUnixNano"),
        body=_json_value(record.get("body"), 0),
        severity_number=_number(record, "severityNumber"),
        severity_text=_text(record, "severityText"),
        event=_text(record, "eventName"),
        scope=scope,
        trace_id=_id(_text(record, "traceId"), _TRACE_LENGTH),
        span_id=_id(_text(record, "spanId"), _SPAN_LENGTH),
        flags=_number(record, "flags"),
        attributes=_json_mapping(_list(record, _PAIRS)),
        resource=resource,
    )


_PAIRS: Final = "attributes"


def _json_mapping(pairs: Sequence[Any], depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        given = _object(pair, "an attribute")
        found[_text(given, "key")] = _json_value(given.get("value"), depth)
    return found


def _json_value(value: Any, depth: int) -> Any:
    if value is None or value == {}:
        return None
    if depth > _MAX_DEPTH:
        raise LogFormatError(reason=f"a value is nested deeper than {_MAX_DEPTH} levels")
    (kind, given), *others = _object(value, "a value").items()
    if others:
        raise LogFormatError(reason="a value has more than one kind")
    if kind == "arrayValue":
        items = _list(_object(given, "`arrayValue`"), "values")
        return [_json_value(one, depth + 1) for one in items]
    if kind == "kvlistValue":
        return _json_mapping(_list(_object(given, "`kvlistValue`"), "values"), depth + 1)
    if kind == "intValue":
        return _number(value, kind)
    if kind not in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
        return None
    if isinstance(given, (str, int, float)):
        return _clean(given) if isinstance(given, str) else given
    raise LogFormatError(reason=f"`{kind}` holds something else")


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise LogFormatError(reason=f"{what} is no object")
    return value


def _list(value: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = value.get(key) or []
    if not isinstance(found, list):
        raise LogFormatError(reason=f"`{key}` is no list")
    return found


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key) or ""
    if not isinstance(found, str):
        raise LogFormatError(reason=f"`{key}` is no string")
    return _clean(found)


def _clean(text: str) -> str:
    # JSON can write half of a surrogate pair, which is no character.
    return text.encode("utf-8", "replace").decode()


def _number(value: Mapping[str, Any], key: str) -> int:
    found = value.get(key) or 0
    try:
        number = int(found) if isinstance(found, (int, str)) and len(str(found)) <= 20 else None
    except ValueError:
        number = None
    if number is None:
        raise LogFormatError(reason=f"`{key}` is no integer")
    return number


def _id(text: str, length: int) -> str:
    is_hex = len(text) == length and not set(text.lower()) - set("0123456789abcdef")
    return text.lower() if is_hex else "0" * length
