"""Requests that nobody sends by accident: a 4xx, nothing written, and nothing given away."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from promptstore.server import http
from promptstore.server.http import ApiRoute, EventRoute
from tests.gitrepo import GitRepo
from tests.server.listening import Host, Server

BASE = "/api/environments/@current/llm_prompts/"


@pytest.fixture
def server(lasting: tuple[Server, GitRepo]) -> Server:
    return lasting[0]


@pytest.fixture
def repo(lasting: tuple[Server, GitRepo]) -> GitRepo:
    return lasting[1]


def raw(server: Server, request: bytes) -> tuple[int, bytes]:
    """Send bytes as they are, and give the status and everything else."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(request)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def ask(
    server: Server, method: str, path: str, body: bytes = b"", kind: str = "application/json"
) -> tuple[int, bytes]:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {server.key}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return raw(server, head.encode("latin-1") + body)


def assert_refused(answer: tuple[int, bytes], *statuses: int) -> None:
    status, body = answer
    assert 400 <= status < 500
    assert not statuses or status in statuses
    assert b"Traceback" not in body
    assert b"/prompts/" not in body
    assert isinstance(json.loads(body)["detail"], str)


@pytest.mark.parametrize(
    "name",
    [
        "..%2f",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "%2e%2e%2fsummarise",
        "%2Fetc%2Fpasswd",
        "a%2F..%2Fsummarise",
        ".git%2Fconfig",
        "summarise%00",
        "%00",
        "%0d%0aSet-Cookie:%20x",
        "a%5cb",
        "%ff%fe",
        "%c0%ae%c0%ae%2f",
        "%ed%a0%80",
        "n" * 5_000,
        "%F0%9F%99%82" * 300,
        "-__",
        "-_x",
        "-" * 256,
        "con.",
        "*",
        "summarise.yaml",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_names_that_lead_nowhere(server: Server, repo: GitRepo, method: str, name: str) -> None:
    before = repo.head()
    body = b'{"base_version": 1, "prompt": "x"}' if method == "PATCH" else b""
    assert_refused(ask(server, method, f"{BASE}name/{name}/", body), 404)
    assert repo.head() == before


@pytest.mark.parametrize(
    "path",
    ["name/../../../../etc/passwd", "../../../x", "%2e%2e/%2e%2e/x", "name//", "//", "a/b/c/d"],
)
def test_paths_that_lead_nowhere(server: Server, path: str) -> None:
    assert_refused(ask(server, "GET", BASE + path), 404)


DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES = {
    "nothing but white space": (b"  ", 400),
    "not UTF-8": (b'{"name": "a", "prompt": "\xff\xfe"}', 400),
    "UTF-16": ('{"name": "a", "prompt": "x"}'.encode("utf-16"), 400),
    "a byte order mark": (b'\xef\xbb\xbf{"name": "a", "prompt": "x"}', 400),
    "half a surrogate pair": (b'{"name": "a", "prompt": "\\ud800"}', 400),
    "half a pair in a name": (b'{"name": "\\udc00", "prompt": "x"}', 400),
    "half a pair in a key": (b'{"name": "a", "prompt": {"\\udc00": 1}}', 400),
    "NUL in a content": (b'{"name": "a", "prompt": "a\\u0000b"}', 400),
    "NUL in a list": (b'{"name": "a", "prompt": ["\\u0000"]}', 400),
    "NUL in a name": (b'{"name": "a\\u0000b", "prompt": "x"}', 400),
    "NUL in a description": (
        b'{"name": "a", "prompt": "x", "version_description": "\\u0000"}',
        400,
    ),
    "a huge number": (b'{"name": "a", "prompt": 1' + b"0" * 5_000 + b"}", 400),
    "infinity by size": (b'{"name": "a", "prompt": 1e999}', 400),
    "a deep list": (b'{"name": "a", "prompt": ' + DEEP + b"}", 400),
    "a deep config": (
        b'{"name": "a", "prompt": "x", "config": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        400,
    ),
    "a list": (b"[]", 400),
    "null": (b"null", 400),
    "a name with a slash": (b'{"name": "a/b", "prompt": "x"}', 400),
    "a name that climbs": (b'{"name": "../a", "prompt": "x"}', 400),
    "an escape that is none": (b'{"name": "-a_x", "prompt": "x"}', 400),
    "an escape that climbs": (b'{"name": "-_d_d__a", "prompt": "x"}', 400),
    "an absolute escape": (b'{"name": "-__etc", "prompt": "x"}', 400),
    "a name too long for a file": (b'{"name": "' + b"n" * 250 + b'", "prompt": "x"}', 400),
    "a file too large": (b'{"name": "a", "prompt": "' + b"a\\n" * 333_000 + b'"}', 400),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_that_are_refused(server: Server, repo: GitRepo, body: tuple[bytes, int]) -> None:
    data, status = body
    before = repo.head()
    assert_refused(ask(server, "POST", BASE, data), status)
    assert repo.head() == before
    assert repo.git("status", "--porcelain") == ""


def test_a_form_of_many_fields_is_refused(server: Server) -> None:
    form = "application/x-www-form-urlencoded"
    assert_refused(ask(server, "POST", BASE, b"a&" * 1_000_000, form), 400)


@pytest.mark.parametrize("host", ["[", 'a"b', "a b", "", "a/b", "u@a", "a:b", "a:123456"])
def test_a_host_that_no_link_can_begin_with(server: Server, host: str) -> None:
    head = (
        f"GET {BASE}?limit=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Authorization: Bearer {server.key}\r\n\r\n"
    )
    assert_refused(raw(server, head.encode()), 400)


@pytest.mark.parametrize("host", ["a", "prompts.example.com:443", "my_box", "[::1]:8000"])
def test_links_begin_with_the_host_that_was_asked(server: Server, host: str) -> None:
    with server.client() as client:
        page = client.get(BASE, params={"offset": 1}, headers={"Host": host}).json()
    assert page["previous"] == f"http://{host}{BASE}?limit=100"


@pytest.mark.parametrize("label", ["LaTest", "12", "%0d%0a", "%00", "..%2fx", "x" * 5_000])
def test_a_label_that_is_none_cannot_be_taken_off(server: Server, label: str) -> None:
    assert_refused(ask(server, "DELETE", f"{BASE}name/summarise/labels/{label}/"), 404)


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-yaml", "", "json"]
)
def test_content_types_that_are_refused(server: Server, kind: str) -> None:
    assert_refused(ask(server, "POST", BASE, b'{"name": "a", "prompt": "x"}', kind), 415)


def test_a_body_over_the_limit_is_not_read(server: Server) -> None:
    head = (
        f"POST {BASE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {ApiRoute.max_body + 1}\r\n\r\n"
    )
    assert_refused(raw(server, head.encode()), 413)


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "name/summarise/render/", ApiRoute.max_body),
        ("PUT", "name/summarise/labels/a/", ApiRoute.max_body),
        ("PATCH", "name/summarise/", ApiRoute.max_body),
        ("POST", "../llm_analytics/text_repr/", EventRoute.max_body),
    ],
)
def test_each_route_has_its_limit(server: Server, method: str, path: str, limit: int) -> None:
    url = BASE.replace("llm_prompts/", "") + path.removeprefix("../")
    if not path.startswith("../"):
        url = BASE + path
    head = (
        f"{method} {url} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {limit + 1}\r\n\r\n"
    )
    assert_refused(raw(server, head.encode()), 413)
    assert_refused(ask(server, method, url, b" " * limit), 400)


def test_a_big_body_is_parsed_beside_the_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    parse = json.loads

    def watched(text: str) -> object:
        seen.append(threading.current_thread().name)
        return parse(text)

    monkeypatch.setattr(json, "loads", watched)
    for size in (10, 1_500_000):
        body = json.dumps({"name": "a b", "prompt": "x" * size}).encode()
        assert_refused(ask(server, "POST", BASE, body), 400)
    loop, worker = (name for name in seen if name != "MainThread")
    assert "worker" in worker
    assert "worker" not in loop


def test_a_body_that_does_not_arrive_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_SECONDS", 0.05)
    head = (
        f"POST {BASE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    assert_refused(raw(server, head.encode()), 408)


def test_a_body_of_unknown_length_is_read_up_to_the_limit(server: Server) -> None:
    def pieces() -> object:
        for _ in range(ApiRoute.max_body // 65_536 + 2):
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    answer = httpx.post(server.url + BASE, content=pieces(), headers=headers, timeout=60)  # type: ignore[arg-type]
    assert answer.status_code == 413


QUERIES = [
    "version=1" + "0" * 5_000,
    "version=" + "9" * 900,
    "version=%00",
    "label=%00",
    "label=..%2Fx",
    "content=%ff",
    "version=1&label=production",
    "version=%D9%A3",
]


@pytest.mark.parametrize("query", QUERIES, ids=[query[:20] for query in QUERIES])
def test_queries_that_are_refused(server: Server, query: str) -> None:
    assert_refused(ask(server, "GET", f"{BASE}name/summarise/?{query}"))


@pytest.mark.parametrize(
    "query",
    [
        "limit=" + "9" * 5_000,
        "offset=-9223372036854775809",
        "limit=0&offset=99999999999999999999",
        "search=%00",
        "search=" + "x" * 10_000,
        "search=%ff%fe",
        "search=(((((",
        "token={token}&token={token}",
    ],
)
def test_odd_queries_of_a_list_are_answered(server: Server, query: str) -> None:
    query = query.replace("{token}", f"phc_project_{server.project}")
    status, body = ask(server, "GET", f"{BASE}?{query}")
    assert status == 200
    assert json.loads(body)["count"] in (0, 1)


def test_a_request_that_is_no_http_is_answered_and_the_server_lives_on(server: Server) -> None:
    assert raw(server, b"GET\x00 / HTTP/9.9\r\n\r\n")[0] == 400
    assert raw(server, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")[0] in (400, 414)
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}


def test_an_unknown_error_shows_nothing_of_itself(server: Server, repo: GitRepo) -> None:
    # A repository that vanishes is the worst that can happen underneath.
    (repo.path / ".git").rename(repo.path / "gone")
    with server.client() as client:
        answer = client.get(f"{BASE}name/summarise/")
        assert answer.status_code == 503
        assert str(repo.path) not in answer.text
        health = client.get("/healthz")
    assert (health.status_code, health.json()) == (503, {"status": "failing"})
    (repo.path / "gone").rename(repo.path / ".git")
    assert httpx.get(f"{server.url}/healthz").status_code == 200


class TestContents:
    """Contents that a writer may publish, and that must not stop everybody else."""

    @pytest.fixture
    def client(self, server: Server) -> Iterator[httpx.Client]:
        with server.client() as client:
            client.base_url = httpx.URL(server.url + BASE)
            yield client

    @pytest.fixture
    def server(self, shared: Host, first_repo: GitRepo, tmp_path: Path) -> Iterator[Server]:
        with shared.project(first_repo.copy(tmp_path / "repo").path) as server:
            yield server

    def test_a_heading_of_many_spaces(self, client: httpx.Client) -> None:
        text = "# a" + " " * 200_000 + "b"
        made = client.post("", json={"name": "spaces", "prompt": text})
        assert made.json()["outline"] == [{"level": 1, "text": text[2:]}]

    def test_edits_that_nest_deeply(self, client: httpx.Client) -> None:
        client.post("", json={"name": "deep", "prompt": {"a": "here"}})
        edits = [{"old": '"here"', "new": "[" * 900 + "]" * 900}]
        refused = client.patch("name/deep", json={"base_version": 1, "edits": edits})
        assert (refused.status_code, refused.json()["edit_index"]) == (400, 0)
        assert client.get("name/deep").json()["prompt"] == '{"a": "here"}'

    def test_more_edits_than_anybody_makes(self, client: httpx.Client) -> None:
        edits = [{"old": "a", "new": "b"}] * 1_001
        refused = client.patch("name/summarise", json={"base_version": 1, "edits": edits})
        assert (refused.status_code, refused.json()["code"]) == (400, "max_length")

    def test_a_text_that_is_marked_as_json_and_is_too_deep_for_it(
        self, client: httpx.Client, server: Server, shared: Host
    ) -> None:
        repo = GitRepo(shared.projects[server.project].store.path)
        file = f"prompt: '{'[' * 50_000}'\nx-posthog-json: true\n"
        repo.commit({"prompts/deep.yaml": file})
        assert client.get("name/deep").json()["prompt"] == "[" * 50_000
        assert client.get("").json()["count"] == 2

    def test_a_diff_of_what_repeats_is_soon_there(self, client: httpx.Client) -> None:
        client.post("", json={"name": "long", "prompt": "a\nb\n" * 2_000})
        client.patch("name/long", json={"base_version": 1, "prompt": "b\na\n" * 2_000})
        messages = [{"role": "user", "content": f"m {number}"} for number in range(800)]
        client.post("", json={"name": "chat", "prompt": messages})
        client.patch("name/chat", json={"base_version": 1, "prompt": messages[::-1]})
        tags = [[f"{letter}{number}" for number in range(8_000)] for letter in "ab"]
        one, other = ({"prompt": "x", "tags": some} for some in tags)
        client.post("?format=native", json={"name": "tags", "prompt": one})
        client.patch("name/tags?format=native", json={"base_version": 1, "prompt": other})
        started = time.process_time()
        assert len(client.get("name/long/diff").json()["texts"]) == 1
        assert len(client.get("name/chat/diff").json()["changes"]) == 799
        assert len(client.get("name/tags/diff").json()["changes"]) == 16_000
        assert time.process_time() - started < 4
