"""The engine: one process for each folder, forks, crashes, and places that are none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptstore.errors import InvalidArgumentError, LogStoreError, MissingExtraError
from promptstore.server.logs import engine
from promptstore.server.logs.engine import Engine
from promptstore.server.logs.queries import read_span
from promptstore.server.logs.store import KeysQuery
from promptstore.server.logs.writer import LogService
from tests.gitrepo import GitRepo
from tests.server.logs.exporting import bodies_at, export_many, serving
from tests.server.logs.sending import Logs, export, record


@pytest.mark.parametrize("count", [300, pytest.param(1_500, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_a_kill(repo: GitRepo, tmp_path: Path, count: int) -> None:
    acknowledged: set[str] = set()
    enough = threading.Event()
    lock = threading.Lock()

    def write(url: str, writer: int) -> None:
        with httpx.Client(timeout=60) as client:
            for number in range(500):
                bodies = [f"{writer}-{number}-{one}" for one in range(5)]
                content = export([record(body, key=body) for body in bodies])
                try:
                    answer = client.post(f"{url}/v1/logs", json=content)
                    if number % 5 == writer % 5:
                        client.get(f"{url}/api/projects/1/logs/attributes")
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    with lock:
                        acknowledged.update(bodies)
                        if len(acknowledged) > count:
                            enough.set()

    with serving(repo, tmp_path / "logs") as (process, url, said):
        assert f"logs: {tmp_path / 'logs'}, for 15 days\n" in said
        with ThreadPoolExecutor(32) as pool:
            writers = [pool.submit(write, url, writer) for writer in range(32)]
            assert enough.wait(120)
            process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.result(60)
    with serving(repo, tmp_path / "logs") as (_, url, _):
        assert acknowledged - set(bodies_at(url)) == set()
        keys = httpx.get(f"{url}/api/projects/1/logs/attributes").json()
        assert [row["name"] for row in keys["results"]] == ["key"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("count", "batch"),
    [
        (1_000, 512),
        pytest.param(50_000, 512, marks=pytest.mark.slow),
        pytest.param(50_000, 5_000, marks=pytest.mark.slow),
    ],
)
def test_the_exporter_of_opentelemetry_sends_many(
    repo: GitRepo, tmp_path: Path, count: int, batch: int
) -> None:
    with serving(repo, tmp_path / "logs") as (_, url, _):
        seconds = export_many(url, count, batch)
        found = bodies_at(url)
    assert sorted(found) == sorted(f"paid {number}" for number in range(count))
    # A fraction of what a busy machine does; `tests.benchmarks.logs` measures it.
    assert count / seconds > 300, f"{count / seconds:,.0f} entries a second"


def test_a_server_that_stops_writes_what_waits(repo: GitRepo, tmp_path: Path) -> None:
    with serving(repo, tmp_path / "logs") as (process, url, _):
        assert httpx.post(f"{url}/v1/logs", json=export([record("last")])).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)


def test_a_second_server_on_one_folder_says_why_not(
    logs: Logs, service: LogService, repo: GitRepo
) -> None:
    folder = str(service).partition(",")[0]
    command = [sys.executable, "-m", "promptstore", "serve", "--port", "0", "--no-auth"]
    done = subprocess.run(
        [*command, "--logs", folder], cwd=repo.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"{folder}: another process keeps its logs here. Stop it" in done.stderr
    logs.keep(record("still"))
    assert logs.bodies() == ["still"]


def test_a_fork_is_told_that_the_engine_is_not_its_own(logs: Logs, service: LogService) -> None:
    logs.keep(record("x", a="1"))
    query = KeysQuery("log", read_span(None, datetime.now(UTC)))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        try:
            service.store.attributes(1, query)
        except LogStoreError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        text = said.read().decode()
    os.waitpid(child, 0)
    assert f"process {os.getpid()} opened it, and its engine does not live on in a fork" in text
    assert logs.keys() == ["a"]


@pytest.mark.parametrize(
    "place", ["", "http://host/db", "chdb://host/folder", "clickhouse://", "clickhouse://u:p@h/d"]
)
def test_a_place_that_is_none(place: str) -> None:
    with pytest.raises(InvalidArgumentError, match="PROMPTSTORE_LOGS_PASSWORD") as refusal:
        Engine(place)
    assert "u:p" not in str(refusal.value)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LogStoreError, match="Not a directory"):
        Engine(str(tmp_path / "file" / "logs"))


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(LogStoreError, match=r"clickhouse://127\.0\.0\.1:1/db: the engine failed"):
        Engine("clickhouse://127.0.0.1:1/db")


@pytest.mark.parametrize("missing", ["chdb", "clickhouse_connect", "opentelemetry"])
def test_without_the_extra_its_name_is_said(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(MissingExtraError, match=r"pip install .*\[logs\]"):
        Engine(str(tmp_path))


def test_a_server_is_reached_by_the_same_client(monkeypatch: pytest.MonkeyPatch) -> None:
    from clickhouse_connect.driver.exceptions import ClickHouseError

    place = "clickhouses://me%40x@logs.example.com/shop"
    target: dict[str, Any] = {}

    def get_client(**arguments: Any) -> None:
        target.update(arguments)
        raise ClickHouseError("nobody is there")

    monkeypatch.setattr("clickhouse_connect.get_client", get_client)
    with pytest.raises(LogStoreError, match=r"logs\.example\.com"):
        Engine(place, "secret")
    assert (target["host"], target["port"], target["secure"]) == ("logs.example.com", 8443, True)
    assert (target["username"], target["password"]) == ("me@x", "secret")
    assert (target["database"], target["autogenerate_session_id"]) == ("shop", False)


def test_the_packages_of_logs_are_loaded_when_logs_are_kept() -> None:
    program = (
        "import sys, json, promptstore.server.app\n"
        "names = ('chdb', 'clickhouse_connect', 'opentelemetry.proto', 'google.protobuf')\n"
        "print(json.dumps([name for name in names if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
