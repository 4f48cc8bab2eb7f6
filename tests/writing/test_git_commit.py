"""A save that lands in the middle of a `git commit`.

Git reads the index, locks it and writes it again. What it was told by a save in between is lost to
the index, and the commit itself fails, as the branch has moved.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from promptstore.errors import ConflictError
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy

SAVE = """
import sys
from promptstore import PromptStore
store = PromptStore.open(sys.argv[1])
for name in sys.argv[2:]:
    store.save(name, f"{name} saved")
"""


@pytest.fixture
def repo(repo: GitRepo) -> GitRepo:
    repo.commit({"prompts/a.yaml": "prompt: old\n", "prompts/b.yaml": "prompt: old\n"})
    repo.commit({"notes.txt": "x\n"})
    return repo


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine the saves in the middle may take long.
    monkeypatch.setattr("promptstore.git.recovery.LONGEST_COMMIT", 30)
    monkeypatch.setattr("promptstore.git.checkout.LONGEST_COMMIT", 30)


def commit_notes(repo: GitRepo, *saved: str) -> str:
    """Let git commit, and prompts be saved when git has read the index; return what git says."""
    hook, armed = repo.path / ".git/saves", repo.path / ".git/armed"
    words = [sys.executable, "-c", SAVE, str(repo.path), *saved]
    command = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    # Git asks this program which files changed when it has read the index.
    hook.write_text(f"#!/bin/sh\nif rm '{armed}' 2>/dev/null; then {command}; fi\nprintf '/\\0'\n")
    hook.chmod(0o755)
    repo.git("config", "core.fsmonitor", str(hook))
    repo.write("notes.txt", "y\n")
    repo.git("add", "notes.txt")
    armed.touch()
    done = subprocess.run(
        ["git", "commit", "--message", "By git"], cwd=repo.path, capture_output=True, text=True
    )
    assert not armed.exists()
    assert done.returncode != 0
    repo.git("config", "--unset", "core.fsmonitor")
    return done.stderr


def staged_files(repo: GitRepo) -> list[str]:
    return repo.git("diff", "--cached", "--name-only").split()


@pytest.mark.parametrize("saved", [["a"], ["a", "b"], ["a", "new"]], ids=" ".join)
@pytest.mark.parametrize("later", ["a", "b", "other"])
def test_is_put_back_into_the_index_by_the_next_one(
    repo: GitRepo, saved: list[str], later: str
) -> None:
    assert "cannot lock ref 'HEAD'" in commit_notes(repo, *saved)
    paths = [f"prompts/{name}.yaml" for name in saved]
    assert staged_files(repo) == ["notes.txt", *paths]
    store = PromptStore.open(repo.path)
    assert store.save(later, "later").warnings == ()
    assert staged_files(repo) == ["notes.txt"]
    assert [store.get(name).prompt for name in saved if name != later] == [
        f"{name} saved" for name in saved if name != later
    ]
    repo.git("commit", "--quiet", "--message", "By git, again")
    assert store.get(later).prompt == "later"
    assert_tidy(repo)


def test_stays_as_it_is_where_a_person_edits_the_file_meanwhile(repo: GitRepo) -> None:
    commit_notes(repo, "a")
    repo.write("prompts/a.yaml", "prompt: by hand\n")
    before = repo.git("ls-files", "--stage")
    with pytest.raises(ConflictError, match="has staged changes"):
        PromptStore.open(repo.path).save("a", "later")
    PromptStore.open(repo.path).save("b", "later")
    assert before.split()[:3] == repo.git("ls-files", "--stage").split()[:3]
    assert (repo.path / "prompts/a.yaml").read_text() == "prompt: by hand\n"


@pytest.mark.parametrize(
    "by", ["hand", "hand after a commit", "a commit long after", "a commit of git's"]
)
def test_what_a_person_staged_stays(repo: GitRepo, by: str) -> None:
    """It is the same index, but not one that a `git commit` beside us can have left."""
    store = PromptStore.open(repo.path)
    if by == "a commit of git's":
        repo.commit({"prompts/a.yaml": "prompt: a saved\n"})
    else:
        store.save("a", "a saved")
    if by == "hand after a commit":
        (repo.path / ".git/COMMIT_EDITMSG").write_text("given up\n")
    repo.git("restore", "--staged", "--source=HEAD~1", "prompts/a.yaml")
    if by == "hand after a commit":
        index = repo.path / ".git/index"
        later = index.stat().st_mtime + 1  # both may be of one tick of the clock
        os.utime(index, (later, later))
    if by == "a commit long after":
        (repo.path / ".git/COMMIT_EDITMSG").write_text("given up\n")
        late = (repo.path / ".git/logs/HEAD").stat().st_mtime + 60
        os.utime(repo.path / ".git/COMMIT_EDITMSG", (late, late))
    staged = repo.git("ls-files", "--stage", "prompts/a.yaml")
    with pytest.raises(ConflictError, match="has staged changes that are not in the file on disk"):
        store.save("a", "later")
    store.save("b", "later")
    assert repo.git("ls-files", "--stage", "prompts/a.yaml") == staged


def test_what_the_conflict_advises_works(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    store.save("a", "a saved")
    repo.git("restore", "--staged", "--source=HEAD~1", "prompts/a.yaml")
    with pytest.raises(ConflictError) as caught:
        store.save("a", "later")
    command = caught.value.reason.split("`")[-2]
    assert command == "git restore --staged prompts/a.yaml"
    repo.git(*command.split()[1:])
    assert store.save("a", "later").version == 3
    assert_tidy(repo)
