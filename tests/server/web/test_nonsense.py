"""Whatever is sent is answered by a page that says what is wrong, never by a failure."""

from __future__ import annotations

from itertools import cycle, islice
from urllib.parse import quote

import pytest

from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from tests.gitrepo import GitRepo
from tests.server.listening import listening
from tests.server.web.test_editing import branches
from tests.server.web.visiting import Visit

NONSENSE = [
    "\0",
    "a\0b",
    "\u202e\u2028\ufeff",
    "-1",
    "9" * 40,
    "1e400",
    "../../etc/passwd",
    "..",
    "/",
    "//",
    "a//b",
    "x" * 5_000,
    "{{ 7 * 7 }}{% raw %}",
    "'\"><b>",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-13-45",
    "HEAD",
    "refs/heads/main",
    "main~1",
    "\U0001f600",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_in_a_url(visit: Visit, text: str) -> None:
    word = quote(text, safe="")
    parts = ("prompts", "history", "compare", "labels", "try", "edit", "move-label", "delete",
             "restore", "rename", "proposed")  # fmt: skip
    urls = [f"/{part}/{word}" for part in parts]
    urls += [f"/prompts/greet?{key}={word}" for key in ("version", "label", "includes", "done")]
    urls += [f"/prompts?{key}={word}" for key in ("q", "tag", "label", "under", "after")]
    urls += [f"/compare/greet?from={word}&to=1", f"/labels?at={word}", f"/labels/greet?at={word}"]
    urls += [f"/restore/greet?version={word}", f"/move-label/greet?label={word}&version={word}"]
    urls += [f"/edit/greet?by={word}", f"/sign-in?next={word}", f"/arrive?to={word}"]
    for url in urls:
        page = visit.get(url)
        assert page.status in (200, 303, 400, 404), (url, page.text)
        assert "content-security-policy" in page.answer.headers


@pytest.mark.parametrize(
    ("url", "action"),
    [
        ("/edit/support/triage", "commit"),
        ("/edit/greet?by=file", "commit"),
        ("/edit/greet", "merge"),
        ("/new", "commit"),
        ("/try/support/triage", "run"),
        ("/move-label/greet?label=beta", "move"),
        ("/delete/greet", "commit"),
        ("/restore/support/triage?version=1", "commit"),
        ("/rename/greet", "commit"),
        ("/events", "show"),
    ],
)
def test_in_a_field(visit: Visit, repo: GitRepo, url: str, action: str) -> None:
    before = repo.head()
    form = visit.get(url)
    texts = cycle(NONSENSE)
    for field in form.fields:
        for text in islice(texts, 4):
            page = visit.send(url.split("?")[0], form, **{"action": action, field: text})
            assert page.status in (200, 303, 400, 403, 404, 409), (field, text, page.text)
    assert repo.head() == before
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    assert all(branch.startswith("propose/") for branch in branches(repo))


@pytest.mark.parametrize("body", [b"\xff=1", b"%ff=1", b"&&&&", b"=", b"a=b&" * 3_000, b"{}"])
def test_as_a_form(visit: Visit, body: bytes) -> None:
    for url in ("/edit/greet", "/try/greet", "/sign-in", "/sign-out", "/events"):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = visit.client.post(url, content=body, headers=headers)
        assert answer.status_code in (200, 303, 400, 403)


def test_an_unexpected_error_shows_nothing_and_runs_nothing(repo: GitRepo) -> None:
    app = create_app(open_projects([ProjectSettings(1, repo.path, branch="main")]), None)

    @app.get("/breaks")
    def breaks() -> None:
        raise RuntimeError("a secret of the server")

    with listening(app) as url, Visit.to(url) as visit:
        answer = visit.get("/breaks").answer
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
