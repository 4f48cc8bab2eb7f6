"""A process that reads for days: its handles, memory and threads, and links that are swapped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from promptstore import PromptStore
from tests.gitrepo import GitRepo

ADA = "Ada <ada@example.com>"


def open_files() -> list[str]:
    files = Path("/proc/self/fd").iterdir()
    return [str(file.readlink()) for file in files if file.is_symlink()]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel what is open")
@pytest.mark.parametrize("interval", [0.0, 1e-9])
def test_packs_that_were_replaced_are_let_go(repo: GitRepo, interval: float) -> None:
    repo.commit({"prompts/a.yaml": "prompt: '0'\n"})
    repo.git("gc", "--quiet")
    store = PromptStore.open(repo.path, refresh_interval=interval)
    for number in range(1, 5):
        repo.commit({"prompts/a.yaml": f"prompt: '{number}'\n"})
        repo.git("gc", "--quiet", "--prune=now")
        assert store.get("a").prompt == str(number)
        assert store.get("a", version=1).prompt == "0"
    packs = [name for name in open_files() if str(repo.path) in name and "/pack/" in name]
    assert [name for name in packs if name.endswith("(deleted)")] == []
    mapped = Path("/proc/self/maps").read_text().splitlines()
    assert [line for line in mapped if str(repo.path) in line and "(deleted)" in line] == []


def test_an_answer_outlives_the_pack_that_it_came_from(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: one\n", "prompts/b.yaml": f"prompt: {uuid4()}\n"})
    repo.git("gc", "--quiet")
    store = PromptStore.open(repo.path)
    snapshot = store.snapshot()
    assert snapshot["a"].prompt == "one"
    repo.commit({"prompts/a.yaml": "prompt: two\n"})
    repo.git("gc", "--quiet", "--prune=now")
    assert store.get("a").prompt == "two"
    assert snapshot["b"].prompt


@contextmanager
def readers(read: Callable[[], object], count: int = 3) -> Iterator[list[BaseException]]:
    """Let threads read again and again, and collect what goes wrong."""
    stopped = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while not stopped.is_set():
                read()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    # Readers that never wait would hold back who writes, five milliseconds each time.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        sys.setswitchinterval(interval)
        stopped.set()
        for thread in threads:
            thread.join()


def flip(repo: GitRepo, commit: str) -> None:
    """Move the branch as another process does: a new file is renamed over the old one."""
    ref = repo.path / ".git/refs/heads/main"
    fresh = ref.with_suffix(".new")
    fresh.write_text(f"{commit}\n")
    fresh.rename(ref)


@pytest.mark.parametrize("rounds", [pytest.param(100), pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("interval", [0.0, 1e-9])
def test_a_branch_that_goes_and_comes_back_is_never_remembered_wrongly(
    repo: GitRepo, rounds: int, interval: float
) -> None:
    first = repo.commit({"prompts/a.yaml": "prompt: A\n", "prompts/n.yaml": "prompt: n\n"})
    repo.git("switch", "--quiet", "-c", "other")
    second = repo.commit({"prompts/a.yaml": "prompt: B\n"})
    repo.git("switch", "--quiet", "main")
    store = PromptStore.open(repo.path, refresh_interval=interval)
    by_commit = {first: "A", second: "B"}

    def read() -> None:
        prompt = store.get("a")
        # Whatever the moment was, the text is that of the commit that the prompt says it is of.
        assert prompt.prompt == by_commit[prompt.snapshot_commit or ""]
        assert store.get("a", rev=first).prompt == "A"

    with readers(read) as errors:
        for _ in range(rounds):
            flip(repo, second)
            assert store.get("a").prompt == "B"
            flip(repo, first)
            assert store.get("a").prompt == "A"
            assert store.get("a", version=1).prompt == "A"
    assert errors == []
    assert store.get("a").prompt == "A"


def test_a_writer_sees_its_own_commit_whatever_readers_read(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: '0'\n"})
    store = PromptStore.open(repo.path, refresh_interval=3600)
    with readers(lambda: store.get("a")) as errors:
        for number in range(1, 10):
            store.save("a", f"prompt: '{number}'\n".encode(), author=ADA)
            assert store.get("a").prompt == str(number)
    assert errors == []


def test_threads_share_a_store_that_reads_many_states(repo: GitRepo) -> None:
    commits = [repo.commit({"prompts/a.yaml": f"prompt: '{number}'\n"}) for number in range(40)]
    store = PromptStore.open(repo.path)
    turns = iter(range(10**9))

    def read() -> None:
        number = next(turns) % len(commits)
        assert store.get("a", rev=commits[number]).prompt == str(number)
        assert store.snapshot(commits[number - 1]).names() == ["a"]
        assert store.get("a", version=number + 1).prompt == str(number)

    with readers(read, count=4) as errors:
        for number in range(25):
            repo.commit({"prompts/b.yaml": f"prompt: '{number}'\n"})
            assert store.get("b").prompt == str(number)
    assert errors == []


MEMORY = """
import resource, sys
from promptstore import PromptStore
store = PromptStore.open(sys.argv[1])
def read(numbers):
    for number in numbers:
        store.get("a", version=number)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = len(store.history("a"))
print(read(range(1, count // 4)), read(range(1, count + 1)))
"""


@pytest.mark.slow
def test_memory_has_a_bound_however_many_versions_are_read(repo: GitRepo) -> None:
    stream: list[str] = []
    for number in range(2_000):
        text = "prompt: |\n" + f"  {number} {'x' * 90}\n" * 200
        stream += ["commit refs/heads/main", "committer A <a@example.com> 1700000000 +0000"]
        stream += ["data 1", "x", "M 100644 inline prompts/a.yaml", f"data {len(text)}", text]
    repo.git("fast-import", "--quiet", stdin="\n".join([*stream, ""]).encode())
    command = [sys.executable, "-c", MEMORY, str(repo.path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    quarter, whole = map(int, done.stdout.split())
    assert whole - quarter < 20_000  # KiB; the texts together take 38,000


def test_a_link_that_is_swapped_leads_to_the_new_target(tmp_path: Path) -> None:
    """As git-sync does it: a fresh clone for each commit, and a link that is renamed over."""
    link = tmp_path / "current"
    targets = []
    for number in range(3):
        target = GitRepo.init(tmp_path / f"release-{number}")
        target.commit({"prompts/a.yaml": f"prompt: '{number}'\n"})
        targets.append(target)
    link.symlink_to(targets[0].path)
    store, inside = PromptStore.open(link), PromptStore.open(link / "prompts")
    disk = PromptStore.open(link, worktree=True)
    for number, target in enumerate(targets):
        fresh = tmp_path / "fresh"
        fresh.symlink_to(target.path)
        fresh.rename(link)
        for opened in (store, inside, disk):
            assert opened.get("a").prompt == str(number)
            assert len(opened.history("a")) == 1
            assert opened.path.resolve() == target.path.resolve()


def test_a_link_to_worktrees_of_one_repository(repo: GitRepo, tmp_path: Path) -> None:
    link = tmp_path / "current"
    for number in range(2):
        repo.commit({"prompts/a.yaml": f"prompt: '{number}'\n"})
        repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / f"tree-{number}"))
    link.symlink_to(tmp_path / "tree-0")
    store = PromptStore.open(link)
    assert store.get("a").prompt == "0"
    link.unlink()
    assert store.get("a").prompt == "0"  # while it is swapped, what is known is still there
    link.symlink_to(tmp_path / "tree-1")
    assert store.get("a").prompt == "1"
    assert os.path.realpath(store.path) == str(tmp_path / "tree-1")
