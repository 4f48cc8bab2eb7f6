"""A writer in a clone, people at the remote, and a mirror that reads, as the guide says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.docs.blocks import DOCS, named_block
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy, configure

PAGE = DOCS / "guides" / "server.md"


def lines(word: str, remote: Path) -> list[str]:
    """Return the commands of a block of the guide, but those of promptstore itself."""
    text = named_block(PAGE, word).text
    text = text.replace("https://git.example.com/team/prompts.git", remote.as_uri())
    commands = [line.removeprefix("$ ") for line in text.splitlines()]
    return [command for command in commands if "serve" not in command]


def shell(folder: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    script = "set -e\n" + "\n".join(commands)
    return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def remote(repo: GitRepo, tmp_path: Path) -> GitRepo:
    return repo.clone(tmp_path / "remote" / "prompts.git", "--bare")


def test_what_the_guide_says_about_several_machines(
    remote: GitRepo, repo: GitRepo, tmp_path: Path
) -> None:
    clone, *push = lines("clone", remote.path)
    assert shell(tmp_path, clone, push[0]).returncode == 0
    writer = configure(GitRepo(tmp_path / "prompts.git"))
    store = PromptStore.open(writer.path, branch="api")
    store.save("summarise", Prompt(prompt="Written by the server"))
    assert shell(tmp_path, push[1]).returncode == 0, "no label has been set yet"
    store.set_label("summarise", "production", version=2)
    repo.git("remote", "add", "origin", remote.path.as_uri())
    repo.commit({"prompts/people.yaml": "prompt: Written by people\n"})
    repo.git("push", "--quiet", "origin", "main")

    done = shell(tmp_path, *lines("merge", remote.path))
    assert done.returncode == 0, done.stderr
    assert shell(tmp_path, push[1]).returncode == 0

    shell(tmp_path, f"git clone --mirror {remote.path.as_uri()} mirror.git")
    mirror = PromptStore.open(tmp_path / "mirror.git", branch="api")
    for reader in (store, mirror):
        assert reader.get("people").prompt == "Written by people"
        assert reader.get("summarise").version == 2
        assert reader.get("summarise", label="production").prompt == "Written by the server"
    assert_tidy(writer)


def test_a_merge_does_not_take_back_what_the_server_wrote_meanwhile(
    remote: GitRepo, repo: GitRepo, tmp_path: Path
) -> None:
    shell(tmp_path, *lines("clone", remote.path))
    writer = configure(GitRepo(tmp_path / "prompts.git"))
    store = PromptStore.open(writer.path, branch="api")
    *before, update, remove = lines("merge", remote.path)
    assert shell(tmp_path, *before).returncode == 0
    old = writer.git("rev-parse", "api")
    repo.git("remote", "add", "origin", remote.path.as_uri())
    repo.commit({"prompts/people.yaml": "prompt: Written by people\n"})
    repo.git("push", "--quiet", "origin", "main")
    writer.git("fetch", "origin", "main:refs/remotes/origin/main")
    writer.git("-C", "merging", "merge", "--no-edit", "origin/main")
    store.save("summarise", Prompt(prompt="Written meanwhile"))
    assert shell(writer.path, f"old={old}", update).returncode != 0
    assert store.get("summarise").prompt == "Written meanwhile"
    assert shell(writer.path, remove).returncode == 0
    assert shell(tmp_path, *lines("merge", remote.path)).returncode == 0
    assert store.get("summarise").version == 2
    assert store.get("people").version == 1
