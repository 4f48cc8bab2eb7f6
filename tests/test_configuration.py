"""Git's configuration is read as git reads it, from the environment too."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.git import Repository
from promptstore.git.configuration import Settings
from tests.gitrepo import GitRepo


def settings(repo: GitRepo) -> Settings:
    return Repository.discover(repo.path).configuration.settings()


def git_says(repo: GitRepo, *words: str) -> str:
    command = ["git", "config", *words]
    done = subprocess.run(command, cwd=repo.path, capture_output=True, text=True, check=False)
    return done.stdout.rstrip("\n")


@pytest.fixture(autouse=True)
def _no_files_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in list(os.environ):
        if variable.startswith("GIT_CONFIG"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def test_every_source_as_git_weighs_it(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for level in ("system", "global"):
        files[level] = tmp_path / level
        files[level].write_text(
            f"[user]\n\tname = {level}\n[{level}]\n\tonly = yes\n[both]\n\tkey = {level}\n"
        )
        monkeypatch.setenv(f"GIT_CONFIG_{level.upper()}", str(files[level]))
    monkeypatch.delenv("GIT_CONFIG_NOSYSTEM")
    repo.git("config", "both.key", "local")
    repo.git("config", "remote.Some.Name.url", "x")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "User.Name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "environment")
    monkeypatch.setenv("GIT_CONFIG_KEY_1", "remote.Some.Name.URL")
    monkeypatch.setenv("GIT_CONFIG_VALUE_1", "y")
    found = settings(repo)
    for key in ("user.name", "USER.Name", "system.only", "global.only", "both.key"):
        assert found[key] == git_says(repo, key)
    assert found["user.name"] == "environment"
    assert found["remote.Some.Name.url"] == "y"
    assert found.get_all("both.key") == git_says(repo, "--get-all", "both.key").split()
    assert "remote.some.name.url" not in found
    assert "no.such" not in found
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "true")
    assert "system.only" not in settings(repo)
    assert settings(repo)["global.only"] == "yes"


@pytest.mark.parametrize(
    "line",
    ["key = true", "key", "key = 1", "key = -1", "key = 0", "key = no", "key = ", "key = on"],
)
def test_a_boolean_as_git_reads_it(repo: GitRepo, line: str) -> None:
    with (repo.path / ".git/config").open("a") as stream:
        stream.write(f"[some]\n\t{line}\n")
    expected = git_says(repo, "--type=bool", "some.key")
    assert settings(repo).get_bool("some.key") == (expected == "true")
    assert settings(repo).get_bool("some.other") is False


@pytest.mark.parametrize("variables", [{"COUNT": "x"}, {"COUNT": "1", "KEY_0": "a.b"}])
def test_a_broken_environment_is_told(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    with pytest.raises(InvalidArgumentError, match="GIT_CONFIG_"):
        settings(repo)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("kind", ["clone", "bare", "linked worktree"])
@pytest.mark.parametrize("way", ["file", "environment", "star"])
def test_a_repository_of_another_user(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, way: str
) -> None:
    repo.commit({"prompts/a.yaml": "prompt: one\n"})
    place = repo.path
    if kind == "bare":
        place = repo.clone(tmp_path / "bare.git", "--bare").path
    elif kind == "linked worktree":
        place = tmp_path / "linked"
        repo.git("worktree", "add", "--quiet", "-b", "other", str(place))
    home = tmp_path / "home"
    home.mkdir()
    for path in (*tmp_path.rglob("*"), repo.path):
        os.chown(path, 1234, 1234, follow_symlinks=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    with pytest.raises(RepositoryError, match="another user owns") as caught:
        Repository.discover(place)
    hint = re.search(r"--add safe\.directory ([^`]+)`", str(caught.value))
    assert hint is not None
    if way == "file":
        # The lines that the error names, for who has no git program.
        lines = re.search(r"the lines `(.*?)` and `(.*?)`", str(caught.value))
        assert lines is not None
        trusted = tmp_path / "gitconfig"
        trusted.write_text(f"{lines[1]}\n{lines[2]}\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(trusted))
    else:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*" if way == "star" else hint[1])
    assert Repository.discover(place).tip()
