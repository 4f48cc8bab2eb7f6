"""Log entries: ``python -m tests.benchmarks.logs [ENTRIES]``; 50,000 unless said otherwise.

The embedded engine runs in this process, so its processor time is that of the answer. The keys of
24 hours are asked for from the counts, and by the same question from the entries themselves. Last,
OpenTelemetry's own exporter sends entries to a server in a process of its own.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from promptstore.server.logs.engine import Engine
from promptstore.server.logs.otlp import Record, read_protobuf
from promptstore.server.logs.queries import Span
from promptstore.server.logs.rows import LEVELS, Row, make_rows
from promptstore.server.logs.store import KeysQuery, LogStore
from tests.gitrepo import GitRepo
from tests.server.logs.exporting import export_many, serving

ENTRIES: Final = 50_000
ATTRIBUTES: Final = 20
KEYS: Final = 400
SERVICES: Final = 20
BATCH: Final = 5_000
REQUEST: Final = 512
TURNS: Final = 5

_RAW: Final = """SELECT key, count() AS n FROM entries ARRAY JOIN mapKeys(attributes) AS key
WHERE project = 1 AND time >= {start:DateTime64(6, 'UTC')} AND length(key) < 256
    AND positionCaseInsensitiveUTF8(key, 'key') > 0
GROUP BY key ORDER BY n DESC, key LIMIT 100"""


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(str(Path(folder) / "logs"))
        written = min(count, ENTRIES)
        fill(engine, written, now)
        multiply(engine, count // written - 1, now)
        ask(engine, now)
        engine.close()
        send(Path(folder), written)


def fill(engine: Engine, count: int, now: datetime) -> None:
    """Write entries of the last 24 hours, and print how many a second of processor time does."""
    decoding = writing = 0.0
    for records in requests(count, now):
        data = encoded(records)
        started = time.process_time()
        batches = [read_protobuf(one) for one in data]
        decoding += time.process_time() - started
        started = time.process_time()
        rows = make_rows([one for batch in batches for one in batch.records], 1, 15)
        engine.insert(rows)
        writing += time.process_time() - started
    print(
        f"{count:,} entries x {ATTRIBUTES} attributes, {KEYS} keys, {SERVICES} services, 24 hours"
    )
    print("entries per second of processor time:")
    print(f"  decoding {count / decoding:>10,.0f}")
    print(f"  writing  {count / writing:>10,.0f}, counts of keys included")


def multiply(engine: Engine, times: int, now: datetime) -> None:
    """Write the entries so often again, within the engine; the views count their keys as always.

    Each copy is moved by another part of the day, so that keys, services and times mix anew.
    """
    day = 86_400 * 10**6
    start = int(now.timestamp() * 1e6) - day
    columns = ", ".join(name for name in Row._fields if name not in ("id", "time"))
    for number in range(times):
        engine.ask(
            f"""INSERT INTO entries (id, time, {columns})
            SELECT generateUUIDv4(), fromUnixTimestamp64Micro({start} +
                (toUnixTimestamp64Micro(time) - {start} + {(number + 1) * day // (times + 1)})
                % {day}, 'UTC'), {columns}
            FROM entries LIMIT {ENTRIES} SETTINGS max_execution_time = 600""",
            {},
        )
    (row,) = engine.ask("SELECT count() AS n FROM entries", {})
    print(f"{row['n']:,} entries are asked about")


def ask(engine: Engine, now: datetime) -> None:
    """Print what a page of keys costs, from the counts and from the entries."""
    store = LogStore(engine)
    span = Span(now - timedelta(hours=24), now)
    counted = _measured(lambda: store.attributes(1, KeysQuery("log", span, search="key")))
    start = f"{span.start:%Y-%m-%d %H:%M:%S.%f}"
    raw = _measured(lambda: engine.ask(_RAW, {"start": start}))
    found = store.attributes(1, KeysQuery("log", span, search="key", limit=5))
    rows = engine.ask(_RAW, {"start": start})
    assert [one.name for one in found.results] == [row["key"] for row in rows[:5]]
    print(f"keys of 24 hours: {counted * 1000:,.0f} ms of processor time")
    print(f"from the entries: {raw * 1000:,.0f} ms, {raw / counted:.1f} times as much")


def send(folder: Path, count: int) -> None:
    """Print how many entries a second the exporter of Python's SDK brings to a server."""
    repo = GitRepo.init(folder / "repo")
    repo.commit({"prompts/a.yaml": "prompt: Hi\n"})
    print("entries per second from OpenTelemetry's exporter over HTTP, one after another:")
    for batch in (512, BATCH):
        with serving(repo, folder / f"logs-{batch}") as (_, url, _):
            seconds = export_many(url, count, batch)
        print(f"  {batch:>5,} in a request {count / seconds:>8,.0f}")


def requests(count: int, now: datetime) -> Iterator[list[Record]]:
    """Make entries whose keys are used unevenly, in batches."""
    chance = random.Random(1)
    keys = [f"key.{number}" for number in range(KEYS)]
    weights = [1 / (number + 1) for number in range(KEYS)]
    shapes = [
        list(dict.fromkeys(chance.choices(keys, weights, k=ATTRIBUTES * 6)))[:ATTRIBUTES]
        for _ in range(500)
    ]
    resources = [
        {"service.name": f"service-{number}", "host": f"host-{number}"}
        for number in range(SERVICES)
    ]
    end = int(now.timestamp() * 1e9)
    day = 86_400 * 10**9
    for start in range(0, count, BATCH):
        yield [
            Record(
                time=end - day + (number * day) // count,
                body=f"request {number} " + "x" * 85,
                severity_number=chance.randrange(len(LEVELS)) * 4 + 1,
                severity_text="",
                event="",
                scope="bench",
                trace_id="0" * 32,
                span_id="0" * 16,
                flags=0,
                attributes=dict.fromkeys(chance.choice(shapes), f"v{number % 997}"),
                resource=resources[number % SERVICES],
            )
            for number in range(start, min(start + BATCH, count))
        ]


def encoded(records: list[Record]) -> list[bytes]:
    """Write records as an exporter sends them."""
    found = []
    for start in range(0, len(records), REQUEST):
        request = ExportLogsServiceRequest()
        for record in records[start : start + REQUEST]:
            one = request.resource_logs.add()
            one.resource.attributes.extend(_pairs(dict(record.resource)))
            made = one.scope_logs.add().log_records.add(
                time_unix_nano=record.time,
                severity_number=record.severity_number,
                attributes=_pairs(dict(record.attributes)),
            )
            made.body.string_value = record.body
        found.append(request.SerializeToString())
    return found


def _pairs(values: dict[str, str]) -> list[KeyValue]:
    pairs = []
    for key, value in values.items():
        pair = KeyValue(key=key)
        pair.value.string_value = value
        pairs.append(pair)
    return pairs


def _measured(work: Callable[[], object]) -> float:
    """Return the least processor time of several turns: others on the machine only add to it."""
    work()
    times = []
    for _ in range(TURNS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


if __name__ == "__main__":
    main()
