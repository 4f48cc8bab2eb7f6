"""Both transports with the SDK's own client, of the newest revision and of an older one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

from promptstore.server.tokens import SCOPES
from tests.gitrepo import GitRepo
from tests.server.listening import Server, hosting
from tests.server.test_serve import refused, served

Connect: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]


def over_stdio(repo: GitRepo, **options: Any) -> AbstractAsyncContextManager[Client]:
    """Start the command, as an application does."""
    command = ["-m", "promptstore", "-C", str(repo.path), "mcp"]
    environment = dict(os.environ)
    return Client(
        StdioServerParameters(command=sys.executable, args=command, env=environment), **options
    )


@asynccontextmanager
async def over_http(
    url: str, key: str = "", query: str = "", **options: Any
) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # There is no TLS: reading certificates for it would take longer than all requests of a test.
    async with (
        httpx2.AsyncClient(headers=headers, verify=False, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp{query}", http_client=http), **options) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with hosting(tmp_path_factory.mktemp("host") / "tokens.json") as host:
        yield host


@pytest.fixture
def server(host: Any, repo: GitRepo) -> Any:
    with host.project(repo.path) as server:
        yield server


@pytest.fixture(params=["stdio", "http"])
def connect(request: pytest.FixtureRequest, repo: GitRepo) -> Connect:
    """Connect a client by each transport."""
    if request.param == "stdio":
        return lambda **options: over_stdio(repo, **options)
    server: Server = request.getfixturevalue("server")
    return lambda **options: over_http(server.url, server.key, **options)


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_a_client(connect: Connect, repo: GitRepo, mode: str, version: str) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()

    async def use() -> None:
        async with connect(mode=mode, message_handler=heard.put) as client:
            assert client.protocol_version == version
            capabilities = client.server_capabilities
            assert capabilities.prompts == types.PromptsCapability(list_changed=True)
            assert capabilities.completions is not None
            is_new = version == "2026-07-28"
            assert ("io.modelcontextprotocol/skills" in (capabilities.extensions or {})) is is_new
            assert await names(client) == ["greet", "support/triage"]
            found = await client.get_prompt("greet", {"name": "Ada"})
            assert found.messages[0].content == types.TextContent(text="Hello Ada")
            with pytest.raises(MCPError, match="'name' is missing"):
                await client.get_prompt("greet")
            called = await client.call_tool("prompt_history", {"name": "greet"})
            assert (called.structured_content or {})["total"] == 2
            await hear(client, mode)
            assert await names(client) == ["fresh", "greet", "support/triage"]

    async def hear(client: Client, mode: str) -> None:
        """Wait until the server says that a commit arrived."""
        if mode == "legacy":
            repo.commit({"prompts/fresh.yaml": "prompt: x\n"})
            while not isinstance(await heard.get(), types.PromptListChangedNotification):
                pass
            return
        async with client.listen(prompts_list_changed=True) as events:
            repo.commit({"prompts/fresh.yaml": "prompt: x\n"})
            assert type(await anext(aiter(events))).__name__ == "PromptsListChanged"

    asyncio.run(asyncio.wait_for(use(), 60))


async def names(client: Client) -> list[str]:
    found = await client.list_prompts(cache_mode="refresh")
    return [prompt.name for prompt in found.prompts]


def test_a_commit_that_touches_no_prompt_is_not_told(server: Server, repo: GitRepo) -> None:
    async def use() -> None:
        async with over_http(server.url, server.key) as client:
            uri = "promptstore:///prompts/greet.yaml"
            async with client.listen(
                prompts_list_changed=True, resource_subscriptions=[uri]
            ) as events:
                heard = aiter(events)
                repo.commit({"README.md": "Hello\n"})
                repo.commit({"prompts/greet.yaml": "prompt: Hey\n"})
                found = [await anext(heard), await anext(heard)]
                assert [type(one).__name__ for one in found] == [
                    "PromptsListChanged",
                    "ResourceUpdated",
                ]

    asyncio.run(asyncio.wait_for(use(), 60))


def status(server: Server, key: str, headers: dict[str, str] | None = None) -> int:
    """Return how a request is answered before the protocol begins."""
    with server.client(key) as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        sent = {"Accept": "application/json, text/event-stream", **(headers or {})}
        return client.post("/mcp", json=body, headers=sent).status_code


def test_the_keys_and_scopes_of_the_api(server: Server, repo: GitRepo) -> None:
    assert status(server, "phx_wrong") == 401
    assert status(server, server.key_for("logs:read")) == 403
    reader = server.key_for("llm_prompt:read")

    async def tools(key: str) -> list[str]:
        async with over_http(server.url, key) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    assert "propose_change" not in asyncio.run(tools(reader))
    assert "propose_change" in asyncio.run(tools(server.key))

    async def propose(key: str) -> types.CallToolResult:
        change = {"name": "greet", "source": "prompt: Hey\n", "message": "Be brief"}
        async with over_http(server.url, key) as client:
            return await client.call_tool("propose_change", change)

    assert asyncio.run(propose(reader)).is_error
    writer = server.key_for("llm_prompt:write", user="Eve <eve@example.com>")
    branch = (asyncio.run(propose(writer)).structured_content or {})["branch"]
    assert repo.git("log", "-1", "--format=%an", branch).strip() == "Eve"


def test_a_page_of_another_site_is_refused(server: Server) -> None:
    for origin in ("https://evil.example", "null", "", "http://["):
        assert status(server, server.key, {"Origin": origin}) == 403
    assert status(server, server.key, {"Origin": server.url}) not in (401, 403)


def test_a_project_by_its_public_token_and_by_the_key(
    host: Any, server: Server, tmp_path: Path
) -> None:
    other = GitRepo.init(tmp_path / "other")
    other.commit({"prompts/other.yaml": "prompt: x\n"})
    with host.project(other.path) as second:
        key = server.key_for(*SCOPES, projects=(server.project, second.project))

        async def listed(query: str) -> list[str]:
            async with over_http(server.url, key, query) as client:
                return await names(client)

        assert asyncio.run(listed("")) == ["greet", "support/triage"]
        assert asyncio.run(listed(f"?token=phc_project_{second.project}")) == ["other"]


def test_a_session_belongs_to_the_key_that_began_it(server: Server) -> None:
    begin = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    accept = {"Accept": "application/json, text/event-stream"}
    with server.client() as client:
        session = client.post("/mcp", json=begin, headers=accept).headers["mcp-session-id"]
        sent = {**accept, "mcp-session-id": session}
        notice = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert client.post("/mcp", json=notice, headers=sent).status_code == 202
        other = server.key_for(user="Eve <eve@example.com>")
        with server.client(other) as stranger:
            assert stranger.post("/mcp", json=notice, headers=sent).status_code == 404
        assert client.delete("/mcp", headers=sent).status_code == 200


def test_what_fails_on_the_server_names_no_path_of_it(server: Server, repo: GitRepo) -> None:
    async def fail() -> str:
        async with over_http(server.url, server.key) as client:
            (repo.path / ".git/refs/heads/main").write_text("nonsense\n")
            with pytest.raises(MCPError) as caught:
                await client.list_prompts()
            return caught.value.message

    assert asyncio.run(fail()).endswith("the server's log says why.")


def test_the_server_stops_though_a_client_listens(repo: GitRepo) -> None:
    async def use() -> None:
        with served(repo, "--no-auth") as (process, url):
            async with over_http(url) as client, client.listen(prompts_list_changed=True) as events:
                process.send_signal(signal.SIGTERM)
                assert [event async for event in events] == []
                await asyncio.wait_for(asyncio.to_thread(process.wait), 15)

    asyncio.run(asyncio.wait_for(use(), 60))


def test_without_its_extra_both_say_what_to_install(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert "[mcp]" in refused(repo, "mcp")
    with (
        hosting(tmp_path / "tokens.json") as host,
        host.project(repo.path) as server,
        server.client() as client,
    ):
        answer = client.post("/mcp", json={})
    assert (answer.status_code, "[mcp]" in answer.json()["detail"]) == (501, True)
