from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from promptstore.server.settings import ProjectSettings
from promptstore.server.tokens import TokenFile
from tests.gitrepo import GitRepo
from tests.server.listening import Server, serving
from tests.writing.conftest import configure


def with_a_prompt(repo: GitRepo) -> GitRepo:
    """Commit a prompt, as a person does."""
    configure(repo)
    text = "prompt: 'Sum up: {{text}}'\ntemplate: simple\n"
    repo.commit({"prompts/summarise.yaml": text}, "Sum up")
    return repo


@pytest.fixture
def repo(repo: GitRepo) -> GitRepo:
    """A repository with its branch checked out, and one prompt that a person committed."""
    return with_a_prompt(repo)


@pytest.fixture
def server(repo: GitRepo, tmp_path: Path) -> Iterator[Server]:
    """A server that listens, with the repository as its project 1."""
    settings = {1: ProjectSettings(1, repo.path, branch="main")}
    with serving(settings, TokenFile(tmp_path / "tokens.json")) as server:
        yield server


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, GitRepo]]:
    """A server and its repository for tests that leave them as they were."""
    folder = tmp_path_factory.mktemp("lasting")
    repo = with_a_prompt(GitRepo.init(folder / "repo"))
    settings = {1: ProjectSettings(1, repo.path, branch="main")}
    with serving(settings, TokenFile(folder / "tokens.json")) as server:
        yield server, repo


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that may do everything in project 1."""
    with server.client() as client:
        client.base_url = httpx.URL(f"{server.url}/api/environments/1/llm_prompts/")
        yield client
