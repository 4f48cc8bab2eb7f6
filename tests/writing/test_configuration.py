"""What a save asks of git's configuration is what it says at that moment, wherever it is said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import cast

import pygit2
import pytest
from pygit2.enums import ConfigLevel

from promptstore.errors import InvalidArgumentError, RepositoryError
from promptstore.git.reading import Repository
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

NUMBERS = count()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder of this process, with a file that git reads everywhere."""
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
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


def test_a_name_is_written_as_git_writes_it(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("config", "user.name", 'Eve "E" <Example>')
    repo.git("config", "user.email", "<eve@example.com>")
    environment = {key: value for key, value in os.environ.items() if "GIT_AUTHOR" not in key}
    said = ["git", "var", "GIT_AUTHOR_IDENT"]
    told = subprocess.run(said, cwd=repo.path, env=environment, capture_output=True, text=True)
    name, _ = saved_by(PromptStore.open(repo.path))
    assert told.stdout.startswith(f"{name} <eve@example.com>")


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


class TestEnvironment:
    """Git is asked the same thing first: what it does is what counts."""

    @pytest.fixture
    def plain(self, tmp_path: Path) -> GitRepo:
        return GitRepo.init(tmp_path / "plain")

    def test_pairs_say_who_commits(self, plain: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        pairs = {"user.name": 'Eva "E" \\ Example', "user.email": "eva@example.com"}
        set_pairs(monkeypatch, pairs)
        assert saved_by(PromptStore.open(plain.path)) == (pairs["user.name"], pairs["user.name"])
        asked = ["git", "config", "user.name"]
        told = subprocess.run(asked, cwd=plain.path, capture_output=True, text=True, check=True)
        assert told.stdout == pairs["user.name"] + "\n"

    def test_pairs_go_before_files(self, plain: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        plain.git("config", "user.name", "Local")
        plain.git("config", "user.email", "local@example.com")
        set_pairs(monkeypatch, {"user.name": "Pair"})
        assert saved_by(PromptStore.open(plain.path)) == ("Pair", "Pair")

    @pytest.mark.parametrize("count", ["x", "-1", "2"])
    def test_pairs_that_are_not_there(
        self, plain: GitRepo, monkeypatch: pytest.MonkeyPatch, count: str
    ) -> None:
        set_pairs(monkeypatch, {"user.name": "Pair"})
        monkeypatch.setenv("GIT_CONFIG_COUNT", count)
        if count == "-1":
            PromptStore.open(plain.path)
            return
        with pytest.raises(InvalidArgumentError, match=f"GIT_CONFIG_COUNT={count} needs"):
            PromptStore.open(plain.path)

    def test_the_global_file(
        self, plain: GitRepo, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_name(tmp_path / "xdg/config", "Xdg", "committer")
        assert saved_by(PromptStore.open(plain.path)) == ("Home", "Xdg")
        write_name(tmp_path / "other", "Other")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "other"))
        assert saved_by(PromptStore.open(plain.path)) == ("Other", "Other")

    def test_the_system_file(
        self, plain: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_name(tmp_path / "system", "System")
        monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "system"))
        with pytest.raises(RepositoryError, match="does not know who you are"):
            PromptStore.open(plain.path).save("a", Prompt(prompt="x"))
        monkeypatch.delenv("GIT_CONFIG_NOSYSTEM")
        assert saved_by(PromptStore.open(plain.path)) == ("System", "System")

    def test_what_libgit2_itself_asks_is_answered_too(
        self, plain: GitRepo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_pairs(monkeypatch, {"core.autocrlf": "true", "user.name": "A", "user.email": "a@b"})
        PromptStore.open(plain.path).save("a", Prompt(prompt="1\n2\n"))
        assert (plain.path / "prompts/a.yaml").read_bytes() == b"prompt: |\r\n  1\r\n  2\r\n"

    @pytest.mark.parametrize(
        "date",
        [
            "1700000000 +0130",
            "@1700000000 -0800",
            "2026-01-31T12:00:00+02:00",
            "2026-01-31 12:00:00",
            "Sat, 31 Jan 2026 12:00:00 -0330",
        ],
    )
    def test_dates(
        self, repo: GitRepo, store: PromptStore, monkeypatch: pytest.MonkeyPatch, date: str
    ) -> None:
        monkeypatch.setenv("GIT_AUTHOR_DATE", date)
        monkeypatch.setenv("GIT_COMMITTER_DATE", date)
        subprocess.run(["git", "commit", "-qm", "x", "--allow-empty"], cwd=repo.path, check=True)
        wanted = repo.git("log", "-1", "--format=%ad %cd", "--date=raw")
        store.save("a", Prompt(prompt="x"))
        assert repo.git("log", "-1", "--format=%ad %cd", "--date=raw") == wanted
        assert repo.git("rev-list", "--count", "HEAD") == "2"

    @pytest.mark.parametrize("date", ["yesterday-ish", "1700000000 +9999", "2026-13-01"])
    def test_what_is_no_date(
        self, store: PromptStore, monkeypatch: pytest.MonkeyPatch, date: str
    ) -> None:
        monkeypatch.setenv("GIT_COMMITTER_DATE", date)
        with pytest.raises(InvalidArgumentError, match="GIT_COMMITTER_DATE holds no date"):
            store.save("a", Prompt(prompt="x"))


def set_pairs(monkeypatch: pytest.MonkeyPatch, pairs: Mapping[str, str]) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(pairs)))
    for number, (key, value) in enumerate(pairs.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)


def test_every_source_as_git_weighs_it(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in ("system", "global"):
        file = tmp_path / level
        file.write_text(
            f"[user]\n\tname = {level}\n[{level}]\n\tonly = yes\n[both]\n\tkey = {level}\n"
        )
        monkeypatch.setenv(f"GIT_CONFIG_{level.upper()}", str(file))
    monkeypatch.delenv("GIT_CONFIG_NOSYSTEM", raising=False)
    repo.git("config", "both.key", "local")
    repo.git("config", "remote.Some.Name.url", "x")
    repo.git("config", "--unset", "user.name")
    set_pairs(monkeypatch, {"Pair.Name": "environment", "remote.Some.Name.URL": "y"})
    found = Repository.discover(repo.path).handle.config
    keys = ("user.name", "system.only", "global.only", "pair.name", "remote.Some.Name.url")
    for key in (*keys, "both.key"):
        told = git_says(repo, "--get-all", key).split()
        assert list(found.get_multivar(key)) == told
        assert found[key] == told[-1]
    assert "no.such" not in found
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "true")
    found = Repository.discover(repo.path).handle.config
    assert "system.only" not in found
    assert found["global.only"] == "yes"


def git_says(repo: GitRepo, *words: str) -> str:
    command = ["git", "config", *words]
    done = subprocess.run(command, cwd=repo.path, capture_output=True, text=True, check=False)
    return done.stdout.rstrip("\n")
