"""Files and index follow a commit, and no uncommitted work is ever lost."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pygit2
import pytest

from promptstore.errors import ConflictError, UnsupportedRepositoryError
from promptstore.git.commits import CommitNote, FileChange
from promptstore.git.reading import Repository
from promptstore.git.writing import Deadline, update_ref
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.writing.conftest import assert_tidy

FILE = "prompts/greet.yaml"
NEW = Prompt(prompt="new")
NEW_TEXT = "prompt: new\n"


@pytest.fixture
def repo(repo: GitRepo) -> GitRepo:
    repo.commit({FILE: "prompt: old\n", "notes.txt": "x\n", "prompts/other.yaml": "prompt: x\n"})
    return repo


def edit_file(repo: GitRepo) -> None:
    repo.write(FILE, "prompt: mine\n")


def stage_file(repo: GitRepo) -> None:
    repo.write(FILE, "prompt: mine\n")
    repo.git("add", FILE)


def stage_and_take_back(repo: GitRepo) -> None:
    stage_file(repo)
    repo.write(FILE, "prompt: old\n")


def remove_file(repo: GitRepo) -> None:
    (repo.path / FILE).unlink()


def stage_removal(repo: GitRepo) -> None:
    repo.git("rm", "--quiet", "--cached", FILE)


def put_folder(repo: GitRepo) -> None:
    (repo.path / FILE).unlink()
    (repo.path / FILE).mkdir()


def put_link(repo: GitRepo) -> None:
    (repo.path / FILE).unlink()
    (repo.path / FILE).symlink_to("other.yaml")


def link_parent(repo: GitRepo) -> None:
    (repo.path / "prompts").rename(repo.path.parent / "elsewhere")
    (repo.path / "prompts").symlink_to(repo.path.parent / "elsewhere")


def merge_with_conflict(repo: GitRepo) -> None:
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({FILE: "prompt: theirs\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit({FILE: "prompt: ours\n"})
    with pytest.raises(AssertionError):
        repo.git("merge", "side")


@pytest.mark.parametrize(
    ("disturb", "message"),
    [
        (edit_file, "has uncommitted edits"),
        (stage_file, "has staged changes"),
        (stage_and_take_back, "has staged changes"),
        (remove_file, "was removed on disk"),
        (stage_removal, "has staged changes"),
        (put_folder, "has uncommitted edits"),
        (put_link, "has uncommitted edits"),
        (link_parent, "prompts is no folder on disk"),
        (merge_with_conflict, "in the middle of a merge"),
    ],
)
def test_uncommitted_work_is_a_conflict_and_stays(
    store: PromptStore, repo: GitRepo, disturb: Callable[[GitRepo], None], message: str
) -> None:
    disturb(repo)
    head, status = repo.head(), repo.git("status", "--porcelain=v2")
    staged = repo.git("ls-files", "--stage")
    with pytest.raises(ConflictError, match=message) as caught:
        store.save("greet", NEW)
    assert caught.value.names == ("greet",)
    assert FILE in str(caught.value) or "prompts" in str(caught.value)
    assert repo.head() == head
    assert repo.git("status", "--porcelain=v2") == status
    assert repo.git("ls-files", "--stage") == staged
    assert list((repo.path / ".git").glob("index?*")) == []


@pytest.mark.parametrize(
    ("text", "succeeds"),
    [("prompt: mine\n", False), (NEW_TEXT, True)],
    ids=["another text", "the same text"],
)
def test_an_untracked_file_in_the_way(
    store: PromptStore, repo: GitRepo, text: str, succeeds: bool
) -> None:
    repo.write("prompts/fresh.yaml", text)
    if succeeds:
        assert store.save("fresh", NEW).version == 1
        assert_tidy(repo)
        return
    with pytest.raises(ConflictError, match="is there on disk, but not committed"):
        store.save("fresh", NEW)
    assert (repo.path / "prompts/fresh.yaml").read_text() == text


@pytest.mark.parametrize("is_staged", [False, True])
def test_an_edit_that_is_what_is_saved_is_no_conflict(
    store: PromptStore, repo: GitRepo, is_staged: bool
) -> None:
    repo.write(FILE, NEW_TEXT)
    if is_staged:
        repo.git("add", FILE)
    assert store.save("greet", NEW_TEXT.encode()).version == 2
    assert_tidy(repo)


def test_work_on_other_files_stays_as_it_is(store: PromptStore, repo: GitRepo) -> None:
    repo.write("prompts/other.yaml", "prompt: edited\n")
    repo.write("notes.txt", "staged\n")
    repo.git("add", "notes.txt")
    repo.write("notes.txt", "staged, then edited\n")
    repo.write("untracked.txt", "x")
    before = repo.git("status", "--porcelain=v2")
    store.save("greet", NEW)
    assert repo.git("status", "--porcelain=v2") == before
    assert (repo.path / FILE).read_text() == NEW_TEXT


def test_an_edit_as_young_as_the_index_is_still_seen(store: PromptStore, repo: GitRepo) -> None:
    """Git compares the times of a file and the index to find edits within one tick of the clock."""
    notes, index = repo.write("notes.txt", "1\n"), repo.path / ".git/index"
    repo.git("add", "notes.txt")
    moment = notes.stat().st_mtime_ns
    os.utime(index, ns=(moment, moment))
    notes.write_text("2\n")
    os.utime(notes, ns=(moment, moment))
    store.save("greet", NEW)
    assert repo.git("diff", "--name-only") == "notes.txt"


def test_a_linked_worktree_and_its_main_one(
    store: PromptStore, repo: GitRepo, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = GitRepo(tmp_path / "side")
    # From the main working tree to the branch that is checked out in the other one, and back.
    PromptStore.open(repo.path, branch="side").save("greet", NEW)
    assert (side.path / FILE).read_text() == NEW_TEXT
    assert_tidy(side)
    PromptStore.open(side.path, branch="main").save("greet", NEW)
    assert (repo.path / FILE).read_text() == NEW_TEXT
    assert_tidy(repo)
    (side.path / FILE).write_text("prompt: mine\n")
    with pytest.raises(ConflictError, match="uncommitted edits"):
        PromptStore.open(repo.path, branch="side").save("greet", Prompt(prompt="x"))


def test_a_worktree_that_is_gone_is_no_obstacle(
    store: PromptStore, repo: GitRepo, tmp_path: Path
) -> None:
    repo.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side").rename(tmp_path / "moved")
    assert PromptStore.open(repo.path, branch="side").save("greet", NEW).version == 2


def test_a_submodule(repo: GitRepo, tmp_path: Path) -> None:
    top = GitRepo.init(tmp_path / "top")
    top.git("submodule", "--quiet", "add", repo.path.as_uri(), "module")
    module = GitRepo(top.path / "module")
    by = "Ada <ada@example.com>"
    assert PromptStore.open(module.path).save("greet", NEW, author=by).version == 2
    assert (module.path / FILE).read_text() == NEW_TEXT
    assert_tidy(module)


@pytest.mark.parametrize(
    ("setting", "attributes"),
    [("core.autocrlf=true", ""), ("core.eol=lf", "*.yaml text eol=crlf\n")],
)
def test_line_ends_on_disk_are_those_that_git_is_told_to_make(
    store: PromptStore, repo: GitRepo, setting: str, attributes: str
) -> None:
    repo.git("config", *setting.split("="))
    if attributes:
        repo.commit({".gitattributes": attributes})
    repo.git("rm", "--quiet", "--cached", "-r", ".")
    repo.git("reset", "--quiet", "--hard")
    assert (repo.path / FILE).read_bytes() == b"prompt: old\r\n"
    store.save("greet", Prompt(prompt="a\nb\n"))
    assert (repo.path / FILE).read_bytes() == b"prompt: |\r\n  a\r\n  b\r\n"
    assert repo.git("show", f"HEAD:{FILE}") == "prompt: |\n  a\n  b"
    assert_tidy(repo)


def test_files_on_disk_are_read_as_git_would_commit_them(repo: GitRepo) -> None:
    repo.git("config", "core.autocrlf", "true")
    repo.write(FILE, "prompt: old\r\n")
    store = PromptStore.open(repo.path, worktree=True)
    assert (store.get("greet").version, store.get("greet").prompt) == (1, "old")


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_of_the_index(store: PromptStore, repo: GitRepo, version: str) -> None:
    repo.git("update-index", f"--index-version={version}")
    repo.write("prompts/intended.yaml", "prompt: x\n")
    repo.git("add", "--intent-to-add", "prompts/intended.yaml")
    before = repo.git("status", "--porcelain=v2")
    store.save("greet", NEW)
    assert repo.git("status", "--porcelain=v2") == before


def follow_hint(repo: GitRepo, error: Exception) -> None:
    """Run what a message tells to run."""
    commands = str(error).split("`")[1]
    for command in commands.split(" && "):
        repo.git(*shlex.split(command)[1:])


def test_a_split_index_changes_nothing_and_the_hint_helps(
    store: PromptStore, repo: GitRepo
) -> None:
    repo.git("update-index", "--split-index")
    repo.git("config", "core.splitIndex", "true")
    head = repo.head()
    with pytest.raises(UnsupportedRepositoryError, match="its index is split") as caught:
        store.save("greet", NEW)
    assert repo.head() == head
    assert repo.git("status", "--porcelain") == ""
    follow_hint(repo, caught.value)
    assert store.save("greet", NEW).version == 2
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_a_file_outside_of_a_sparse_checkout_and_the_hint_that_brings_it(
    store: PromptStore, repo: GitRepo, cone: str
) -> None:
    repo.commit({"docs/a.txt": "x"})
    repo.git("sparse-checkout", "set", cone, "docs")
    assert not (repo.path / FILE).exists()
    with pytest.raises(ConflictError, match="this checkout is sparse") as caught:
        store.save("greet", NEW)
    follow_hint(repo, caught.value)
    assert store.save("greet", NEW).version == 2
    assert store.save("fresh", NEW).version == 1
    assert_tidy(repo)


def test_a_new_file_outside_of_a_sparse_checkout(store: PromptStore, repo: GitRepo) -> None:
    repo.commit({"docs/a.txt": "x"})
    repo.git("sparse-checkout", "set", "--cone", "docs")
    assert store.save("fresh", NEW).version == 1
    assert (repo.path / "prompts/fresh.yaml").read_text() == NEW_TEXT
    assert_tidy(repo)


def test_a_sparse_index_changes_nothing_and_the_hint_helps(
    store: PromptStore, repo: GitRepo
) -> None:
    repo.commit({"docs/a.txt": "x"})
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "prompts")
    head = repo.head()
    with pytest.raises(UnsupportedRepositoryError, match="its index is sparse") as caught:
        store.save("greet", NEW)
    assert repo.head() == head
    follow_hint(repo, caught.value)
    assert store.save("greet", NEW).version == 2
    assert_tidy(repo)


def test_git_that_commits_all_the_time_does_not_starve_a_write(repo: GitRepo) -> None:
    repository = Repository.discover(repo.path)
    me = pygit2.Signature("Ada Example", "ada@example.com")
    planned: list[str | None] = []

    def plan(tip: str | None) -> list[FileChange]:
        planned.append(tip)
        # As soon as the index is locked, git refuses: before that, it is always a commit ahead.
        with suppress(AssertionError):
            repo.git("commit", "--quiet", "--allow-empty", "--message", "in between")
        return [FileChange("b", "b.txt", b"b")]

    note = CommitNote(me, me, "b")
    made = update_ref(repository, "refs/heads/main", plan, note, deadline=Deadline(5)).commit
    assert made == repo.head()
    assert repo.git("log", "--format=%s").split("\n") == ["b", "in between", "change"]
    assert planned == [repo.git("rev-parse", "main~2"), repo.git("rev-parse", "main~1")]
    assert_tidy(repo)
