"""No read is ever stale: whatever moves a reference is seen at the next call."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from promptstore import PromptStore
from promptstore.errors import PromptNotFoundError, RevisionNotFoundError
from promptstore.git import Repository
from promptstore.git.alarm import RefAlarm, watch_refs
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


@pytest.fixture
def forked_off(repo: GitRepo) -> GitRepo:
    """A repository whose prompt says `old` on main, and `new` on the branch other/branch."""
    repo.commit(change("old"))
    repo.git("switch", "--quiet", "-c", "other/branch")
    repo.commit(change("new"))
    repo.git("switch", "--quiet", "main")
    return repo


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
        assert store.get("a").labels == ("production",)
        assert store.get("a", label="production").prompt == "old"
        assert store.get("a", version=1).labels == ("production",)
        assert store.get("a", rev=forked_off.git("rev-parse", "main")).labels == ("production",)
    forked_off.commit(change("new"))
    other.set_label("a", "production", author=ADA)
    assert store.get("a", version=1).labels == ()
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
        with pytest.raises(ValueError, match="a version is a number"):
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
    for number in range(1, 60):
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


@pytest.mark.skipif(sys.platform != "linux", reason="alarms are made of Linux's inotify")
class TestAlarm:
    @pytest.fixture
    def alarm(self, forked_off: GitRepo) -> RefAlarm:
        alarm = watch_refs(Repository.discover(forked_off.path), ["HEAD"])
        if alarm is None:
            pytest.skip("this file system cannot be watched")
        return alarm

    def test_is_quiet_as_long_as_nothing_happens(
        self, forked_off: GitRepo, alarm: RefAlarm
    ) -> None:
        forked_off.git("log", "--oneline")
        forked_off.write(FILE, "prompt: uncommitted\n")
        assert alarm.is_quiet()
        commit(forked_off)
        assert not alarm.is_quiet()

    def test_rings_in_a_fork(self, alarm: RefAlarm) -> None:
        child = os.fork()
        if child == 0:
            os._exit(1 if alarm.is_quiet() else 0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert alarm.is_quiet()

    def test_rings_when_somebody_closes_its_descriptors(self, alarm: RefAlarm) -> None:
        alarm.close()
        assert not alarm.is_quiet()

    def test_is_made_of_one_that_rang(self, forked_off: GitRepo, alarm: RefAlarm) -> None:
        commit(forked_off)
        assert not alarm.is_quiet()
        before = set(Path("/proc/self/fd").iterdir())
        again = watch_refs(Repository.discover(forked_off.path), ["HEAD"], alarm)
        assert again is not None
        # Only the descriptor that asks is a new one.
        assert len(set(Path("/proc/self/fd").iterdir()) - before) == 1
        assert again.is_quiet()
        # What told the one is read away, and it rings for ever all the same.
        assert not alarm.is_quiet()
        forked_off.commit(change("newer"))
        assert not again.is_quiet()

    def test_does_not_read_what_another_file_holds(self, forked_off: GitRepo) -> None:
        before = inotify_descriptors()
        alarm = watch_refs(Repository.discover(forked_off.path), ["HEAD"])
        if alarm is None:
            pytest.skip("this file system cannot be watched")
        (watching,) = inotify_descriptors() - before
        read_end, write_end = os.pipe()
        os.write(write_end, b"mine")
        os.dup2(read_end, watching)
        again = watch_refs(Repository.discover(forked_off.path), ["HEAD"], alarm)
        assert again is not None
        assert again.is_quiet()
        assert os.read(watching, 10) == b"mine"
        for number in (read_end, write_end, watching):
            os.close(number)

    def test_gives_its_descriptors_back(self, forked_off: GitRepo) -> None:
        store = PromptStore.open(forked_off.path)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for number in range(10):
            forked_off.commit(change(str(number)))
            texts(store, MANY)
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4

    @pytest.mark.parametrize(("gets", "loads"), [(MANY, False), (10 * MANY, True)])
    def test_is_made_late_where_much_must_be_loaded_for_it(
        self, forked_off: GitRepo, gets: int, loads: bool
    ) -> None:
        program = (
            "import sys\n"
            "from promptstore import PromptStore\n"
            f"store = PromptStore.open({str(forked_off.path)!r})\n"
            f"print({{store.get('a').prompt for _ in range({gets})}}, 'ctypes' in sys.modules)\n"
        )
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout == f"{{'old'}} {loads}\n"

    def test_makes_a_get_cheaper_than_asking_git(self, forked_off: GitRepo) -> None:
        store = PromptStore.open(forked_off.path)
        texts(store, MANY)
        repository = Repository.discover(forked_off.path)
        asking = min(_seconds(repository.tip) for _ in range(20))
        getting = min(_seconds(lambda: store.get("a")) for _ in range(20))
        assert getting < asking


def inotify_descriptors() -> set[int]:
    files = [file for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    return {int(file.name) for file in files if str(file.readlink()) == "anon_inode:inotify"}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(100):
        work()
    return time.perf_counter() - start
