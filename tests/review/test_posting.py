"""The comment posted to a server on loopback that checks what the APIs document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from promptstore.cli.app import app
from promptstore.errors import ForgeError, InvalidArgumentError
from promptstore.review.markdown import MARKER
from promptstore.review.posting import PullRequest, find_pull_request, post
from tests.gitrepo import GitRepo
from tests.threads import in_thread

TOKEN = "token-that-nobody-may-see"
BODY = f"{MARKER}\n\nHello"


class Forge(HTTPServer):
    """A forge that keeps the comments of one pull request.

    GitHub's rules: the token as a bearer, its media type, an API version, a user agent, JSON; PATCH
    for an update; the token of a workflow may not ask who it is. GitLab's: the token in its own
    header, PUT for an update. Either tells who wrote a comment.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.redirect: str | None = None
        self.status: int | None = None
        self.caller: str | None = "ada"
        self.garbage: bytes | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def written_by(login: str | None) -> dict[str, Any]:
    """What both APIs say about an author; the one without a name is a workflow."""
    kind = "User" if login else "Bot"
    return {
        "user": {"login": login or "github-actions[bot]", "type": kind},
        "author": {"username": login or "github-actions[bot]"},
    }


class Handler(BaseHTTPRequestHandler):
    server: Forge

    def do_GET(self) -> None:
        if self.server.garbage:
            self.wfile.write(self.server.garbage)
            return
        if self.path == "/user":
            self._answer_who()
            return
        page = parse_qs(urlsplit(self.path).query)
        if not self._is_fine(update=False):
            return
        size, number = int(page["per_page"][0]), int(page["page"][0])
        self._answer(200, self.server.comments[(number - 1) * size : number * size])

    def do_POST(self) -> None:
        content = self._content()
        if self._is_fine(update=False):
            comment = {"id": len(self.server.comments) + 1, "html_url": "https://forge/1"} | content
            self.server.comments.append(comment | written_by(self.server.caller))
            self._answer(201, comment)

    def _answer_who(self) -> None:
        caller = self.server.caller
        if caller is None:
            self._answer(403, {"message": "Resource not accessible by integration"})
        else:
            self._answer(200, {"login": caller, "username": caller})

    def do_PATCH(self) -> None:
        self._update("github")

    def do_PUT(self) -> None:
        self._update("gitlab")

    def _update(self, forge: str) -> None:
        content = self._content()
        if self._forge() != forge or not self._is_fine(update=True):
            self._answer(404, {"message": "Not Found"})
            return
        number = int(self.path.rpartition("/")[2])
        self.server.comments[number - 1] |= content
        self._answer(200, self.server.comments[number - 1])

    def _forge(self) -> str:
        return "github" if self.path.startswith("/repos/") else "gitlab"

    def _content(self) -> dict[str, Any]:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        content = json.loads(data)
        if set(content) != {"body"} or self.headers["Content-Type"] != "application/json":
            self.server.failures.append("the content is no JSON object with a body")
        return dict(content)

    def _is_fine(self, *, update: bool) -> bool:
        if self.server.redirect:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return False
        if self.server.status:
            self._answer(self.server.status, {"message": f"bad credentials {TOKEN}"})
            return False
        path = urlsplit(self.path).path
        if self._forge() == "github":
            wanted = {
                "Authorization": f"Bearer {TOKEN}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
            route = (
                r"/repos/ada/notes/issues/comments/\d+"
                if update
                else ("/repos/ada/notes/issues/7/comments")
            )
        else:
            wanted = {"PRIVATE-TOKEN": TOKEN}
            route = "/projects/ada%2Fnotes/merge_requests/7/notes" + (r"/\d+" if update else "")
        self.server.failures += [
            f"{name} is {self.headers[name]!r}"
            for name, value in wanted.items()
            if self.headers[name] != value
        ]
        if not self.headers["User-Agent"]:
            self.server.failures.append("there is no user agent")
        if not re.fullmatch(route, path):
            self.server.failures.append(f"no such path: {path}")
        return True

    def _answer(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def forge() -> Iterator[Forge]:
    server = Forge()
    with in_thread(server):
        yield server
    assert server.failures == []


@pytest.fixture(params=["github", "gitlab"])
def target(request: pytest.FixtureRequest, forge: Forge) -> PullRequest:
    return PullRequest(request.param, forge.address, "ada/notes", 7, TOKEN)


def test_the_first_post_makes_a_comment(forge: Forge, target: PullRequest) -> None:
    assert post(target, BODY) == (True, "https://forge/1")
    assert [comment["body"] for comment in forge.comments] == [BODY]


def test_the_next_post_updates_it(forge: Forge, target: PullRequest) -> None:
    post(target, BODY)
    assert not post(target, BODY + "!").is_new
    assert [comment["body"] for comment in forge.comments] == [BODY + "!"]


def test_a_workflow_that_may_not_ask_who_it_is(forge: Forge, target: PullRequest) -> None:
    forge.caller = None
    post(target, BODY)
    assert not post(target, BODY + "!").is_new


@pytest.mark.parametrize("caller", ["ada", None])
def test_the_comment_of_another_is_left_alone(forge: Forge, caller: str | None) -> None:
    planted = {"id": 1, "body": f"{MARKER}\n\nAll is well"} | written_by("eve")
    forge.comments.append(planted)
    forge.caller = caller
    target = PullRequest("github", forge.address, "ada/notes", 7, TOKEN)
    assert post(target, BODY).is_new
    assert not post(target, BODY + "!").is_new
    assert [comment["body"] for comment in forge.comments] == [planted["body"], BODY + "!"]


def test_it_is_found_on_a_later_page(forge: Forge, target: PullRequest) -> None:
    forge.comments += ({"id": number, "body": f"Quoting {MARKER}"} for number in range(1, 151))
    post(target, BODY)
    assert not post(target, BODY + "!").is_new
    assert [comment["body"] for comment in forge.comments[150:]] == [BODY + "!"]


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
def test_a_refusal_is_reported_without_the_token(
    forge: Forge, target: PullRequest, status: int
) -> None:
    forge.status = status
    with pytest.raises(ForgeError, match=f"answered {status}: bad credentials …") as caught:
        post(target, BODY)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(target)
    assert caught.value.__cause__ is None


def test_a_redirect_is_not_followed(forge: Forge, target: PullRequest) -> None:
    other = Forge()
    try:
        forge.redirect = other.address
        with pytest.raises(ForgeError, match="answered 302"):
            post(target, BODY)
    finally:
        other.server_close()


def test_a_token_is_not_sent_in_plain_text() -> None:
    with pytest.raises(ForgeError, match="is no https address"):
        post(PullRequest("github", "http://forge.example", "a/b", 1, TOKEN), BODY)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "could not be asked"),
        (b"HTTP/1.1 200 OK\r\n\r\n[", "could not be asked"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n[", "could not be asked"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "no list of comments"),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", "no list of comments"),
    ],
)
def test_what_is_no_forge(forge: Forge, target: PullRequest, answer: bytes, reason: str) -> None:
    forge.garbage = answer
    with pytest.raises(ForgeError, match=reason):
        post(target, BODY)


def test_nobody_there(forge: Forge) -> None:
    closed = HTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{closed.server_port}"
    closed.server_close()
    with pytest.raises(ForgeError, match="could not be asked"):
        post(PullRequest("github", address, "a/b", 1, TOKEN), BODY)


GITHUB = {"GITHUB_REPOSITORY": "ada/notes", "GITHUB_TOKEN": TOKEN}
GITLAB = {"CI_PROJECT_ID": "12", "GITLAB_TOKEN": TOKEN, "CI_MERGE_REQUEST_IID": "7"}


def test_the_pull_request_is_found_in_the_environment(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 9}}))
    expected = PullRequest("github", "https://api.github.com", "ada/notes", 7, TOKEN)
    assert find_pull_request(GITHUB | {"GITHUB_REF": "refs/pull/7/merge"}, None) == expected
    assert find_pull_request(GITHUB, 7) == expected
    assert find_pull_request(GITHUB | {"GITHUB_EVENT_PATH": str(event)}, None).number == 9
    gitlab = PullRequest("gitlab", "https://gitlab.com/api/v4", "12", 7, TOKEN)
    assert find_pull_request(GITLAB, None) == gitlab


UNKNOWN: dict[str, tuple[dict[str, str], str]] = {
    "no forge": ({}, "does not know where to"),
    "no pull request": (GITHUB | {"GITHUB_REF": "refs/heads/main"}, "no pull request"),
    "no token": ({"GITHUB_REPOSITORY": "a/b", "GITHUB_REF": "refs/pull/7/merge"}, "GITHUB_TOKEN"),
    "no fit token": (
        GITHUB | {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_TOKEN": "x\ny"},
        "holds no token",
    ),
    "an event that is no JSON": (GITHUB | {"GITHUB_EVENT_PATH": "/nowhere"}, "no pull request"),
}


@pytest.mark.parametrize(("environment", "message"), UNKNOWN.values(), ids=list(UNKNOWN))
def test_what_is_not_known_is_reported(environment: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        find_pull_request(environment, None)


def test_review_posts_what_it_prints(forge: Forge, repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    repo.commit({"prompts/a.yaml": "prompt: y\n"})
    environment = GITHUB | {"GITHUB_API_URL": forge.address, "GITHUB_REF": "refs/pull/7/merge"}
    run = ["-C", str(repo.path), "review", "HEAD~1..HEAD"]
    printed = CliRunner().invoke(app, run, env=environment)
    posted = CliRunner().invoke(app, [*run, "--post"], env=environment)
    assert posted.exit_code == 0, posted.output
    assert posted.stderr == "posted https://forge/1\n"
    assert [comment["body"] for comment in forge.comments] == [printed.stdout]


def test_nothing_is_posted_about_nothing(forge: Forge, repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    environment = GITHUB | {"GITHUB_API_URL": forge.address, "GITHUB_REF": "refs/pull/7/merge"}
    run = ["-C", str(repo.path), "review", "HEAD..HEAD", "--post"]
    assert CliRunner().invoke(app, run, env=environment).stderr == (
        "nothing to say: no prompt changed\n"
    )
    assert forge.comments == []
    said = {"id": 1, "body": f"{MARKER} what was said before it was taken back"}
    forge.comments.append(said | written_by("ada"))
    assert CliRunner().invoke(app, run, env=environment).exit_code == 0
    assert "nothing changed" in forge.comments[0]["body"]
