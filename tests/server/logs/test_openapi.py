"""The server does what its document says of logs and translations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.server.chatstub import ChatStub, completion
from tests.server.logs.sending import Logs, record
from tests.server.logs.test_explain import GOOD
from tests.server.test_openapi import UNBUILT, check_document


@pytest.mark.parametrize(
    "examples", [1, pytest.param(30, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_server_does_what_the_document_says(
    logs: Logs, stub: ChatStub, tmp_path: Path, examples: int
) -> None:
    stub.answer = lambda _: completion(json.dumps(GOOD))
    logs.keep(record("x", a="1"))
    check_document(
        logs.server,
        tmp_path,
        examples,
        "--phases=examples,coverage,fuzzing",
        "--request-timeout=60",
        f"--include-path-regex={UNBUILT}",
    )
