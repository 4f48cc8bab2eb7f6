"""Conditional requests: 304 for what the client has, 412 instead of a lost update."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.gitrepo import GitRepo
from tests.server.listening import Host, Server
from tests.test_long_lived import flip

INCLUDING = "prompt: '{% include \"tone\" %} Hi'\n"
READS = [
    "",
    "?order_by=name",
    "name/summarise",
    "name/summarise?version=1",
    "name/summarise?label=production",
    "name/summarise?content=none",
    "name/summarise?format=native",
    "name/summarise?format=source",
    "name/summarise/diff",
    "resolve/name/summarise",
]


@pytest.fixture(autouse=True)
def _label(client: httpx.Client) -> None:
    client.put("name/summarise/labels/production", json={"version": 1})


@pytest.mark.parametrize("path", READS)
def test_a_read_is_not_sent_twice(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for header in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(path, headers={"If-None-Match": header})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content


def test_what_was_read_is_kept_while_nothing_moves(
    client: httpx.Client, shared: Host, server: Server
) -> None:
    project = shared.projects[server.project]
    key = (f"{client.base_url.path}name/summarise", b"", server.url)
    client.get("name/summarise")
    kept = project.answers.find(project.store.snapshot(), key)
    assert kept is not None
    client.get("name/summarise")
    assert project.answers.find(project.store.snapshot(), key) is kept
    client.patch("name/summarise", json={"base_version": 1, "prompt": "New"})
    assert project.answers.find(project.store.snapshot(), key) is None


@pytest.mark.parametrize("path", READS)
def test_a_change_is_sent(client: httpx.Client, path: str) -> None:
    etag = client.get(path).headers["etag"]
    body = {"base_version": 1, "prompt": "New", "config": {"a": 1}}
    client.patch("name/summarise", json=body)
    answer = client.get(path, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.headers["etag"] != etag) == (200, True)


def test_a_label_that_moves_is_sent(client: httpx.Client) -> None:
    client.patch("name/summarise", json={"base_version": 1, "prompt": "New"})
    old = client.get("name/summarise?label=production")
    client.put("name/summarise/labels/production", json={"version": 2})
    etag = old.headers["etag"]
    new = client.get("name/summarise?label=production", headers={"If-None-Match": etag})
    assert (new.status_code, new.json()["version"]) == (200, 2)


def test_another_prompt_changes_nothing(client: httpx.Client) -> None:
    etag = client.get("name/summarise").headers["etag"]
    client.post("", json={"name": "other", "prompt": "x"})
    assert client.get("name/summarise", headers={"If-None-Match": etag}).status_code == 304


def test_a_tombstone_is_told(client: httpx.Client) -> None:
    etag = client.get("name/summarise").headers["etag"]
    client.post("name/summarise/archive")
    for header in (etag, "*"):
        assert client.get("name/summarise", headers={"If-None-Match": header}).status_code == 404


def test_nobody_keeps_an_error_or_what_a_write_made(client: httpx.Client) -> None:
    missing = client.get("name/fresh")
    made = client.post("", json={"name": "fresh", "prompt": "x"})
    assert [answer.headers["cache-control"] for answer in (missing, made)] == ["no-store"] * 2
    assert client.get("name/fresh").headers["cache-control"] == "private, no-cache"


def test_what_an_include_says_is_part_of_the_state(client: httpx.Client, repo: GitRepo) -> None:
    repo.commit({"prompts/tone.yaml": "prompt: Kind\n", "prompts/a.yaml": INCLUDING})
    first = client.get("name/a")
    assert first.json()["prompt"] == "Kind Hi"
    repo.commit({"prompts/tone.yaml": "prompt: Terse\n"})
    again = client.get("name/a", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.json()["prompt"]) == (200, "Terse Hi")


WRITES = [
    ("PATCH", "name/summarise", {"base_version": 1, "prompt": "New"}),
    ("PATCH", "{id}", {"prompt": "New"}),
    ("PUT", "{id}", {"name": "summarise", "prompt": "New"}),
    ("POST", "name/summarise/archive", None),
    ("POST", "name/summarise/duplicate", {"new_name": "copy"}),
]
LABEL_WRITES = [
    ("PUT", "name/summarise/labels/staging", {"version": 1}),
    ("DELETE", "name/summarise/labels/production", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_write_may_ask_for_the_state_that_was_read(
    client: httpx.Client, repo: GitRepo, method: str, path: str, body: object
) -> None:
    read = client.get("name/summarise")
    url = path.format(id=read.json()["id"])
    before = repo.head()
    refused = client.request(method, url, json=body, headers={"If-Match": '"other"'})
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert repo.head() == before
    etag = read.headers["etag"]
    done = client.request(method, url, json=body, headers={"If-Match": f'"a", {etag}'})
    assert done.status_code in (200, 201, 204)
    assert repo.head() != before


@pytest.mark.parametrize(("method", "url", "body"), LABEL_WRITES)
def test_a_move_of_a_label_may_ask_for_the_state_that_was_read(
    client: httpx.Client, repo: GitRepo, method: str, url: str, body: object
) -> None:
    etag = client.get("name/summarise").headers["etag"]
    before = repo.git("rev-parse", "promptstore/labels")
    refused = client.request(method, url, json=body, headers={"If-Match": '"other"'})
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert repo.git("rev-parse", "promptstore/labels") == before
    done = client.request(method, url, json=body, headers={"If-Match": etag})
    assert done.status_code in (201, 204)
    assert repo.git("rev-parse", "promptstore/labels") != before


def test_the_etag_of_a_write_is_that_of_the_next_read(client: httpx.Client) -> None:
    made = client.post("", json={"name": "a", "prompt": "x"})
    assert made.headers["etag"] == client.get("name/a").headers["etag"]
    published = client.patch("name/a", json={"base_version": 1, "prompt": "y"})
    assert published.headers["etag"] == client.get("name/a").headers["etag"]


def test_comparison_is_weak_for_reads_and_strong_for_writes(client: httpx.Client) -> None:
    etag = client.get("name/summarise").headers["etag"]
    assert client.get("name/summarise", headers={"If-None-Match": f"W/{etag}"}).status_code == 304
    body = {"base_version": 1, "prompt": "New"}
    weak = client.patch("name/summarise", json=body, headers={"If-Match": f"W/{etag}"})
    assert weak.status_code == 412
    done = client.patch("name/summarise", json=body, headers={"If-Match": "*"})
    assert done.status_code == 200


@pytest.mark.parametrize("rounds", [pytest.param(12), pytest.param(200, marks=pytest.mark.slow)])
def test_a_branch_that_goes_and_comes_back_is_never_remembered_wrongly(
    server: Server, repo: GitRepo, rounds: int
) -> None:
    first = repo.git("rev-parse", "main")
    second = repo.commit({"prompts/summarise.yaml": "prompt: B\n"})
    path = "/api/environments/@current/llm_prompts/name/summarise"

    def read(client: httpx.Client, number: int) -> str:
        # What was not asked yet is read from the store.
        text: str = client.get(path, params={"x": number // 2}).json()["prompt"]
        return text

    numbers = iter(range(10**9))
    stopped = threading.Event()

    def work() -> None:
        with server.client() as client:
            while not stopped.is_set():
                read(client, next(numbers))

    with server.client() as client, ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work) for _ in range(3)]
        try:
            for _ in range(rounds):
                for _ in range(20):
                    flip(repo, second)
                    flip(repo, first)
                latest = next(numbers)
                for number in range(max(0, latest - 8), latest):
                    assert read(client, number) == "Sum up: {{text}}"
        finally:
            stopped.set()
        for worker in workers:
            worker.result()
