"""PostHog's released SDKs read from a server that really listens."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from posthog.ai import prompts as python_sdk

from tests.server.listening import Server

JS = Path(__file__).parent / "js"
PUBLIC_TOKEN = "phc_project_1"


@pytest.fixture(autouse=True)
def _prompts(client: httpx.Client) -> None:
    """`summarise` at versions 1 and 2, with `production` at 1; and `support/tone`."""
    body = {"base_version": 1, "prompt": "Sum up in {{n}} words: {{text}}", "config": {"top_p": 1}}
    assert client.patch("name/summarise", json=body).status_code == 200
    assert client.put("name/summarise/labels/production", json={"version": 1}).status_code == 201
    assert client.post("", json={"name": "-support__tone", "prompt": "Kind"}).status_code == 201


@pytest.fixture(autouse=True)
def _closed_session() -> Iterator[None]:
    # The SDK keeps one HTTP session for the process.
    yield
    python_sdk._get_session().close()  # type: ignore[attr-defined]


class TestPython:
    @pytest.fixture
    def make(self, server: Server) -> Callable[..., python_sdk.Prompts]:
        """Makes an SDK client; without a cache, unless it is asked for."""

        def make(key: str | None = None, ttl: int = 0) -> python_sdk.Prompts:
            return python_sdk.Prompts(
                personal_api_key=key or server.key,
                project_api_key=PUBLIC_TOKEN,
                host=server.url,
                default_cache_ttl_seconds=ttl,
            )

        return make

    def test_get(self, make: Callable[..., python_sdk.Prompts]) -> None:
        found = make().get("summarise", with_metadata=True)
        assert (found.source, found.name, found.version) == ("api", "summarise", 2)
        assert found.prompt == "Sum up in {{n}} words: {{text}}"
        assert found.config == {"top_p": 1}
        compiled = make().compile(found.prompt, {"n": 3, "text": "All"})
        assert compiled == "Sum up in 3 words: All"

    def test_get_a_version_and_a_label(self, make: Callable[..., python_sdk.Prompts]) -> None:
        numbered = make().get("summarise", version=1, with_metadata=True)
        labelled = make().get("summarise", label="production", with_metadata=True)
        assert numbered.prompt == labelled.prompt == "Sum up: {{text}}"
        assert (labelled.version, labelled.label, numbered.config) == (1, "production", None)

    @pytest.mark.parametrize("name", ["support/tone", "-support__tone"])
    def test_a_name_with_a_slash(self, make: Callable[..., python_sdk.Prompts], name: str) -> None:
        assert make().get(name, with_metadata=True).prompt == "Kind"

    def test_get_all(self, make: Callable[..., python_sdk.Prompts], client: httpx.Client) -> None:
        for number in range(101):
            body = {"name": f"more-{number}", "prompt": str(number)}
            assert client.post("", json=body).status_code == 201
        everything = make().get_all()
        assert len(everything) == 103
        assert everything["more-100"].prompt == "100"
        labelled = make().get_all(label="production")
        assert {name: found.version for name, found in labelled.items()} == {"summarise": 1}

    def test_a_missing_prompt(self, make: Callable[..., python_sdk.Prompts]) -> None:
        with pytest.raises(Exception, match='Prompt "nope" not found'):
            make().get("nope", with_metadata=True)
        fallback = make().get("nope", fallback="Hello", with_metadata=True)
        assert (fallback.source, fallback.prompt) == ("code_fallback", "Hello")

    def test_keys_that_do_not_do(
        self, make: Callable[..., python_sdk.Prompts], server: Server
    ) -> None:
        with pytest.raises(Exception, match="missing, expired"):
            make("phx_wrong").get("summarise", with_metadata=True)
        with pytest.raises(Exception, match="Access denied"):
            make(server.key_for("logs:read")).get("summarise", with_metadata=True)

    def test_a_stale_cache_serves_on(
        self, make: Callable[..., python_sdk.Prompts], server: Server, client: httpx.Client
    ) -> None:
        prompts = make()
        assert prompts.get("summarise", with_metadata=True).source == "api"
        assert client.post("name/summarise/archive").status_code == 204
        kept = prompts.get("summarise", with_metadata=True)
        assert (kept.source, kept.version) == ("stale_cache", 2)

    def test_a_fresh_cache_asks_nothing(
        self, make: Callable[..., python_sdk.Prompts], client: httpx.Client
    ) -> None:
        prompts = make(ttl=300)
        prompts.get("summarise", with_metadata=True)
        client.post("name/summarise/archive")
        assert prompts.get("summarise", with_metadata=True).source == "cache"


def _missing_for_javascript() -> str:
    if shutil.which("node") is None:
        return "Node.js is not installed"
    if not (JS / "node_modules" / "@posthog" / "ai").is_dir():
        return "the SDK is not installed: run `npm ci --prefix tests/server/js`"
    return ""


@pytest.mark.skipif(bool(_missing_for_javascript()), reason=_missing_for_javascript())
class TestJavaScript:
    @staticmethod
    def ask(server: Server, *calls: list[Any], key: str | None = None) -> list[Any]:
        """Make calls of one SDK client, and give what they answer."""
        options = {
            "personalApiKey": key or server.key,
            "projectApiKey": PUBLIC_TOKEN,
            "host": server.url,
            "defaultCacheTtlSeconds": 0,
        }
        command = ["node", str(JS / "ask.mjs"), json.dumps(options), json.dumps(calls)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        answers: list[Any] = json.loads(done.stdout)
        return answers

    def test_reads(self, server: Server) -> None:
        newest, numbered, labelled, nested, everything, by_label = self.ask(
            server,
            ["get", "summarise"],
            ["get", "summarise", {"version": 1}],
            ["get", "summarise", {"label": "production"}],
            ["get", "support/tone"],
            ["getAll"],
            ["getAll", {"label": "production"}],
        )
        assert (newest["source"], newest["version"]) == ("api", 2)
        assert (newest["prompt"], newest["config"]) == (
            "Sum up in {{n}} words: {{text}}",
            {"top_p": 1},
        )
        assert numbered["prompt"] == labelled["prompt"] == "Sum up: {{text}}"
        assert labelled["label"] == "production"
        assert nested["prompt"] == "Kind"
        assert everything.keys() == {"summarise", "-support__tone"}
        assert by_label["summarise"]["version"] == 1

    def test_failures(self, server: Server) -> None:
        missing, fallback = self.ask(
            server, ["get", "nope"], ["get", "nope", {"fallback": "Hello"}]
        )
        assert 'Prompt "nope" not found' in missing["error"]
        assert (fallback["source"], fallback["prompt"]) == ("code_fallback", "Hello")
        (unknown,) = self.ask(server, ["get", "summarise"], key="phx_wrong")
        assert "401" in unknown["error"]
        (denied,) = self.ask(server, ["get", "summarise"], key=server.key_for("logs:read"))
        assert "Access denied" in denied["error"]
