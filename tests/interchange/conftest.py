from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.gitrepo import GitRepo
from tests.writing.conftest import repo, store

__all__ = ["repo", "store"]


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
