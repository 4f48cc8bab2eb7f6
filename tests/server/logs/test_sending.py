"""``/v1/logs``: what exporters send, what is kept of it, and what nobody can read."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from promptstore.errors import LogStoreBusyError, LogStoreError
from promptstore.server.logs.otlp import MAX_BYTES, Record, read_json, read_protobuf
from promptstore.server.logs.rows import Row, level_of, make_id, make_rows
from promptstore.server.logs.writer import MAX_QUEUED, LogWriter
from tests.server.logs.sending import TYPE, Logs, attribute, export, record

PROTOBUF = {"content-type": "application/x-protobuf"}


def exported(body: str = "x", **more: Any) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope_logs = request.resource_logs.add().scope_logs.add()
    made = scope_logs.log_records.add(**more)
    made.body.string_value = body
    return request


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("compression", list(Compression))
def test_the_exporter_of_opentelemetry(logs: Logs, compression: Compression) -> None:
    exporter = OTLPLogExporter(
        endpoint=f"{logs.server.url}/v1/logs", headers=logs.sender, compression=compression
    )
    if compression is Compression.Deflate:
        assert (
            logs.send(b"x", headers=PROTOBUF | {"content-encoding": "deflate"}).status_code == 400
        )
        return
    provider = LoggerProvider(Resource.create({"service.name": "shop", "pod": "p1"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.getLogger(f"shop.{compression.value}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(LoggingHandler(logger_provider=provider))
    for number in range(1_000):
        logger.warning("paid %d", number, extra={"user": f"u{number % 7}", "amount": number})
    provider.shutdown()
    found = logs.page(limit=1000, serviceNames=["shop"])["results"]
    assert {row["body"] for row in found} == {f"paid {number}" for number in range(1_000)}
    row = next(row for row in found if row["body"] == "paid 8")
    assert (row["level"], row["severity_number"]) == ("warn", 13)
    assert (row["attributes"]["user"], row["attributes"]["amount"]) == ("u1", "8")
    assert row["resource_attributes"]["pod"] == "p1"
    assert {"user", "amount"} <= set(logs.keys())


@pytest.mark.parametrize("path", ["/v1/logs", "/i/v1/logs", "/v1/logs/"])
def test_the_answer_is_of_the_kind_of_the_request(logs: Logs, path: str) -> None:
    answer = logs.send(exported().SerializeToString(), path, PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportLogsServiceResponse.FromString(answer.content) == ExportLogsServiceResponse()
    answer = logs.send(export([record("x")]), path)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"


def test_a_request_without_entries(logs: Logs) -> None:
    for data, headers in ((b"", PROTOBUF), (b"{}", TYPE)):
        assert logs.send(data, headers=headers).status_code == 200


def test_the_project_is_told_by_its_public_token(logs: Logs) -> None:
    url = f"{logs.server.url}/v1/logs"
    number = logs.server.project
    body = export([record("by the query")])
    for headers in (
        {},
        {"authorization": "Bearer x"},
        {"authorization": f"Bearer {logs.server.key}"},
    ):
        answer = httpx.post(url, json=body, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert httpx.post(f"{url}?token=phc_project_{number}", json=body).status_code == 200
    assert logs.bodies() == ["by the query"]


def test_values_of_every_kind(logs: Logs) -> None:
    values: dict[str, tuple[dict[str, Any], str]] = {
        "int": ({"intValue": "-9007199254740993"}, "-9007199254740993"),
        "int as number": ({"intValue": 5}, "5"),
        "bool": ({"boolValue": True}, "true"),
        "double": ({"doubleValue": 0.5}, "0.5"),
        "bytes": ({"bytesValue": "AAH/"}, "AAH/"),
        "none": ({}, ""),
        "list": ({"arrayValue": {"values": [{"stringValue": "é"}, {"intValue": "1"}]}}, '["é", 1]'),
        "map": ({"kvlistValue": {"values": [attribute("a", "b")]}}, '{"a": "b"}'),
        "half": ({"stringValue": "a\ud800"}, "a?"),
        "nul": ({"stringValue": "a\0b"}, "a\0b"),
    }
    logs.keep(record("x", **{key: value for key, (value, _) in values.items()}))
    (row,) = logs.page()["results"]
    assert row["attributes"] == {key: text for key, (_, text) in values.items()}


def test_ids_and_times(logs: Logs) -> None:
    trace, span = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"
    logs.keep(record("hex", traceId=trace, spanId=span), record("short", traceId="ab", spanId="zz"))
    found = {row["body"]: (row["trace_id"], row["span_id"]) for row in logs.page()["results"]}
    assert found == {"hex": (trace.lower(), span.lower()), "short": ("0" * 32, "0" * 16)}
    # An entry without a time has that of its arrival; times that are mistakes do not harm.
    logs.keep(record("none", time=0), record("far", time=2**63), record("first", time=1))
    assert "none" in logs.bodies()
    span_of_all = {"date_from": "1970-01-01", "date_to": "2300-01-01"}
    assert set(logs.bodies(dateRange=span_of_all)) == {"hex", "short", "none", "far", "first"}


@pytest.mark.parametrize(
    ("number", "word", "body", "level"),
    [
        (1, "", "", "trace"), (4, "", "", "trace"), (5, "", "", "debug"), (12, "", "", "info"),
        (13, "error", "", "warn"), (17, "", "", "error"), (24, "", "", "fatal"),
        (0, "Warning", "", "warn"), (0, " CRIT ", "", "fatal"), (0, "odd", "", "info"),
        (0, "", '{"level": "error"}', "error"), (0, "", {"log.level": "DEBUG"}, "debug"),
        (0, "", '{"level": 7}', "info"), (0, "", "{" * 9_999, "info"),
    ],
)  # fmt: skip
def test_severities(number: int, word: str, body: Any, level: str) -> None:
    assert level_of(number, word, body) == level


def test_what_can_be_read_of_a_request_is_kept(logs: Logs) -> None:
    deep: dict[str, Any] = {"stringValue": "x"}
    for _ in range(80):
        deep = {"arrayValue": {"values": [deep]}}
    bad: list[Any] = [record(a=deep), {"timeUnixNano": "soon"}, 5, {"attributes": [5]}]
    answer = logs.send(export([record("good"), *bad]))
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "4"
    assert "too deep" in answer.json()["partialSuccess"]["errorMessage"]
    assert logs.bodies() == ["good"]


_BOMB = zlib.compressobj(wbits=31)
_PACKED = _BOMB.compress(b" " * (MAX_BYTES + 1)) + _BOMB.flush()
_HALF = exported("abcd").SerializeToString().replace(b"abcd", b"\xff" * 4)
UNREADABLE: dict[str, tuple[bytes, dict[str, str], int]] = {
    "protobuf that is none": (b"\xff\xff", PROTOBUF, 400),
    "invalid UTF-8": (_HALF, PROTOBUF, 400),
    "JSON that is none": (b"{", TYPE, 400),
    "invalid UTF-8 in JSON": (b'{"a": "\xff"}', TYPE, 400),
    "a list": (b"[]", TYPE, 400),
    "deep JSON": (b"[" * 100_000, TYPE, 400),
    "no list": (b'{"resourceLogs": 5}', TYPE, 400),
    "no object": (b'{"resourceLogs": [5]}', TYPE, 400),
    "gzip that is none": (b"{}", TYPE | {"content-encoding": "gzip"}, 400),
    "half of gzip": (gzip.compress(b"{}" * 99)[:20], TYPE | {"content-encoding": "gzip"}, 400),
    "a bomb": (_PACKED, TYPE | {"content-encoding": "gzip"}, 413),
    "a large body": (b" " * (MAX_BYTES + 1), TYPE, 413),
    "an unknown encoding": (b"{}", TYPE | {"content-encoding": "br"}, 400),
    "an unknown type": (b"{}", {"content-type": "text/plain"}, 415),
    "no type": (b"{}", {"content-type": ""}, 415),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_nobody_can_read(logs: Logs, kind: str) -> None:
    data, headers, status = UNREADABLE[kind]
    answer = logs.send(data, headers=headers)
    assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)
    assert logs.bodies() == []


_SCALARS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.binary(),
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


def _any_value(value: Any) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=map(_any_value, value)))
    kinds = {str: "string", bool: "bool", bytes: "bytes", int: "int", float: "double"}
    return AnyValue(**{f"{kinds[type(value)]}_value": value})


def _json_value(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_json_value(one) for one in value]}}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return {kinds[type(value)]: str(value) if type(value) is int else value}


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), _VALUES, max_size=4
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_json_and_protobuf_say_the_same(values: dict[str, Any]) -> None:
    request = exported("x", time_unix_nano=5)
    found = request.resource_logs[0].scope_logs[0].log_records[0]
    found.attributes.extend(KeyValue(key=key, value=_any_value(one)) for key, one in values.items())
    attributes = [{"key": key, "value": _json_value(one)} for key, one in values.items()]
    sent = {"timeUnixNano": "5", "body": {"stringValue": "x"}, "attributes": attributes}
    content = {"resourceLogs": [{"scopeLogs": [{"logRecords": [sent]}]}]}
    ours = read_json(json.dumps(content).encode()).records
    assert ours == read_protobuf(request.SerializeToString()).records


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["k1", "k2", "k3"])),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_counts_of_keys_are_those_of_the_entries(
    logs: Logs, host: Any, repo: Any, pairs: list[tuple[str, str]]
) -> None:
    with host.project(repo.path) as server, server.client() as client:
        client.base_url = httpx.URL(f"{server.url}/api/environments/@current/logs/")
        mine = Logs(client, server)
        for service in "abc":
            sent = [record("x", **{key: "v"}) for one, key in pairs if one == service]
            if sent:
                mine.keep(*sent, service=service)
        for services in (["a"], ["a", "b"], ["a", "b", "c"]):
            counts: dict[str, int] = {}
            for service, key in pairs:
                if service in services:
                    counts[key] = counts.get(key, 0) + 1
            by_count = sorted(counts, key=lambda key: (-counts[key], key))
            assert mine.keys(serviceNames=services) == by_count


def test_ids_are_of_version_7_and_begin_with_the_time() -> None:
    ids = [make_id(1_795_963_353_787 + number) for number in range(100)]
    assert ids == sorted(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}


def rows(count: int) -> list[Row]:
    empty = Record(0, "x", 0, "", "", "", "", "", 0, {}, {})
    return make_rows([empty] * count, 1, 15)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Lets a writer write."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_a_full_queue_takes_nothing_more(gate: threading.Event) -> None:
    written: list[int] = []

    def insert(batch: Sequence[Row]) -> None:
        assert gate.wait(30)
        written.append(len(batch))

    writer = LogWriter(insert, "here")
    first = writer.submit(rows(MAX_QUEUED))
    with pytest.raises(LogStoreBusyError, match="Send them again later"):
        writer.submit(rows(1))
    gate.set()
    first.result(30)
    writer.close()
    assert written == [MAX_QUEUED]
    with pytest.raises(LogStoreBusyError):
        writer.submit(rows(1))


def test_one_request_that_cannot_be_written_takes_no_other_with_it(gate: threading.Event) -> None:
    def insert(batch: Sequence[Row]) -> None:
        assert gate.wait(30)
        if any(row.body == "bad" for row in batch):
            raise LogStoreError(place="here", reason="no")

    writer = LogWriter(insert, "here")
    good, bad = rows(1), [rows(1)[0]._replace(body="bad")]
    waiting = [writer.submit(one) for one in (good, bad, good)]
    gate.set()
    assert waiting[0].result(30) is None
    assert waiting[2].result(30) is None
    with pytest.raises(LogStoreError):
        waiting[1].result(30)
    writer.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_answers_who_waits(gate: threading.Event) -> None:
    def insert(batch: Sequence[Row]) -> None:
        raise MemoryError

    writer = LogWriter(insert, "here")
    with pytest.raises(LogStoreError, match="nothing is written any more"):
        writer.submit(rows(1)).result(30)
    with pytest.raises(LogStoreBusyError):
        writer.submit(rows(1))
    writer.close()


def test_a_full_queue_and_a_failure_ask_to_come_again(
    logs: Logs, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, status in (
        (LogStoreBusyError(place="here", reason="full"), 429),
        (LogStoreError(place="here", reason="down"), 503),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(service, "accept", fail)
        answer = logs.send(export([record("x")]))
        assert (answer.status_code, answer.headers["retry-after"]) == (status, "1")
