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


@pytest.fixture
def repo(repo: GitRepo) -> GitRepo:
    """A repository with its branch checked out, and one prompt that a person committed."""
    configure(repo)
    repo.commit(
        {"prompts/summarise.yaml": "prompt: 'Sum up: {{text}}'\ntemplate: simple\n"},
        "Sum up",
    )
    return repo


@pytest.fixture
def server(repo: GitRepo, tmp_path: Path) -> Iterator[Server]:
    """A server that listens, with the repository as its project 1."""
    settings = {1: ProjectSettings(1, repo.path, branch="main")}
    with serving(settings, TokenFile(tmp_path / "tokens.json")) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client that may do everything in project 1."""
    with server.client() as client:
        client.base_url = httpx.URL(f"{server.url}/api/environments/1/llm_prompts/")
        yield client
