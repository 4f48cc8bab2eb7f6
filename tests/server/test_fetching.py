"""A server that fetches: it reads what the remote has, and a webhook asks for it at once."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from promptstore.errors import InvalidArgumentError
from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings, read_settings, single_project
from promptstore.server.tokens import SCOPES, TokenFile
from tests.gitrepo import GitRepo
from tests.server.listening import listening

SECRET = "a secret between two"
PATIENCE = 20.0
LATER = 100_000.0


@pytest.fixture
def clone(repo: GitRepo, tmp_path: Path) -> GitRepo:
    """A clone that a server reads; others push to `repo`."""
    return repo.clone(tmp_path / "clone")


@pytest.fixture
def client(clone: GitRepo, tmp_path: Path) -> Iterator[httpx.Client]:
    """Who talks to a server that fetches by itself only much later."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    settings = ProjectSettings(1, clone.path, fetch_interval=LATER)
    tokens = TokenFile(tmp_path / "tokens.json")
    _, key = tokens.create("Ada <ada@example.com>", SCOPES, [1])
    app = create_app(open_projects([settings]), tokens, hook_secret=SECRET)
    with listening(app) as url, httpx.Client(base_url=url) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


def served(client: httpx.Client) -> int:
    answer = client.get("/api/environments/1/llm_prompts/name/summarise")
    answer.raise_for_status()
    version: int = answer.json()["version"]
    return version


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        os.sched_yield()


def push(repo: GitRepo) -> None:
    repo.commit({"prompts/summarise.yaml": "prompt: 'In short: {{text}}'\ntemplate: simple\n"})


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    code = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={code}", "X-GitHub-Event": "push"}


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_a_push_is_served_at_once(repo: GitRepo, client: httpx.Client, forge: str) -> None:
    assert served(client) == 1
    push(repo)
    body = b'{"ref": "refs/heads/main"}'
    headers = signed(body) if forge == "github" else {"X-Gitlab-Token": SECRET}
    del client.headers["Authorization"]
    answer = client.post("/hooks/fetch", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_webhook_brings_the_new_version(repo: GitRepo, client: httpx.Client) -> None:
    assert served(client) == 1
    push(repo)
    assert client.post("/hooks/fetch", content=b"", headers=signed(b"")).status_code == 202
    wait_for(lambda: served(client) == 2)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Gitlab-Token": "wrong"},
        {"X-Gitlab-Token": ""},
        {"X-Hub-Signature-256": "sha256=00"},
        {"X-Hub-Signature-256": ""},
        signed(b"another body"),
        signed(b"{}", "another secret"),
        {"X-Hub-Signature": "sha1=00"},
    ],
)
def test_nobody_else_asks_for_a_fetch(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.post("/hooks/fetch", content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert SECRET not in answer.text


def test_a_message_that_is_far_too_large_is_not_read_to_its_end(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(26):
            yield b"x" * 1_048_576

    answer = client.post("/hooks/fetch", content=endless(), headers=signed(b""))
    assert answer.status_code == 413


def test_without_a_secret_or_a_remote_there_is_no_webhook(clone: GitRepo) -> None:
    plain, fetching = (
        open_projects([ProjectSettings(1, clone.path, fetch_interval=interval)])
        for interval in (None, LATER)
    )
    for projects, secret in ((plain, SECRET), (fetching, None)):
        with listening(create_app(projects, None, hook_secret=secret)) as url:
            answer = httpx.post(f"{url}/hooks/fetch", content=b"", headers=signed(b""))
            assert answer.status_code == 404


def test_what_is_fetched_cannot_be_written(client: httpx.Client) -> None:
    answer = client.post("/api/environments/1/llm_prompts", json={"name": "fresh", "prompt": "Hi"})
    assert (answer.status_code, answer.json()["code"]) == (503, "read_only")


def test_the_interval_is_a_setting(clone: GitRepo, tmp_path: Path) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text("projects:\n- id: 1\n  repository: clone\n  fetch_interval: 60\n")
    assert read_settings(file).projects[0].fetch_interval == 60
    file.write_text("projects:\n- id: 1\n  repository: clone\n  fetch_interval: 0\n")
    with pytest.raises(InvalidArgumentError, match=r"projects\.yaml:4:3: .*fetch_interval"):
        read_settings(file)
    with pytest.raises(InvalidArgumentError, match="--fetch-interval"):
        single_project(clone.path, "prompts", None, None, -1)
