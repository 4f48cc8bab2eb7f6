"""A repository of another user is refused as git refuses it, and each hint works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

STRANGER = 12345

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)

OPEN = (
    "import sys; from promptstore import PromptStore; print(PromptStore.open(sys.argv[1]).names())"
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An ordinary clone, a linked worktree and a bare clone, all of another user."""
    repo = configure(GitRepo.init(tmp_path / "own"))
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    repo.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    repo.clone(tmp_path / "bare.git", "--bare")
    for top in ("own", "linked", "bare.git"):
        for path in [tmp_path / top, *(tmp_path / top).rglob("*")]:
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    return {
        "clone": tmp_path / "own",
        "worktree": tmp_path / "linked",
        "bare": tmp_path / "bare.git",
    }


def opened(path: Path, **environment: str) -> str:
    """Open a store in a process of its own, as libgit2 looks for the home once in each."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


KINDS = pytest.mark.parametrize("kind", ["clone", "worktree", "bare"])


@KINDS
def test_the_command_of_the_hint_works(places: dict[str, Path], kind: str) -> None:
    refused = opened(places[kind])
    assert "another user owns this repository" in refused
    command = shlex.split(refused.split("`")[1])
    assert command[:4] == ["git", "config", "--global", "--add"]
    subprocess.run(command, check=True)
    assert opened(places[kind]) == "['a']\n"
    # So does git itself.
    subprocess.run(["git", "log", "-1"], cwd=places[kind], check=True, capture_output=True)


@KINDS
def test_the_lines_of_the_hint_work_without_git(places: dict[str, Path], kind: str) -> None:
    lines = re.search(r"the lines `(.*?)` and `(.*?)` in", opened(places[kind]))
    assert lines is not None
    Path(os.environ["HOME"], ".gitconfig").write_text(f"{lines[1]}\n{lines[2]}\n")
    assert opened(places[kind]) == "['a']\n"


def test_the_environment_counts(places: dict[str, Path], tmp_path: Path) -> None:
    pair = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
    for path in places.values():
        assert opened(path, **pair, GIT_CONFIG_VALUE_0=str(path)) == "['a']\n"
    path = places["clone"]
    assert opened(path, **pair, GIT_CONFIG_VALUE_0="*") == "['a']\n"
    assert opened(path, **pair, GIT_CONFIG_VALUE_0=f"{tmp_path}/*") == "['a']\n"
    assert "another user" in opened(path, **pair, GIT_CONFIG_VALUE_0="/elsewhere")
    file = tmp_path / "settings"
    file.write_text(f"[safe]\ndirectory = {path}\n")
    assert opened(path, GIT_CONFIG_GLOBAL=str(file)) == "['a']\n"
    file.write_text(f"[safe]\ndirectory = {path}\ndirectory =\n")
    assert "another user" in opened(path, GIT_CONFIG_GLOBAL=str(file))


def test_the_repository_cannot_call_itself_safe(places: dict[str, Path]) -> None:
    with (places["clone"] / ".git/config").open("a") as config:
        config.write("[safe]\ndirectory = *\n")
    assert "another user" in opened(places["clone"])
