"""Langfuse's API, against a server that speaks the part of it that is read."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from promptstore.errors import (
    InvalidArgumentError,
    RemoteAnswerError,
    RemoteRejectedError,
    RemoteThrottledError,
    RemoteUnreachableError,
)
from promptstore.interchange.imported import Imported
from promptstore.interchange.langfuse import fetch_langfuse
from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.gitrepo import GitRepo
from tests.threads import in_thread

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}
PROMPTS: dict[str, dict[int, dict[str, Any]]] = {
    "folder/greet": {
        1: {"type": "text", "prompt": "Hi {{name}}", "labels": []},
        2: {"type": "text", "prompt": "Hello {{name}}", "labels": ["production"]},
    },
    "other": {1: {"type": "chat", "prompt": [{"role": "user", "content": "{{q}}"}], "labels": []}},
}


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append(self.path)
        wanted = "Basic " + base64.b64encode(b"pk:sk").decode()
        if self.headers["Authorization"] != wanted:
            return self.answer(401, {"message": "no"})
        prefix = "/api/public/v2/prompts"
        if url.path == prefix:
            names = sorted(PROMPTS)
            page = int(query["page"])
            listed = [{"name": names[page - 1], "versions": [*PROMPTS[names[page - 1]]]}]
            return self.answer(200, {"data": listed, "meta": {"totalPages": len(names)}})
        name, version = unquote(url.path.removeprefix(f"{prefix}/")), int(query["version"])
        found = PROMPTS[name][version]
        return self.answer(200, {"name": name, "version": version, "config": {}, **found})

    def answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Busy(Handler):
    refusals: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        if not self.refusals:
            return super().do_GET()
        self.send_response(self.refusals.pop())
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


class Page(Handler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>log in</html>")


@pytest.fixture
def address() -> Iterator[str]:
    Handler.asked.clear()
    with in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@pytest.fixture
def page() -> Iterator[str]:
    with in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as url:
        yield url


@pytest.fixture(autouse=True)
def _never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


def test_all_versions_come_in(address: str) -> None:
    greet, other = fetch_langfuse(address, KEYS)
    assert isinstance(greet, Imported)
    assert isinstance(other, Imported)
    assert greet.name == "folder/greet"
    assert [version.key for version in greet.versions] == ["langfuse 1", "langfuse 2"]
    assert greet.versions[1].labels == ("production",)
    assert other.prompt.content["messages"] == [{"role": "user", "content": "{{q}}"}]
    assert "/api/public/v2/prompts/folder%2Fgreet?version=2&resolve=false" in Handler.asked


def test_by_the_command(
    address: str, run: Run, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert run("import", address).exit_code == 0
    store = PromptStore.open(repo.path)
    assert store.get("folder/greet", label="production").prompt == "Hello {{name}}"
    before = repo.git("for-each-ref")
    assert run("import", address).exit_code == 0
    assert repo.git("for-each-ref") == before


@pytest.fixture
def busy() -> Iterator[str]:
    with in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Busy)) as url:
        yield url


def test_a_busy_server_is_asked_again(busy: str) -> None:
    Busy.refusals[:] = [429, 503, 429]
    assert len(fetch_langfuse(busy, KEYS)) == 2
    assert Busy.refusals == []
    Busy.refusals[:] = [429] * 5
    with pytest.raises(RemoteThrottledError, match="too many requests"):
        fetch_langfuse(busy, KEYS)


def test_faults(address: str, page: str) -> None:
    with pytest.raises(InvalidArgumentError, match="set LANGFUSE_PUBLIC_KEY"):
        fetch_langfuse(address, {})
    with pytest.raises(RemoteRejectedError, match="the keys are not accepted"):
        fetch_langfuse(address, {**KEYS, "LANGFUSE_SECRET_KEY": "wrong"})
    with pytest.raises(RemoteAnswerError):
        fetch_langfuse(page, KEYS)
    with pytest.raises(RemoteUnreachableError):
        fetch_langfuse("http://127.0.0.1:1", KEYS)
