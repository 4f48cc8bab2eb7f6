"""The examples of docs/guides/logs.md, run against a server."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.docs.blocks import DOCS, named_block
from tests.server.chatstub import ChatStub, completion
from tests.server.logs.sending import Logs
from tests.server.logs.test_explain import GOOD

PAGE = DOCS / "guides" / "logs.md"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("shop")
    yield
    logger.handlers.clear()


def block(word: str, logs: Logs) -> str:
    """Return an example of logs.md for the server of a test."""
    text = named_block(PAGE, word).text.replace("http://127.0.0.1:8000", logs.server.url)
    return text.replace("phc_project_1", f"phc_project_{logs.server.project}").replace(
        "phx_key", logs.server.key
    )


def test_the_example_of_translating(
    logs: Logs, stub: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer = lambda _: completion("Bonjour")
    exec(block("translate", logs), {})
    assert capsys.readouterr().out == "Bonjour\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_examples_of_sending_and_explaining(logs: Logs, stub: ChatStub) -> None:
    exec(block("exporter", logs), {})
    (row,) = logs.page()["results"]
    assert (row["body"], row["level"]) == ("payment failed", "error")
    stub.answer = lambda _: completion(json.dumps(GOOD))
    script = block("curl", logs).replace("$ curl", "curl -sS").replace("\n> ", "\n")
    values = {"KEY": logs.server.key, "UUID": row["uuid"], "TIMESTAMP": row["timestamp"]}
    done = subprocess.run(
        ["bash", "-euc", script], env={**os.environ, **values}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert '"name": "http.route"' in done.stdout
    assert '"body": "payment failed"' in done.stdout
    assert GOOD["headline"] in done.stdout
