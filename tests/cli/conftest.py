from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from promptstore.cli.app import app
from tests.conftest import Fill
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

Run = Callable[..., Result]
UseEditor = Callable[[str], None]

GREET = """\
# What everybody reads first.
prompt: |
  Hi {{ name }}
  and welcome.
config: {temperature: 0.2}  # low on purpose
"""


def commit_prompts(repo: GitRepo) -> None:
    files = {
        "prompts/greet.yaml": GREET,
        "prompts/other.yaml": "prompt: Other\n",
        "prompts/shared/tone.yaml": "prompt: Be kind.\n",
    }
    repo.commit(files, "First")
    configure(repo)


@pytest.fixture
def written(repo: GitRepo, fill: Fill) -> GitRepo:
    """`greet`, `other` and `shared/tone` with one version each, where git knows who commits."""
    return fill(repo, commit_prompts)


@pytest.fixture
def write(written: GitRepo, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command at the top of the repository; an error of our own is kept as it is."""
    monkeypatch.chdir(written.path)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return run


@pytest.fixture
def use_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UseEditor:
    """Sets the editor to a script of shell, which is given the file as ``$1``."""

    def use(script: str) -> None:
        editor = tmp_path / "my editor"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o755)
        monkeypatch.setenv("EDITOR", f"'{editor}'")

    for variable in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(variable, raising=False)
    return use
