"""What a save asks of git's configuration is what it says at that moment, wherever it is said."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import cast

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

NUMBERS = count()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder of this process, with a file that git reads everywhere."""
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    levels = {ConfigLevel.GLOBAL: tmp_path / "home", ConfigLevel.XDG: tmp_path / "xdg"}
    before = {level: pygit2.settings.search_path[level] for level in levels}
    for level, folder in levels.items():
        folder.mkdir()
        pygit2.settings.search_path[level] = str(folder)
    write_name(tmp_path / "home/.gitconfig", "Home")
    yield tmp_path / "home"
    for level, path in before.items():
        pygit2.settings.search_path[level] = path


def write_name(file: Path, name: str, role: str = "user") -> None:
    file.write_text(f"[{role}]\nname = {name}\nemail = {name.lower()}@example.com\n")


def saved_by(store: PromptStore) -> tuple[str, str]:
    """Save something, and tell the author and the committer."""
    saved = store.save("a", Prompt(prompt=f"{next(NUMBERS)}"))
    assert saved.commit is not None
    commit = cast("pygit2.Commit", store.repository.handle[saved.commit])
    return commit.author.name, commit.committer.name


def test_each_file_is_followed_from_save_to_save(home: Path, tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo", "--bare")
    store = PromptStore.open(repo.path)
    assert saved_by(store) == ("Home", "Home")
    write_name(home / ".gitconfig", "Moved")
    assert saved_by(store) == ("Moved", "Moved")
    repo.git("config", "user.name", "Local")
    assert saved_by(store) == ("Local", "Local")
    repo.git("config", "committer.name", "Robot")
    assert saved_by(store) == ("Local", "Robot")
    repo.git("config", "author.name", "Writer")
    repo.git("config", "--unset", "committer.name")
    assert saved_by(store) == ("Writer", "Local")
    repo.git("config", "--unset", "author.name")
    repo.git("config", "--unset", "user.name")
    assert saved_by(store) == ("Moved", "Moved")


@pytest.mark.parametrize("section", ["include", 'includeIf "gitdir:**"'])
def test_a_file_that_is_included_is_followed_too(home: Path, tmp_path: Path, section: str) -> None:
    repo = GitRepo.init(tmp_path / "repo", "--bare")
    file = tmp_path / "included"
    write_name(file, "Included")
    with (repo.path / "config").open("a") as config:
        config.write(f"[{section}]\npath = {file}\n")
    store = PromptStore.open(repo.path)
    assert saved_by(store) == ("Included", "Included")
    write_name(file, "Rewritten")
    assert saved_by(store) == ("Rewritten", "Rewritten")
    assert home.exists()


def test_the_environment_goes_first(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PromptStore.open(GitRepo.init(tmp_path / "repo", "--bare").path)
    assert saved_by(store) == ("Home", "Home")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Environment")
    assert saved_by(store) == ("Home", "Environment")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Other")
    monkeypatch.delenv("GIT_COMMITTER_NAME")
    assert saved_by(store) == ("Other", "Home")


def test_a_repository_that_gets_a_working_tree_is_written_as_one(tmp_path: Path) -> None:
    """A bare repository becomes one that is checked out, while a store is open."""
    git_dir = tmp_path / "top/.git"
    bare = GitRepo.init(git_dir, "--bare")
    bare.git("config", "user.name", "Ada")
    bare.git("config", "user.email", "ada@example.com")
    store = PromptStore.open(git_dir)
    store.save("a", Prompt(prompt="1"))
    assert not (tmp_path / "top/prompts").exists()
    bare.git("config", "core.bare", "false")
    top = GitRepo(tmp_path / "top")
    top.git("reset", "--quiet", "--hard")
    store.save("a", Prompt(prompt="2"))
    assert (tmp_path / "top/prompts/a.yaml").read_text() == 'prompt: "2"\n'
    assert top.git("status", "--porcelain") == ""
    bare.git("config", "core.bare", "true")
    store.save("a", Prompt(prompt="3"))
    assert (tmp_path / "top/prompts/a.yaml").read_text() == 'prompt: "2"\n'
