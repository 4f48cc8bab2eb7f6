"""PostHog's released SDKs read from a server that really listens."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.gitrepo import GitRepo
from tests.server.listening import Host, Server

if TYPE_CHECKING:
    from posthog.ai import prompts as python_sdk

JS = Path(__file__).parent / "js"


@pytest.fixture(scope="module")
def written(shared: Host, first_repo: GitRepo, tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """`summarise` at versions 1 and 2, with `production` at 1; and `support/tone`."""
    repo = first_repo.copy(tmp_path_factory.mktemp("sdks") / "repo")
    body = {"base_version": 1, "prompt": "Sum up in {{n}} words: {{text}}", "config": {"top_p": 1}}
    with shared.project(repo.path) as server, server.client() as client:
        url = f"{server.url}/api/environments/@current/llm_prompts"
        name = f"{url}/name/summarise"
        assert client.patch(name, json=body).status_code == 200
        assert client.put(f"{name}/labels/production", json={"version": 1}).status_code == 201
        assert client.post(url, json={"name": "support__tone", "prompt": "Kind"}).is_success
    return repo


@pytest.fixture
def repo(written: GitRepo, tmp_path: Path) -> GitRepo:
    return written.copy(tmp_path / "repo")


@pytest.fixture(autouse=True)
def _closed_session() -> Iterator[None]:
    # The SDK keeps one HTTP session for the process.
    yield
    from posthog.ai import prompts as python_sdk

    python_sdk._get_session().close()  # type: ignore[attr-defined]


class TestPython:
    @pytest.fixture
    def make(self, server: Server) -> Callable[..., python_sdk.Prompts]:
        """Makes an SDK client; without a cache, unless it is asked for."""

        from posthog.ai import prompts as python_sdk

        def make(key: str | None = None, ttl: int = 0) -> python_sdk.Prompts:
            return python_sdk.Prompts(
                personal_api_key=key or server.key,
                project_api_key=f"phc_project_{server.project}",
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

    @pytest.mark.parametrize("spaces", ["", " ", "   ", "\t"])
    @pytest.mark.parametrize("template", ["simple", "jinja2"])
    def test_a_prompt_is_filled_whatever_spaces_its_file_has(
        self, make: Callable[..., python_sdk.Prompts], repo: GitRepo, spaces: str, template: str
    ) -> None:
        text = json.dumps(f"Hi {{{{{spaces}name{spaces}}}}}!")
        repo.commit({"prompts/greet.yaml": f"template: {template}\nprompt: {text}\n"})
        found = make().get("greet", with_metadata=True)
        assert make().compile(found.prompt, {"name": "Ada"}) == "Hi Ada!"
        everything = make().get_all()
        assert make().compile(everything["greet"].prompt, {"name": "Ada"}) == "Hi Ada!"

    def test_get_a_version_and_a_label(self, make: Callable[..., python_sdk.Prompts]) -> None:
        numbered = make().get("summarise", version=1, with_metadata=True)
        labelled = make().get("summarise", label="production", with_metadata=True)
        assert numbered.prompt == labelled.prompt == "Sum up: {{text}}"
        assert (labelled.version, labelled.label, numbered.config) == (1, "production", None)

    @pytest.mark.parametrize("name", ["support/tone", "support__tone"])
    def test_a_name_with_a_slash(self, make: Callable[..., python_sdk.Prompts], name: str) -> None:
        assert make().get(name, with_metadata=True).prompt == "Kind"

    def test_get_all(self, make: Callable[..., python_sdk.Prompts], repo: GitRepo) -> None:
        numbers = range(101)
        repo.commit({f"prompts/more-{number}.yaml": f"prompt: '{number}'\n" for number in numbers})
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


# Python's packages cannot bring it; `.ci/run` installs it where there is Node.js.
@pytest.mark.skipif(bool(_missing_for_javascript()), reason=_missing_for_javascript())
class TestJavaScript:
    @staticmethod
    def ask(server: Server, *calls: tuple[str, list[Any]]) -> list[Any]:
        """Make calls, each by an SDK client with a key, and give what they answer."""
        options = {
            "projectApiKey": f"phc_project_{server.project}",
            "host": server.url,
            "defaultCacheTtlSeconds": 0,
        }
        command = ["node", str(JS / "ask.mjs"), json.dumps(options), json.dumps(calls)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        answers: list[Any] = json.loads(done.stdout)
        return answers

    def test_a_prompt_is_filled_whatever_spaces_its_file_has(
        self, server: Server, repo: GitRepo
    ) -> None:
        text = "{% include 'support/tone' %}, {{   name }}!"
        repo.commit({"prompts/greet.yaml": f'prompt: "{text}"\n'})
        (found,) = self.ask(server, (server.key, ["get", "greet"]))
        (filled,) = self.ask(server, (server.key, ["compile", found["prompt"], {"name": "Ada"}]))
        assert filled == "Kind, Ada!"

    def test_reads_and_failures(self, server: Server) -> None:
        newest, numbered, labelled, nested, everything, by_label, *failures = self.ask(
            server,
            (server.key, ["get", "summarise"]),
            (server.key, ["get", "summarise", {"version": 1}]),
            (server.key, ["get", "summarise", {"label": "production"}]),
            (server.key, ["get", "support/tone"]),
            (server.key, ["getAll"]),
            (server.key, ["getAll", {"label": "production"}]),
            (server.key, ["get", "nope"]),
            (server.key, ["get", "nope", {"fallback": "Hello"}]),
            ("phx_wrong", ["get", "summarise"]),
            (server.key_for("logs:read"), ["get", "summarise"]),
            (server.key, ["archive", "summarise"]),
            (server.key, ["get", "summarise"]),
        )
        assert (newest["source"], newest["version"]) == ("api", 2)
        assert (newest["prompt"], newest["config"]) == (
            "Sum up in {{n}} words: {{text}}",
            {"top_p": 1},
        )
        assert numbered["prompt"] == labelled["prompt"] == "Sum up: {{text}}"
        assert labelled["label"] == "production"
        assert nested["prompt"] == "Kind"
        assert everything.keys() == {"summarise", "support__tone"}
        assert by_label["summarise"]["version"] == 1

        missing, fallback, unknown, denied, status, stale = failures
        assert (status, stale["source"], stale["version"]) == (204, "stale_cache", 2)
        assert 'Prompt "nope" not found' in missing["error"]
        assert (fallback["source"], fallback["prompt"]) == ("code_fallback", "Hello")
        assert "401" in unknown["error"]
        assert "Access denied" in denied["error"]
