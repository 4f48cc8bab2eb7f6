"""The server does what its document says of logs and translations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.chatstub import ChatStub, completion
from tests.server.logs.sending import Logs, record
from tests.server.logs.test_explain import GOOD
from tests.server.test_openapi import CHECKS, UNBUILT


@pytest.mark.parametrize(
    "examples", [1, pytest.param(30, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_server_does_what_the_document_says(
    logs: Logs, stub: ChatStub, tmp_path: Path, examples: int
) -> None:
    stub.answer = lambda _: completion(json.dumps(GOOD))
    logs.keep(record("x", a="1"))
    config = tmp_path / "schemathesis.toml"
    server = logs.server
    parameters = f'"path.project_id" = "@current"\n"query.token" = "phc_project_{server.project}"\n'
    config.write_text(f"[parameters]\n{parameters}\n{CHECKS.read_text()}")
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={config}",
        "run",
        f"{server.url}/openapi.json",
        "--header",
        f"Authorization: Bearer {server.key}",
        "--checks=all",
        f"--max-examples={examples}",
        "--seed=1",
        "--phases=examples,coverage,fuzzing",
        "--request-timeout=60",
        f"--include-path-regex={UNBUILT}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
