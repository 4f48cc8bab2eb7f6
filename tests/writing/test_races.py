"""Writers that race, writers that die, and git itself beside them."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from promptstore.errors import ConflictError, RepositoryLockedError
from promptstore.history.labels import BRANCH
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.processes import Child, fork, is_killed_in_commit, race
from tests.writing.conftest import assert_tidy, configure

WRITERS = 4
COMMITS = 40


def text(number: int) -> Prompt:
    return Prompt(prompt=f"{number}\n")


def save_often(path: Path, name: str) -> int:
    store = PromptStore.open(path, lock_timeout=60)
    for number in range(COMMITS):
        saved = store.save(name, text(number))
        assert saved.version == number + 1
    return COMMITS


def save_on_top(path: Path, worker: int) -> int:
    """Save a prompt that holds the version it was built on, until it worked often enough."""
    store = PromptStore.open(path, lock_timeout=60)
    conflicts = saved = 0
    while saved < COMMITS // WRITERS:
        seen = store.get("one").version or 0
        content = Prompt(prompt=f"{worker} {saved} on top of {seen}\n")
        try:
            store.save("one", content, expected_version=seen)
            saved += 1
        except ConflictError:
            conflicts += 1
    return conflicts


@pytest.mark.parametrize("options", [(), ("--bare",)], ids=["checked out", "bare"])
def test_writers_of_different_prompts_lose_nothing(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    repo = configure(GitRepo.init(tmp_path / "repo", *options))
    race([partial(save_often, repo.path, f"p{worker}") for worker in range(WRITERS)])
    assert repo.git("rev-list", "--count", "main") == str(WRITERS * COMMITS)
    assert repo.git("rev-list", "--merges", "main") == ""
    store = PromptStore.open(repo.path)
    for worker in range(WRITERS):
        assert len(store.history(f"p{worker}")) == COMMITS
        assert store.get(f"p{worker}").prompt == f"{COMMITS - 1}\n"
    assert_tidy(repo)


def test_writers_of_one_prompt_build_on_each_other(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    store.save("one", text(0))
    conflicts = race([partial(save_on_top, repo.path, worker) for worker in range(WRITERS)])
    versions = store.history("one")
    assert len(versions) == COMMITS // WRITERS * WRITERS + 1
    for version in versions[:-1]:
        content = store.get("one", version=version.number).prompt
        assert content is not None
        assert content.endswith(f" on top of {version.number - 1}\n")
    assert sum(conflicts) > 0
    assert_tidy(repo)


def test_writers_of_one_prompt_without_a_version_never_overwrite_what_came_between(
    repo: GitRepo,
) -> None:
    def save(worker: int) -> int:
        store = PromptStore.open(repo.path, lock_timeout=60)
        done = 0
        for number in range(20):
            try:
                store.save("one", Prompt(prompt=f"{worker}.{number}\n"))
                done += 1
            except ConflictError:
                continue
        return done

    done = race([partial(save, worker) for worker in range(WRITERS)])
    assert len(PromptStore.open(repo.path).history("one")) == sum(done)
    assert_tidy(repo)


@pytest.mark.parametrize("rounds", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_the_first_commit_of_an_empty_repository_is_not_lost(
    make_repo: Callable[[str], GitRepo], rounds: int
) -> None:
    for number in range(rounds):
        repo = configure(make_repo(str(number)))

        def save(name: str, path: Path = repo.path) -> int | None:
            return PromptStore.open(path).save(name, text(0)).version

        assert race([partial(save, "a"), partial(save, "b")]) == [1, 1]
        assert repo.git("rev-list", "--count", "main") == "2"
        assert repo.git("ls-files") == "prompts/a.yaml\nprompts/b.yaml"
        assert repo.git("status", "--porcelain") == ""


@pytest.mark.parametrize("rounds", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_the_first_commit_of_git_itself_is_not_lost(
    make_repo: Callable[[str], GitRepo], rounds: int
) -> None:
    for number in range(rounds):
        repo = configure(make_repo(str(number)))
        repo.write("notes.txt", "x\n")
        repo.git("add", "notes.txt")

        def commit(path: Path = repo.path) -> bool:
            return run_git(path, "commit", "--quiet", "--message", "notes")

        def save(path: Path = repo.path) -> int | None:
            return PromptStore.open(path).save("a", text(0)).version

        _, version = race([commit, save])
        assert version == 1
        run_git(repo.path, "commit", "--quiet", "--message", "notes")
        assert repo.git("rev-list", "--count", "main") == "2"
        assert repo.git("ls-files") == "notes.txt\nprompts/a.yaml"
        assert_tidy(repo)


def test_movers_of_one_label_lose_nothing(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    names = [f"p{worker}" for worker in range(WRITERS)]
    store.commit({name: text(0) for name in names})
    for name in names:
        store.save(name, text(1))

    def move(name: str) -> None:
        own = PromptStore.open(repo.path, lock_timeout=60)
        for number in range(20):
            own.set_label(name, "production", version=1 + number % 2)

    race([partial(move, name) for name in names])
    assert repo.git("rev-list", "--count", BRANCH) == str(20 * WRITERS)
    targets = store.labels().targets["production"]
    assert {name: target.version for name, target in targets.items()} == dict.fromkeys(names, 2)
    assert_tidy(repo)


def run_git(path: Path, *arguments: str) -> bool:
    return (
        subprocess.run(["git", *arguments], cwd=path, capture_output=True, check=False).returncode
        == 0
    )


def commit_with_git(path: Path) -> int:
    """Commit with the git program, as a careful person would: look again after each failure.

    Git reads the index a moment before it locks it. Where another commit comes in that moment,
    git's own commit fails, as the branch has moved, but leaves the index that it had read.
    """
    for number in range(40):
        (path / "notes.txt").write_text(f"{number}\n")
        while not (
            run_git(path, "add", "notes.txt")
            and staged_files(path) == "notes.txt\n"
            and run_git(path, "commit", "--quiet", "--message", f"notes {number}")
        ):
            run_git(path, "restore", "--staged", ".")
    return 40


def staged_files(path: Path) -> str:
    command = ["git", "diff", "--cached", "--name-only"]
    return subprocess.run(command, cwd=path, capture_output=True, text=True, check=True).stdout


def save_beside_git(path: Path, name: str) -> int:
    """Save again where git's stale index stands in the way for a moment."""
    store = PromptStore.open(path, lock_timeout=60)
    for number in range(COMMITS):
        while True:
            try:
                saved = store.save(name, text(number))
                break
            except ConflictError as error:
                if "has staged changes" not in error.reason:
                    raise
        assert saved.version == number + 1
    return COMMITS


def test_git_and_writers_in_the_same_clone_lose_nothing(repo: GitRepo) -> None:
    repo.commit({"notes.txt": "\n", "prompts/p0.yaml": "prompt: x\n"})
    counts = race(
        [
            partial(commit_with_git, repo.path),
            partial(save_beside_git, repo.path, "a/b"),
            partial(save_beside_git, repo.path, "c"),
        ]
    )
    assert repo.git("rev-list", "--count", "main") == str(sum(counts) + 1)
    assert repo.git("rev-list", "--count", "main", "--", "notes.txt") == "41"
    store = PromptStore.open(repo.path)
    for name in ("a/b", "c"):
        assert [
            store.get(name, version=version.number).prompt
            for version in reversed(store.history(name))
        ] == [f"{number}\n" for number in range(COMMITS)]
    assert (repo.path / "notes.txt").read_text() == "39\n"
    assert_tidy(repo)


@pytest.mark.parametrize("lock", ["index.lock", "refs/heads/main.lock"])
class TestHeldLocks:
    def test_are_waited_for_within_a_bound(self, repo: GitRepo, lock: str) -> None:
        repo.commit({"prompts/a.yaml": "prompt: x\n"})
        held = repo.path / ".git" / lock
        held.write_bytes(b"")
        head, store = repo.head(), PromptStore.open(repo.path, lock_timeout=0.05)
        with pytest.raises(RepositoryLockedError, match=r"for more than 0\.05 seconds") as caught:
            store.save("a", text(1))
        assert caught.value.path.endswith(lock)
        assert isinstance(caught.value, TimeoutError)
        assert repo.head() == head
        assert held.exists()
        held.unlink()
        assert_tidy(repo)
        assert store.save("a", text(1)).version == 2

    def test_that_are_given_back_hold_nobody_up(self, repo: GitRepo, lock: str) -> None:
        repo.commit({"prompts/a.yaml": "prompt: x\n"})
        held, git_dir = repo.path / ".git" / lock, repo.path / ".git"
        held.write_bytes(b"")

        def give_back() -> None:
            while not (git_dir / "promptstore/journal.json").exists():
                pass
            held.unlink()

        helper = threading.Thread(target=give_back)
        helper.start()
        assert PromptStore.open(repo.path).save("a", text(1)).version == 2
        helper.join()
        assert_tidy(repo)


def test_a_branch_that_is_left_while_its_index_is_waited_for(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    repo.git("branch", "other")
    git_dir = repo.path / ".git"
    held = git_dir / "index.lock"
    held.write_bytes(b"")

    def leave() -> None:
        while not (git_dir / "promptstore/journal.json").exists():
            pass
        repo.git("symbolic-ref", "HEAD", "refs/heads/other")
        held.unlink()

    helper = threading.Thread(target=leave)
    helper.start()
    assert PromptStore.open(repo.path, branch="main").save("a", text(1)).version == 2
    helper.join()
    assert (repo.path / "prompts/a.yaml").read_text() == "prompt: x\n"
    assert_tidy(repo)


def test_another_writer_is_waited_for_within_a_bound(repo: GitRepo) -> None:
    repo.commit({"prompts/a.yaml": "prompt: x\n"})
    with stopped_writer(repo):
        store = PromptStore.open(repo.path, lock_timeout=0.05)
        with pytest.raises(RepositoryLockedError, match="another writer of promptstore held"):
            store.save("b", text(1))
    assert store.save("b", text(1)).version == 1
    assert_tidy(repo)


@contextmanager
def stopped_writer(repo: GitRepo) -> Iterator[None]:
    """A writer that was stopped in the middle of a write, and goes on afterwards."""
    # It holds its own lock while it waits for that of the index.
    index_lock = repo.path / ".git/index.lock"
    index_lock.write_bytes(b"")
    child = fork(lambda _: saved_once(repo.path))
    while not (repo.path / ".git/promptstore/journal.json").exists():
        pass
    yield
    index_lock.unlink()
    assert child.wait() == 0


def saved_once(path: Path) -> None:
    PromptStore.open(path).save("a", text(1))


class TestKilled:
    """After a kill: a whole repository, the old state or the new one, and nobody is held up."""

    def test_at_every_access_to_a_file(self, repo: GitRepo) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "x\n"})
        kills = 0
        while killed_save(repo, kills + 1):
            kills += 1
            check_after_kill(repo, kills)
        assert kills > 10

    @pytest.mark.parametrize("kills", [15, pytest.param(200, marks=pytest.mark.slow)])
    def test_at_random_moments(self, repo: GitRepo, kills: int) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "x\n"})
        moments = random.Random(kills)
        for number in range(kills):
            child = fork(partial(save_for_ever, repo.path))
            done = wait_for(child, saves=1)
            done += wait_for(child, seconds=moments.uniform(0, 0.01))
            os.kill(child.pid, signal.SIGKILL)
            done += len(child.read())
            assert child.wait() == -signal.SIGKILL
            check_after_kill(repo, number)

    def test_while_the_first_commit_is_made(self, make_repo: Callable[[str], GitRepo]) -> None:
        number = 1
        while True:
            repo = configure(make_repo(str(number)))
            if not killed_save(repo, number):
                break
            PromptStore.open(repo.path).save("b", text(1))
            assert repo.git("ls-files", "prompts/b.yaml") != ""
            assert_tidy(repo)
            number += 1
        assert number > 5

    def test_while_it_held_the_lock_of_the_branch(self, repo: GitRepo) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "x\n"})
        lock = repo.path / ".git/refs/heads/main.lock"
        lock.write_bytes(b"")
        child = fork(lambda _: saved_once(repo.path))
        while not list((repo.path / ".git").glob("index.lock")):
            pass
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        check_after_kill(repo, 1)

    def test_while_it_wrote_the_index(self, repo: GitRepo) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "x\n"})
        number = seen = 0
        while killed_save(repo, number := number + 1):
            token_files = list((repo.path / ".git").glob(f"index.{'[0-9a-f]' * 12}"))
            for token_file in token_files:
                # What libgit2 leaves where it is killed; its accesses to files cannot be counted.
                token_file.with_name(f"{token_file.name}.new.lock").write_bytes(b"")
                seen += 1
            if token_files:
                check_after_kill(repo, number)
        assert seen > 0

    def test_and_a_journal_that_nobody_can_read(self, repo: GitRepo) -> None:
        store = PromptStore.open(repo.path)
        store.save("a", text(0))
        (repo.path / ".git/promptstore/journal.json").write_text("{")
        assert store.save("a", text(1)).version == 2
        assert_tidy(repo)

    def test_and_what_a_person_did_afterwards_stays(self, repo: GitRepo) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "x\n"})
        number = 1
        while killed_save(repo, number):
            number += 1
            lock = repo.path / ".git/index.lock"
            lock.unlink(missing_ok=True)
            repo.write("prompts/a.yaml", "prompt: mine\n")
            repo.git("add", "prompts/a.yaml")
            PromptStore.open(repo.path).save("b", text(number))
            assert (repo.path / "prompts/a.yaml").read_text() == "prompt: mine\n"
            repo.git("reset", "--quiet", "--hard")
            assert_tidy(repo)


def killed_save(repo: GitRepo, event_number: int) -> bool:
    return is_killed_in_commit(repo.path, {"a": text(event_number)}, event_number)


def save_for_ever(path: Path, output: int) -> None:
    store = PromptStore.open(path)
    number = int(str(store.get("a").prompt))
    while True:
        number += 1
        store.save("a", text(number))
        os.write(output, b".")


def wait_for(child: Child, *, saves: int = 0, seconds: float = 0.0) -> int:
    """Wait until a child has saved so often, or for some time."""
    done = 0
    end = time.monotonic() + seconds
    while done < saves or time.monotonic() < end:
        timeout = None if done < saves else max(0.0, end - time.monotonic())
        if select.select([child.output], [], [], timeout)[0]:
            done += len(os.read(child.output, 1))
    return done


def check_after_kill(repo: GitRepo, number: int) -> None:
    """The state is the old one or the new one, and the next writer puts everything right."""
    assert repo.git("fsck", "--strict", "--no-dangling") == ""
    store = PromptStore.open(repo.path, lock_timeout=5)
    present = store.get("a")
    assert present.version == len(repo.versions("prompts/a.yaml"))
    started = time.monotonic()
    store.save("b", text(number))
    assert time.monotonic() - started < 5
    assert (store.get("a").version, store.get("a").prompt) == (present.version, present.prompt)
    assert repo.git("show", "HEAD:prompts/a.yaml") == (
        (repo.path / "prompts/a.yaml").read_text().removesuffix("\n")
    )
    assert_tidy(repo)


class TestSwitching:
    """Git reads what it switches between, locks the index, writes it, and moves HEAD at last.

    What it does in the middle of a save is played here step by step.
    """

    @pytest.fixture(autouse=True)
    def _patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # On a busy machine the thread may come late.
        monkeypatch.setattr("promptstore.git.checkout.LONGEST_SWITCH", 30)

    def test_to_the_branch(self, repo: GitRepo) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "1\n"})
        old_tip, main = repo.head(), (repo.path / ".git/index").read_bytes()
        repo.git("checkout", "--quiet", "-b", "other")
        repo.commit({"notes.txt": "2\n"})
        git_dir = repo.path / ".git"
        store = PromptStore.open(repo.path, branch="main")
        # Git has read that main is at the old tip, and holds the index.
        (git_dir / "index.lock").write_bytes(main)

        def go_on() -> None:
            while repo.git("rev-parse", "main") == old_tip:
                pass
            (git_dir / "notes").write_text("1\n")
            (git_dir / "notes").replace(repo.path / "notes.txt")
            (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
            (git_dir / "index.lock").replace(git_dir / "index")

        helper = threading.Thread(target=go_on)
        helper.start()
        saved = store.save("a", text(1))
        helper.join()
        assert (saved.version, saved.warnings) == (2, ())
        assert (repo.path / "prompts/a.yaml").read_text() == "prompt: |\n  1\n"
        assert_tidy(repo)
        assert store.save("a", text(2)).version == 3

    def test_away_from_the_branch(self, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        repo.commit({"prompts/a.yaml": "prompt: '0'\n", "notes.txt": "1\n"})
        repo.git("branch", "other")
        old_tip = repo.head()
        store = PromptStore.open(repo.path)
        # Git has written the index that the other branch needs, which is the same one here.
        monkeypatch.setattr("promptstore.git.checkout.YOUNG", 30)
        os.utime(repo.path / ".git/index")

        def go_on() -> None:
            while (
                repo.git("rev-parse", "main") == old_tip or (repo.path / ".git/index.lock").exists()
            ):
                pass
            (repo.path / ".git/HEAD").write_text("ref: refs/heads/other\n")
            os.utime(repo.path / ".git/index", (0, 0))

        helper = threading.Thread(target=go_on)
        helper.start()
        saved = store.save("a", text(1))
        helper.join()
        assert (saved.version, saved.warnings) == (2, ())
        assert repo.git("status", "--porcelain") == ""
        assert (repo.path / "prompts/a.yaml").read_text() == "prompt: '0'\n"
        assert repo.git("show", "main:prompts/a.yaml") == "prompt: |\n  1"
        assert_tidy(repo)
