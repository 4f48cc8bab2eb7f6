"""OTLP over HTTP: the bytes of a request as records, from protobuf and from JSON."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from promptstore.errors import LogFormatError, LogsTooLargeError

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

MAX_BYTES: Final = 16 * 1024 * 1024
"""How many bytes a request may have, unpacked too."""

_MAX_DEPTH: Final = 132
"""How deep messages may lie in each other: of each value in a list there are two."""

_Message = TypeVar("_Message", bound="Message")

_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8


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
        trace_id=_id(record.trace_id, _TRACE_BYTES),
        span_id=_id(record.span_id, _SPAN_BYTES),
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
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    try:
        content = json.loads(data)
        if b"\\ud" in data.lower():
            # JSON can write half of a surrogate pair, which is no character.
            whole = json.dumps(content, ensure_ascii=False).encode(errors="replace")
            content = json.loads(whole)
        places = list(_places(content))
    except (ValueError, RecursionError) as error:
        raise LogFormatError(
            reason=f"the body is no ExportLogsServiceRequest in JSON: {error}"
        ) from None
    batch = Batch()
    for given, scope, resource in places:
        try:
            record = _parsed(_with_ids(given), LogRecord())
        except LogFormatError as error:
            batch.rejected += 1
            batch.reason = batch.reason or str(error)
        else:
            batch.records.append(_from_protobuf(record, scope, resource))
    return batch


def _places(content: Any) -> Iterator[tuple[Any, str, Mapping[str, Any]]]:
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    for resource_logs in _items(content, "resourceLogs"):
        scopes = _items(resource_logs, "scopeLogs")
        resource = _mapping(_parsed(resource_logs.get("resource"), Resource()).attributes)
        for scope_logs in scopes:
            records = _items(scope_logs, "logRecords")
            scope = _parsed(scope_logs.get("scope"), InstrumentationScope()).name
            for record in records:
                yield record, scope, resource


def _items(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else 0
    if found is not None and not isinstance(found, list):
        raise LogFormatError(reason=f"`{key}` is no list in an object")
    return found or []


def _parsed(value: Any, message: _Message) -> _Message:
    from google.protobuf.json_format import ParseDict, ParseError

    if value is not None and not isinstance(value, dict):
        raise LogFormatError(reason=f"{type(message).__name__} is no object")
    try:
        return ParseDict(
            value or {}, message, ignore_unknown_fields=True, max_recursion_depth=_MAX_DEPTH
        )
    except (ParseError, RecursionError) as error:
        raise LogFormatError(reason=str(error)) from None


def _with_ids(record: Any) -> Any:
    """Return a record with its ids in base64, as all other JSON of protobuf has them."""
    if isinstance(record, dict):
        for key in ("traceId", "spanId"):
            if isinstance(record.get(key), str):
                data = b""
                with suppress(ValueError):
                    data = bytes.fromhex(record[key])
                record[key] = base64.b64encode(data).decode()
    return record


def _id(data: bytes, length: int) -> str:
    return (data if len(data) == length else bytes(length)).hex()
