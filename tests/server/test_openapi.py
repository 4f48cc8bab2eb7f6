"""The OpenAPI document: it is whole, and the server does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from promptstore.server.documents import SCHEMAS
from tests.gitrepo import GitRepo
from tests.server.listening import Server

CHECKS = Path(__file__).parent / "schemathesis.toml"
UNBUILT = "translate|logs/"
"""Answers 501 until it is built, which is the one error of a server that is meant."""


def test_the_document_is_whole(server: Server) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    paths = document["paths"]
    assert len(paths) == 14
    operations = [one for methods in paths.values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["description"] for one in operations)
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used == SCHEMAS.keys()
    assert SCHEMAS.keys() == document["components"]["schemas"].keys()


def test_the_page_shows_every_operation_without_scripts_and_other_hosts(server: Server) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    answer = httpx.get(f"{server.url}/docs")
    page = _Page()
    page.feed(answer.text)
    operations = {
        one["operationId"] for methods in document["paths"].values() for one in methods.values()
    }
    assert page.ids == operations
    assert page.open == []
    assert page.links == ["/openapi.json"]
    assert not page.tags & {"script", "img", "link", "iframe", "form", "base"}
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.add(str(value))
            if key in ("href", "src"):
                self.links.append(str(value))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_method_that_is_none_is_told_which_there_are(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/api/projects/1/llm_prompts/name/a/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PATCH")


def test_each_example_fits_its_schema(server: Server) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    seen = 0
    for schema, example in _examples(document["paths"]):
        whole = {**schema, "components": document["components"]}
        jsonschema_rs.validate(whole, example)
        seen += 1
    assert seen > 50


def _examples(value: Any) -> Any:
    if isinstance(value, dict):
        if "example" in value and "schema" in value:
            yield value["schema"], value["example"]
        for item in value.values():
            yield from _examples(item)
    elif isinstance(value, list):
        for item in value:
            yield from _examples(item)


@pytest.mark.parametrize(
    "examples", [1, pytest.param(60, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_server_does_what_the_document_says(
    server: Server, repo: GitRepo, tmp_path: Path, examples: int
) -> None:
    # A project that is made up would be 404 everywhere, and nothing would be tried.
    config = tmp_path / "schemathesis.toml"
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
        f"--exclude-path-regex={UNBUILT}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
