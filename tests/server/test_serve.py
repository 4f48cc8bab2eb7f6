"""The commands `serve` and `token`; a server that listens is a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from promptstore.cli.app import app
from promptstore.errors import PromptStoreError
from tests.docs.blocks import DOCS, TOP, named_block
from tests.gitrepo import GitRepo

READ = "/api/environments/@current/llm_prompts/name/summarise/"


def promptstore(repo: GitRepo, *arguments: str) -> Result:
    """Run a command that ends by itself."""
    place = [] if "--projects" in arguments else ["-C", str(repo.path)]
    return CliRunner().invoke(app, [*place, *arguments])


def refused(repo: GitRepo, *arguments: str) -> str:
    """Run a command that fails by an error of ours, and give what that says."""
    done = promptstore(repo, *arguments)
    assert isinstance(done.exception, PromptStoreError)
    assert done.output == ""
    return str(done.exception)


@contextmanager
def served(repo: GitRepo, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve on a free port, and give the process and its URL."""
    command = [sys.executable, "-m", "promptstore", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=repo.path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                found = re.search(r"serving on (http://[\d.]+:\d+) ", line)
                if found:
                    yield process, found[1]
                    break
            else:
                pytest.fail("the server did not start")
        finally:
            process.kill()


def test_a_key_from_its_making_to_its_end(repo: GitRepo) -> None:
    assert "there are no tokens" in refused(repo, "serve")
    made = promptstore(repo, "token", "create", "--user", "Ada Example <ada@example.com>")
    key = made.stdout.strip()
    assert key.startswith("phx_")
    (listed,) = json.loads(promptstore(repo, "token", "list", "--json").stdout)
    assert (listed["scopes"], listed["projects"]) == (["llm_prompt:read"], [1])
    assert key not in promptstore(repo, "token", "list").stdout
    assert repo.git("status", "--porcelain") == ""
    headers = {"Authorization": f"Bearer {key}"}
    with served(repo) as (_, url):
        assert httpx.get(url + READ, headers=headers).json()["version"] == 1
        assert httpx.get(url + READ).status_code == 401
        body = {"base_version": 1, "prompt": "x"}
        assert httpx.patch(url + READ, headers=headers, json=body).status_code == 403
        revoked = promptstore(repo, "token", "revoke", listed["id"])
        assert revoked.stdout == f"revoked token {listed['id']} of Ada Example <ada@example.com>\n"
        assert httpx.get(url + READ, headers=headers).status_code == 401
    assert "there is no token" in refused(repo, "token", "revoke", listed["id"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_when_the_server_stops(
    repo: GitRepo, number: signal.Signals
) -> None:
    body = json.dumps({"name": "late", "prompt": "x"}).encode()
    head = (
        "POST /api/environments/1/llm_prompts/ HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with served(repo, "--no-auth") as (process, url):
        with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as connection:
            connection.sendall(head.encode())
            # The server asks for the body: the request is being handled.
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            process.send_signal(number)
            assert process.stderr is not None
            assert any("Shutting down" in line for line in process.stderr)
            connection.sendall(body)
            assert connection.recv(100).startswith(b"HTTP/1.1 201")
        assert process.wait(timeout=30) in (0, 130, -number)
    assert repo.git("log", "-1", "--format=%s") == "Create late"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--no-auth", "--host", "0.0.0.0"], "is open to others"),
        (["--no-auth", "--host", "prompts.example.com"], "is open to others"),
        (["--no-auth", "--public-url", "example.com"], "is written like https://"),
        (["--no-auth", "--projects", "nope.yaml"], "No such file"),
        (["--no-auth", "--host", "nope.invalid"], "is open to others"),
    ],
)
def test_what_cannot_be_served(repo: GitRepo, arguments: list[str], says: str) -> None:
    assert says in refused(repo, "serve", *arguments)


def test_a_file_of_projects_excludes_what_is_about_one(repo: GitRepo, tmp_path: Path) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text("projects: [{id: 3, repository: repo}]")
    for options in (["--branch", "main"], ["--root", "x"], ["-C", str(repo.path)]):
        done = CliRunner().invoke(app, [*options, "serve", "--no-auth", "--projects", str(file)])
        assert "write them into" in str(done.exception)
    says = refused(repo, "serve", "--projects", str(file), "--public-url", "https://x.example")
    assert "write `public_url` into" in says
    create = ("token", "create", "--user", "Ada <ada@example.com>", "--projects", str(file))
    assert "there is no project 1; there are: 3" in refused(repo, *create, "--project", "1")
    made = promptstore(repo, *create, "--json")
    assert json.loads(made.output)["projects"] == [3]


@pytest.mark.parametrize("module", ["fastapi", "fastapi_swagger", "uvicorn"])
def test_without_its_extra_it_says_what_to_install(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert "[server]'" in refused(repo, "serve", "--no-auth")


def test_a_port_that_is_taken(repo: GitRepo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        says = refused(repo, "serve", "--no-auth", "--port", str(port))
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in says


def test_a_shallow_clone_cannot_be_served(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    shallow = repo.clone(tmp_path / "shallow", "--depth=1")
    assert "git fetch --unshallow" in refused(shallow, "serve", "--no-auth")


def test_several_projects_from_a_file(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"other/b.yaml": "prompt: In another folder\n"})
    file = tmp_path / "projects.yaml"
    file.write_text(
        "projects:\n"
        "  - {id: 1, repository: repo, branch: main}\n"
        "  - id: 2\n"
        "    repository: repo\n"
        "    root: other\n"
        "    public_url: https://prompts.example.com\n"
        "    token: phc_two\n"
    )
    made = promptstore(
        repo, "token", "create", "--projects", str(file), "--project", "1", "--project", "2",
        "--user", "Ada Example <ada@example.com>", "--json",
    )  # fmt: skip
    key = json.loads(made.stdout)["key"]
    assert (tmp_path / "tokens.json").is_file()
    with served(repo, "--projects", str(file)) as (_, url):
        headers = {"Authorization": f"Bearer {key}"}
        found = httpx.get(f"{url}{READ}?token=phc_project_1", headers=headers).json()
        assert found["name"] == "summarise"
        base = f"{url}/api/environments/@current/llm_prompts"
        query = {"token": "phc_two", "limit": "1", "offset": "1"}
        page = httpx.get(f"{base}/", params=query, headers=headers).json()
        assert page["previous"] == (
            "https://prompts.example.com/api/environments/@current/llm_prompts/"
            "?token=phc_two&limit=1"
        )


def test_what_the_guide_shows_is_so(tmp_path: Path) -> None:
    page = DOCS / "guides" / "server.md"
    command = named_block(page, "command").text.strip().partition(" && .venv/bin/promptstore ")[2]
    paths = re.findall(
        r"http://127\.0\.0\.1:8000(.*)'$", named_block(page, "reads").text, re.MULTILINE
    )
    assert len(paths) == 2
    with served(GitRepo(TOP), *command.split()[1:]) as (_, url):
        for path in paths:
            assert httpx.get(url + path).status_code == 200
        program = named_block(page, "sdk").text.replace("http://127.0.0.1:8000", url)
        done = subprocess.run(
            [sys.executable, "-c", f"{program}\nprint(found.source)"],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("api\n", "")
