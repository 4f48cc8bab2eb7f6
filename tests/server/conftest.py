from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gitrepo import GitRepo
from tests.server.listening import Host, Server, hosting
from tests.writing.conftest import configure


def with_a_prompt(repo: GitRepo) -> GitRepo:
    """Commit a prompt, as a person does."""
    configure(repo)
    text = "prompt: 'Sum up: {{text}}'\ntemplate: simple\n"
    repo.commit({"prompts/summarise.yaml": text}, "Sum up")
    return repo


@pytest.fixture(scope="session")
def first_repo(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """The repository that others are copies of: making one anew takes ten times as long."""
    return with_a_prompt(GitRepo.init(tmp_path_factory.mktemp("first") / "repo"))


@pytest.fixture
def repo(first_repo: GitRepo, tmp_path: Path) -> GitRepo:
    """A repository with its branch checked out, and one prompt that a person committed."""
    return first_repo.copy(tmp_path / "repo")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The server that listens; each test has a project of its own on it."""
    with hosting(tmp_path_factory.mktemp("shared") / "tokens.json") as host:
        yield host


@pytest.fixture
def server(shared: Host, repo: GitRepo) -> Iterator[Server]:
    """The server, with the repository as a project of its own, which is the key's current one."""
    with shared.project(repo.path) as server:
        yield server


@pytest.fixture(scope="module")
def lasting(
    shared: Host, first_repo: GitRepo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, GitRepo]]:
    """The server and a repository for tests that leave it as it was."""
    repo = first_repo.copy(tmp_path_factory.mktemp("lasting") / "repo")
    with shared.project(repo.path) as server:
        yield server, repo


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that may do everything in the project."""
    with server.client() as client:
        client.base_url = httpx.URL(f"{server.url}/api/environments/@current/llm_prompts/")
        yield client
