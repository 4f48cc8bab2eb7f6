"""The OpenAPI document: it is whole, and the server does what it says."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import httpx
import jsonschema_rs
import pytest

from tests.gitrepo import GitRepo
from tests.server.listening import Server

CHECKS = Path(__file__).parent / "schemathesis.toml"
UNBUILT = "translate|logs/"
"""Without a model or a log store they answer 503 or 501, as is meant."""


def test_the_document_is_whole(server: Server) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    paths = document["paths"]
    assert len(paths) == 18
    operations = [one for methods in paths.values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["description"] for one in operations)
    described = [one for each in operations for one in each.get("parameters", ())]
    assert all(one["description"] for one in described)
    assert document["components"]["securitySchemes"].keys() == {"key"}
    by_name = paths["/api/environments/{project_id}/llm_prompts/name/{prompt_name}"]["get"]
    assert by_name["security"] == [{"key": ["llm_prompt:read"]}]
    assert {one["name"] for one in by_name["parameters"]} == {
        "project_id", "prompt_name", "version", "label", "content", "format", "token",
        "If-None-Match",
    }  # fmt: skip
    assert set(by_name["responses"]) == {"200", "304", "401", "403", "default"}


def test_the_page_shows_the_document_and_needs_no_other_host(server: Server) -> None:
    answer = httpx.get(f"{server.url}/docs")
    page = _Page()
    page.feed(answer.text)
    assert page.links == [
        "docs/ui/swagger-ui.css",
        "docs/ui/favicon-32x32.png",
        "docs/ui/swagger-ui-bundle.js",
    ]
    for link in page.links:
        assert httpx.get(f"{server.url}/{link}").status_code == 200
    assert "url: 'openapi.json'" in answer.text
    assert '"tryItOutEnabled": true' in answer.text
    policy = answer.headers["content-security-policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in policy
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["..%2fmain.py", "../main.py", "x", "%2e%2e/main.py", ""])
def test_the_page_gives_no_other_file(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}/docs/ui/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Endpoint not found.")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for key, value in attrs if key in ("href", "src")]


def test_a_method_that_is_none_is_told_which_there_are(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/api/projects/1/llm_prompts/name/a/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PATCH")


def test_each_model_has_an_example_that_fits(server: Server) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            jsonschema_rs.validate({**schema, "components": {"schemas": schemas}}, example)
        needs_none = {"Edit", "ErrorBody", "Heading", "Health", "LabelVersion", "TextDiff", "User"}
        inner = {"Action", "Cause", "KeyField", "LogEntry", "TextReprOptions"}
        assert schema.get("examples") or name in needs_none | inner, name


def check_document(server: Server, folder: Path, examples: int, *options: str) -> None:
    """Let schemathesis try what the document says."""
    # A project that is made up would be 404 everywhere, and nothing would be tried.
    config = folder / "schemathesis.toml"
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
        *options,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


@pytest.mark.parametrize(
    "examples", [1, pytest.param(60, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_server_does_what_the_document_says(
    server: Server, repo: GitRepo, tmp_path: Path, examples: int
) -> None:
    check_document(server, tmp_path, examples, f"--exclude-path-regex={UNBUILT}")
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
