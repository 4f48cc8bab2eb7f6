"""No read is ever stale: whatever moves a reference is seen at the next call."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from promptstore import PromptStore
from promptstore.errors import PromptNotFoundError, RevisionNotFoundError
from tests.conftest import Fill
from tests.gitrepo import GitRepo

FILE = "prompts/a.yaml"
ADA = "Ada <ada@example.com>"
MANY = 20  # gets in a row, after which a store no longer asks git each time

Change = Callable[[GitRepo], None]


def change(text: str) -> dict[str, str | bytes | None]:
    return {FILE: f"prompt: '{text}'\n"}


def commit(repo: GitRepo) -> None:
    repo.commit(change("new"))


def commit_after_packing(repo: GitRepo) -> None:
    repo.git("pack-refs", "--all", "--prune")
    repo.commit(change("new"))


def move_a_packed_branch(repo: GitRepo) -> None:
    repo.commit(change("new"))
    repo.git("pack-refs", "--all", "--prune")


def switch(repo: GitRepo) -> None:
    repo.git("switch", "--quiet", "other/branch")


def detach(repo: GitRepo) -> None:
    repo.git("switch", "--quiet", "--detach", "other/branch")


def reset(repo: GitRepo) -> None:
    repo.git("reset", "--quiet", "--hard", "other/branch")


def write_the_file(repo: GitRepo) -> None:
    tip = repo.git("rev-parse", "other/branch")
    with (repo.path / ".git/refs/heads/main").open("r+") as stream:
        stream.write(tip)


def replace_the_repository(repo: GitRepo) -> None:
    twin = repo.clone(repo.path.with_name("twin"))
    twin.commit(change("new"))
    repo.path.rename(repo.path.with_name("old"))
    twin.path.rename(repo.path)


def point_head_at_a_symbolic_reference(repo: GitRepo) -> None:
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/other/branch")
    repo.git("symbolic-ref", "HEAD", "refs/heads/alias")


CHANGES = [
    commit,
    commit_after_packing,
    move_a_packed_branch,
    switch,
    detach,
    reset,
    write_the_file,
    replace_the_repository,
    point_head_at_a_symbolic_reference,
]


def fork_off(repo: GitRepo) -> None:
    repo.commit(change("old"))
    repo.git("switch", "--quiet", "-c", "other/branch")
    repo.commit(change("new"))
    repo.git("switch", "--quiet", "main")


@pytest.fixture
def forked_off(repo: GitRepo, fill: Fill) -> GitRepo:
    """A repository whose prompt says `old` on main, and `new` on the branch other/branch."""
    return fill(repo, fork_off)


def texts(store: PromptStore, count: int) -> set[str | None]:
    return {store.get("a").prompt for _ in range(count)}


@pytest.mark.parametrize("gets", [1, MANY])
@pytest.mark.parametrize("happens", CHANGES)
def test_a_change_is_seen_at_the_next_call(forked_off: GitRepo, happens: Change, gets: int) -> None:
    store = PromptStore.open(forked_off.path)
    assert texts(store, gets) == {"old"}
    happens(forked_off)
    assert texts(store, gets) == {"new"}


@pytest.mark.parametrize("gets", [1, MANY])
def test_a_symbolic_branch_is_followed_wherever_it_leads(forked_off: GitRepo, gets: int) -> None:
    forked_off.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    store = PromptStore.open(forked_off.path, branch="alias")
    assert texts(store, gets) == {"old"}
    forked_off.git("symbolic-ref", "refs/heads/alias", "refs/heads/other/branch")
    assert texts(store, gets) == {"new"}
    forked_off.git("update-ref", "refs/heads/other/branch", "main")
    assert texts(store, gets) == {"old"}


@pytest.mark.parametrize("gets", [1, MANY])
def test_a_linked_worktree_has_a_head_of_its_own(forked_off: GitRepo, gets: int) -> None:
    linked = GitRepo(forked_off.path.with_name("linked"))
    forked_off.git("worktree", "add", "--quiet", "--detach", str(linked.path), "main")
    store = PromptStore.open(linked.path)
    assert texts(store, gets) == {"old"}
    linked.git("switch", "--quiet", "other/branch")
    assert texts(store, gets) == {"new"}
    forked_off.git("update-ref", "refs/heads/other/branch", "main")
    assert texts(store, gets) == {"old"}


@pytest.mark.parametrize("gets", [1, MANY])
def test_versions_and_labels_follow_too(forked_off: GitRepo, gets: int) -> None:
    store, other = PromptStore.open(forked_off.path), PromptStore.open(forked_off.path)
    other.set_label("a", "production", author=ADA)
    for _ in range(gets):
        assert store.info("a").labels == ("production",)
        assert store.get("a", label="production").prompt == "old"
        assert store.info("a", version=1).labels == ("production",)
        assert store.info("a", rev=forked_off.git("rev-parse", "main")).labels == ("production",)
    forked_off.commit(change("new"))
    other.set_label("a", "production", author=ADA)
    assert store.info("a", version=1).labels == ()
    assert store.get("a", label="production").prompt == "new"
    forked_off.git("reset", "--quiet", "--hard", "other/branch")
    forked_off.commit(change("another second version"))
    assert store.get("a", version=2).prompt == "new"
    assert store.get("a", version=3).prompt == "another second version"


@pytest.mark.parametrize("gets", [1, MANY])
def test_a_branch_that_goes_is_missed(forked_off: GitRepo, gets: int) -> None:
    store = PromptStore.open(forked_off.path, branch="other/branch")
    assert texts(store, gets) == {"new"}
    forked_off.git("branch", "-D", "other/branch")
    with pytest.raises(RevisionNotFoundError):
        store.get("a")
    assert store.get("a", fallback="spare").is_fallback


@pytest.mark.parametrize("gets", [1, MANY])
def test_versions_are_told_once_the_history_is_here(
    forked_off: GitRepo, tmp_path: Path, gets: int
) -> None:
    forked_off.commit(change("newer"))
    shallow = forked_off.clone(tmp_path / "shallow", "--depth=1")
    store = PromptStore.open(shallow.path)
    assert {store.get("a").version for _ in range(gets)} == {None}
    shallow.git("fetch", "--quiet", "--unshallow")
    assert store.get("a").version == 2


def test_what_was_asked_wrongly_is_refused_however_often(forked_off: GitRepo) -> None:
    store = PromptStore.open(forked_off.path)
    for _ in range(MANY):
        assert store.get("a", version=1).prompt == "old"
    for version in (True, 1.0):
        with pytest.raises(ValueError, match="version must be a number"):
            store.get("a", version=version)  # type: ignore[arg-type]
    with pytest.raises(PromptNotFoundError):
        store.get("b")


def test_a_refresh_interval_lets_an_answer_grow_old(forked_off: GitRepo) -> None:
    patient = PromptStore.open(forked_off.path, refresh_interval=3600)
    brief = PromptStore.open(forked_off.path, refresh_interval=1e-9)
    assert texts(patient, 2) == texts(brief, 2) == {"old"}
    forked_off.commit(change("new"))
    assert texts(patient, 2) == {"old"}
    assert texts(brief, 2) == {"new"}
    # What it writes itself, it sees.
    patient.save("a", b"prompt: newest\n", author=ADA)
    assert texts(patient, 2) == {"newest"}


def test_threads_see_every_commit(forked_off: GitRepo) -> None:
    """What a commit says is seen by every call that starts after it, in every thread."""
    store = PromptStore.open(forked_off.path)
    writer = PromptStore.open(forked_off.path)
    newest, stale, stopped = 0, [], threading.Event()

    def read() -> None:
        while not stopped.is_set():
            least = newest
            text = store.get("a").prompt or ""
            if text != "old" and int(text) < least:
                stale.append((least, text))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 25):
        writer.save("a", f"prompt: '{number}'\n".encode(), author=ADA)
        newest = number
    stopped.set()
    for thread in threads:
        thread.join()
    assert stale == []


def test_a_fork_sees_what_its_parent_commits(forked_off: GitRepo) -> None:
    store = PromptStore.open(forked_off.path)
    assert texts(store, MANY) == {"old"}
    ask, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(ask, 1)
        fine = texts(store, MANY) == {"new"}
        os._exit(0 if fine else 1)
    forked_off.commit(change("new"))
    os.write(told, b"1")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert texts(store, MANY) == {"new"}
    os.close(ask)
    os.close(told)
