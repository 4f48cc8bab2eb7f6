from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import AUTHOR, GitRepo


def configure(repo: GitRepo) -> GitRepo:
    """Tell git who commits here, and not to tidy up in the background, where locks would show."""
    name, email = AUTHOR
    folder = repo.path / ".git"
    with ((folder if folder.is_dir() else repo.path) / "config").open("a") as config:
        config.write(f"[user]\n\tname = {name}\n\temail = {email}\n[gc]\n\tauto = 0\n")
    return repo


def assert_tidy(repo: GitRepo) -> None:
    """The repository is whole, and nothing is left over."""
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    is_bare, top = repo.git(
        "rev-parse", "--is-bare-repository", "--path-format=absolute", "--git-common-dir"
    ).split("\n")
    assert is_bare == "true" or (repo.git("status", "--porcelain", "--untracked-files=all") == "")
    left = [path for name in ("*.lock", "journal*", "index.*") for path in Path(top).rglob(name)]
    assert [path.name for path in left] in ([], ["write.lock"])


@pytest.fixture
def repo(repo: GitRepo) -> GitRepo:
    """A repository on the branch main, without commits, that knows who commits."""
    return configure(repo)


@pytest.fixture
def store(repo: GitRepo) -> PromptStore:
    return PromptStore.open(repo.path)
