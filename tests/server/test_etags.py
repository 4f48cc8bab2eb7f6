"""Conditional requests: 304 without reading a file, 412 instead of a lost update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from promptstore.server.answers import Shown, check_match
from promptstore.server.errors import ApiError
from promptstore.server.projects import Project
from promptstore.server.reading import read_by_name, resolve
from promptstore.server.settings import ProjectSettings
from tests.gitrepo import GitRepo

READS = [
    "",
    "?order_by=name",
    "name/summarise",
    "name/summarise?version=1",
    "name/summarise?label=production",
    "name/summarise?content=none",
    "name/summarise?format=native",
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


@pytest.mark.parametrize("read", [read_by_name, resolve])
def test_an_answer_shows_the_state_of_its_etag(
    client: httpx.Client, repo: GitRepo, read: Callable[..., Draft]
) -> None:
    draft = read(Project(ProjectSettings(1, repo.path)), "summarise", {})
    client.patch("name/summarise", json={"base_version": 1, "prompt": "Meanwhile"})
    answer = draft.write()
    shown = answer.get("prompt") if read is resolve else answer
    assert (shown["version"], shown["latest_version"], shown["is_latest"]) == (1, 1, True)
    assert [version["version"] for version in answer.get("versions", [{"version": 1}])] == [1]


def test_the_etag_is_known_before_any_file_is_read(repo: GitRepo, tmp_path: Path) -> None:
    project = Project(ProjectSettings(1, repo.path))
    blob = repo.git("rev-parse", "HEAD:prompts/summarise.yaml")
    file = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    file.rename(tmp_path / "taken")
    assert read_by_name(project, "summarise", {}).etag
    (tmp_path / "taken").rename(file)


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


def test_comparison_is_weak_for_reads_and_strong_for_writes() -> None:
    assert is_unchanged('W/"a"', '"a"')
    assert not is_expected('W/"a"', '"a"')
    assert is_expected(None, '"a"')
    assert is_expected("*", '"a"')
    assert not is_unchanged(None, '"a"')
