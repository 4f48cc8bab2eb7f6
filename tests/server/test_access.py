"""Who gets in, and what nobody is told."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.server.app import create_app
from promptstore.server.projects import open_projects
from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import SCOPES, TokenFile
from tests.gitrepo import GitRepo
from tests.server.listening import ADA, Server, connect, listening, serving

READ = "/api/environments/@current/llm_prompts/name/summarise/"
ROUTES = [
    ("GET", "llm_prompts/", "llm_prompt:read"),
    ("POST", "llm_prompts/", "llm_prompt:write"),
    ("GET", "llm_prompts/0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10/", "llm_prompt:read"),
    ("PATCH", "llm_prompts/0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10/", "llm_prompt:write"),
    ("PUT", "llm_prompts/0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10/", "llm_prompt:write"),
    ("DELETE", "llm_prompts/0d1f7a52-3c52-4c5b-9f3c-6a2f0d3b7e10/", "llm_prompt:write"),
    ("GET", "llm_prompts/name/a/", "llm_prompt:read"),
    ("PATCH", "llm_prompts/name/a/", "llm_prompt:write"),
    ("POST", "llm_prompts/name/a/archive/", "llm_prompt:write"),
    ("POST", "llm_prompts/name/a/unarchive/", "llm_prompt:write"),
    ("POST", "llm_prompts/name/a/duplicate/", "llm_prompt:write"),
    ("PUT", "llm_prompts/name/a/labels/b/", "llm_prompt:write"),
    ("DELETE", "llm_prompts/name/a/labels/b/", "llm_prompt:write"),
    ("GET", "llm_prompts/name/a/diff/", "llm_prompt:read"),
    ("POST", "llm_prompts/name/a/render/", "llm_prompt:read"),
    ("GET", "llm_prompts/resolve/name/a/", "llm_prompt:read"),
    ("POST", "llm_analytics/text_repr/", "llm_analytics:write"),
    ("POST", "llm_analytics/translate/", "llm_analytics:write"),
    ("GET", "logs/attributes/", "logs:read"),
    ("GET", "logs/values/", "logs:read"),
    ("POST", "logs/query/", "logs:read"),
    ("POST", "logs/explainLogWithAI/", "logs:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_each_route_needs_a_key_with_its_scope(
    lasting: tuple[Server, GitRepo], method: str, path: str, scope: str
) -> None:
    server, _ = lasting
    url = f"{server.url}/api/projects/@current/{path}"
    with connect(server.url) as stranger:
        assert stranger.request(method, url).status_code == 401
    others = [other for other in SCOPES if other not in (scope, scope.replace("read", "write"))]
    with server.client(server.key_for(*others)) as client:
        refused = client.request(method, url)
    assert refused.status_code == 403
    assert refused.json()["detail"] == f"API key missing required scope '{scope}'"
    with server.client(server.key_for(scope)) as client:
        assert client.request(method, url).status_code not in (401, 403)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("", "not_authenticated"),
        ("Bearer", "not_authenticated"),
        ("Basic YTpi", "not_authenticated"),
        ("bearer {key}", "not_authenticated"),
        ("Bearer {key}x", "authentication_failed"),
        ("Bearer x{key}", "authentication_failed"),
        ("Bearer {key} {key}", "authentication_failed"),
    ],
)
def test_only_a_known_key_gets_in(
    lasting: tuple[Server, GitRepo], header: str | None, code: str
) -> None:
    server, _ = lasting
    headers = {} if header is None else {"Authorization": header.format(key=server.key)}
    with connect(server.url, headers) as client:
        answer = client.get(READ)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_is_refused_at_once(server: Server) -> None:
    token, key = server.tokens.create(ADA, ["llm_prompt:read"], [server.project])
    with server.client(key) as client:
        assert client.get(READ).status_code == 200
        TokenFile(server.tokens.path).revoke(token.id)
        assert client.get(READ).status_code == 401


def test_only_hashes_are_kept_and_only_the_owner_reads_them(server: Server) -> None:
    text = server.tokens.path.read_text()
    assert server.key not in text
    assert stat.S_IMODE(server.tokens.path.stat().st_mode) == 0o600


def token_with(**changes: object) -> str:
    token = {
        "id": "1",
        "digest": "0" * 64,
        "user": ADA,
        "scopes": ["llm_prompt:read"],
        "projects": [1],
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    return json.dumps({"tokens": [token | changes]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"tokens": 1}',
        '{"tokens": [{}]}',
        token_with(digest="é" * 64),
        token_with(digest=5),
        token_with(scopes="llm_prompt:read"),
        token_with(projects="1"),
        token_with(projects=[]),
        token_with(more=1),
    ],
)
def test_a_file_that_is_none_of_tokens_lets_nobody_in(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tokens.json"
    file.write_text(text)
    with pytest.raises(RepositoryError, match="this is no file of tokens"):
        TokenFile(file).find("phx_x")


def test_a_broken_file_of_tokens_is_told_to_the_log_only(
    repo: GitRepo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tokens.json"
    with serving({1: ProjectSettings(1, repo.path)}, TokenFile(file)) as server:
        good = file.read_bytes()
        for make in (lambda: file.write_bytes(b"\xff"), file.mkdir):
            file.unlink()
            make()
            with server.client() as client:
                answer = client.get(READ)
            assert (answer.status_code, answer.json()["code"]) == (503, "repository_unavailable")
            assert str(tmp_path) not in answer.text
            assert str(file) in caplog.text
            caplog.clear()
        file.rmdir()
        file.write_bytes(good)
        with server.client() as client:
            assert client.get(READ).status_code == 200


@pytest.mark.parametrize(
    ("user", "scopes", "projects"),
    [("Ada", SCOPES, [1]), (ADA, ["llm_prompt:delete"], [1]), (ADA, [], [1]), (ADA, SCOPES, [])],
)
def test_a_token_needs_a_user_scopes_and_projects(
    tmp_path: Path, user: str, scopes: list[str], projects: list[int]
) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    with pytest.raises(InvalidArgumentError):
        tokens.create(user, scopes, projects)
    assert tokens.tokens() == ()


@pytest.fixture(scope="module")
def two_projects(first_repo: GitRepo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the projects 1 and 2."""
    folder = tmp_path_factory.mktemp("projects")
    repo, other = first_repo.copy(folder / "repo"), GitRepo.init(folder / "other")
    other.commit({"prompts/secret.yaml": "prompt: x\n"})
    settings = {
        1: ProjectSettings(1, repo.path),
        2: ProjectSettings(2, other.path, token="phc_two"),
    }
    with serving(settings, TokenFile(folder / "tokens.json")) as server:
        yield server


class TestProjects:
    @pytest.fixture
    def server(self, two_projects: Server) -> Server:
        return two_projects

    @pytest.mark.parametrize("prefix", ["environments", "projects"])
    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize(
        ("segment", "query", "project"),
        [
            ("1", "", 1),
            ("2", "", 2),
            ("@current", "", 2),
            ("%40current", "", 2),
            ("@current", "?token=phc_project_1", 1),
            ("2", "?token=phc_project_1", 1),
            ("word", "?token=phc_two", 2),
        ],
    )
    def test_a_request_finds_its_project(
        self, server: Server, prefix: str, slash: str, segment: str, query: str, project: int
    ) -> None:
        key = server.key_for(projects=(2, 1))
        url = f"/api/{prefix}/{segment}/llm_prompts{slash}{query}"
        with server.client(key) as client:
            (row,) = client.get(url).json()["results"]
        assert row["name"] == {1: "summarise", 2: "secret"}[project]

    def test_a_hidden_project_is_like_none(self, server: Server) -> None:
        with server.client(server.key_for(projects=(1,))) as client:
            hidden = client.get("/api/environments/2/llm_prompts/name/secret/")
            missing = client.get("/api/environments/3/llm_prompts/name/secret/")
            assert hidden.status_code == missing.status_code == 404
            assert hidden.json() == missing.json()
            assert hidden.json()["detail"] == "Project not found."
            by_token = client.get("/api/environments/1/llm_prompts/?token=phc_two")
            assert by_token.json()["detail"] == "Incorrect authentication credentials."
            unknown = client.get("/api/environments/1/llm_prompts/?token=phc_none")
            assert by_token.status_code == unknown.status_code == 401
            assert by_token.json() == unknown.json()

    @pytest.mark.parametrize("segment", ["abc", "1.0", "-1", "²", "1" * 5000, "%00", "..%2f1"])
    def test_what_is_no_project(self, server: Server, segment: str) -> None:
        with server.client() as client:
            assert client.get(f"/api/environments/{segment}/llm_prompts/").status_code == 404


@pytest.fixture(scope="module")
def stranger(
    first_repo: GitRepo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client without a key, of a server that asks nobody for one."""
    repo = first_repo.copy(tmp_path_factory.mktemp("open") / "repo")
    app = create_app(open_projects([ProjectSettings(1, repo.path)]), None)
    with listening(app) as url, connect(url) as client:
        yield client


class TestWithoutAuthentication:
    def test_this_machine_needs_no_key(self, stranger: httpx.Client) -> None:
        assert stranger.get(READ).json()["prompt"] == "Sum up: {{text}}"
        body = {"base_version": 1, "prompt": "x"}
        written = stranger.patch(READ, json=body).json()
        assert written["created_by"]["email"] == "ada@example.com"

    @pytest.mark.parametrize("token", ["phc_project_1", "phc_of_another_app", ""])
    def test_any_public_token_is_the_one_project(self, stranger: httpx.Client, token: str) -> None:
        for segment in ("1", "@current"):
            url = f"/api/environments/{segment}/llm_prompts/name/summarise/"
            assert stranger.get(url, params={"token": token}).status_code == 200

    def test_its_own_pages_may_ask(self, stranger: httpx.Client) -> None:
        origin = str(stranger.base_url).rstrip("/")
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        assert stranger.get(READ, headers=headers).status_code == 200
        port = stranger.base_url.port
        other = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
        assert stranger.get(READ, headers=other).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example"},
            {"Host": "localhost:80@evil.example"},
            {"Host": "localhost.evil.example"},
            {"Host": "localhost:99999999"},
            {"Host": "u@localhost"},
            {"Host": "[::1"},
            {"Origin": "http://localhost:3000"},
            {"Origin": "http://127.0.0.1"},
            {"Origin": "https://127.0.0.1:{port}"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost.evil.example"},
            {"Origin": "http://["},
            {"Host": "["},
            {"Host": ""},
            {"X-Forwarded-For": "203.0.113.7"},
            {"Via": "1.1 proxy"},
        ],
    )
    def test_a_page_of_another_site_cannot_use_the_browser(
        self, stranger: httpx.Client, headers: dict[str, str]
    ) -> None:
        port = str(stranger.base_url.port)
        headers = {key: value.replace("{port}", port) for key, value in headers.items()}
        form = {"name": "planted", "prompt": '"x"'}
        refused = stranger.post("/api/environments/1/llm_prompts/", data=form, headers=headers)
        assert refused.status_code == 403


def test_the_access_log_tells_everything_but_secrets(
    repo: GitRepo, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    projects = {1: ProjectSettings(1, repo.path)}
    caplog.set_level(logging.INFO, logger="promptstore.access")
    # A line is written after its answer was sent: all are there when the server has stopped.
    with (
        serving(projects, TokenFile(tmp_path / "tokens.json")) as server,
        server.client() as client,
    ):
        client.get(READ, params={"token": "phc_project_1", "label": "x"})
        client.get("/api/environments/1/llm_prompts/name/%0Aforged/")
        client.get(READ, headers={"Authorization": "Bearer phx_wrong"})
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["method"], line["status"], line["user"]) for line in lines] == [
        ("GET", 404, ADA),
        ("GET", 404, ADA),
        ("GET", 401, None),
    ]
    assert lines[0]["path"] == READ
    assert lines[0]["client"] == "127.0.0.1"
    assert lines[0]["ms"] > 0
    assert "phx_" not in caplog.text
    assert "phc_" not in caplog.text
