"""The configuration of applications in the documentation."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.docs.blocks import DOCS, named_block
from tests.gitrepo import GitRepo
from tests.mcp.test_transports import names, over_http
from tests.server.listening import hosting

PAGE = DOCS / "guides/mcp.md"


def configured(word: str) -> dict[str, Any]:
    """Return the one server that a block of the page configures."""
    block = json.loads(named_block(PAGE, word).text)
    (server,) = (block.get("mcpServers") or block["servers"]).values()
    found: dict[str, Any] = server
    return found


@pytest.mark.parametrize("word", ["claude", "vscode", "cursor"])
def test_an_application_can_start_the_command(repo: GitRepo, word: str) -> None:
    server = configured(word)
    assert server["command"].endswith("/.venv/bin/promptstore")
    folder = server["command"].removesuffix("/.venv/bin/promptstore")
    arguments = [argument.replace(folder, str(repo.path)) for argument in server["args"]]
    script = str(Path(sys.executable).with_name("promptstore"))

    async def use() -> list[str]:
        parameters = StdioServerParameters(command=script, args=arguments, env=dict(os.environ))
        async with Client(parameters) as client:
            return await names(client)

    assert asyncio.run(use()) == ["greet", "support/triage"]


def test_an_application_can_ask_the_server(repo: GitRepo, tmp_path: Path) -> None:
    server = configured("vscode-http")
    assert server["url"].endswith("/mcp")
    header, value = next(iter(server["headers"].items()))
    assert (header, value) == ("Authorization", "Bearer ${input:prompts-key}")

    async def use(url: str, key: str) -> list[str]:
        async with over_http(url, key) as client:
            return await names(client)

    with hosting(tmp_path / "tokens.json") as host, host.project(repo.path) as started:
        assert asyncio.run(use(started.url, started.key)) == ["greet", "support/triage"]
