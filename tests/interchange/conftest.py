from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure


@pytest.fixture
def repo(repo: GitRepo) -> GitRepo:
    """A repository on the branch main, without commits, that knows who commits."""
    return configure(repo)


@pytest.fixture
def store(repo: GitRepo) -> PromptStore:
    return PromptStore.open(repo.path)


@pytest.fixture
def run(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command at the top of the repository."""
    from typer.testing import CliRunner, Result

    from promptstore.cli.app import app

    monkeypatch.chdir(repo.path)

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return invoke


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder for the files of another tool."""
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder
