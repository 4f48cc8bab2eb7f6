"""A branch that is moved by renaming its file: what no other writer, kill or setting may break."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from promptstore.errors import RepositoryLockedError
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.processes import is_killed_in_commit, race
from tests.writing.conftest import assert_tidy, configure

COMMITS = 60


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A bare repository whose branch is a file."""
    repo = configure(GitRepo.init(tmp_path / "bare", "--bare"))
    for first in range(256):
        # Else the ids would decide how many accesses to files a save takes.
        (repo.path / f"objects/{first:02x}").mkdir()
    PromptStore.open(repo.path).save("a", text(0))
    return repo


def text(number: int) -> Prompt:
    return Prompt(prompt=f"{number}\n")


def left_over(repo: GitRepo) -> list[Path]:
    return [*repo.path.rglob("moving-*"), *repo.path.rglob("main.lock")]


def kill_everywhere(repo: GitRepo) -> Iterator[int]:
    """Kill a save at its first access to a file, then one at its second, and so on."""
    for number in itertools.count(1):
        if not is_killed_in_commit(repo.path, {"a": text(number)}, number):
            return
        yield number


class TestKilled:
    def test_at_every_access_to_a_file(self, repo: GitRepo) -> None:
        locked = seen = 0
        for seen in kill_everywhere(repo):
            locked += (repo.path / "refs/heads/main.lock").exists()
            assert repo.git("fsck", "--strict", "--no-dangling") == ""
            # A lock of ours is known at once, however young it is.
            store = PromptStore.open(repo.path, lock_timeout=0.2)
            present = store.get("a")
            assert present.version == len(repo.versions("prompts/a.yaml", "main"))
            store.save("b", text(seen))
            assert (store.get("a").version, store.get("a").prompt) == (
                present.version,
                present.prompt,
            )
            assert left_over(repo) == []
            assert_tidy(repo)
        assert seen > 10
        assert locked > 1

    @pytest.mark.parametrize("setting", ["core.logAllRefUpdates", "core.fsyncObjectFiles"])
    def test_and_the_next_write_moves_the_branch_another_way(
        self, repo: GitRepo, setting: str
    ) -> None:
        for _ in kill_everywhere(repo):
            if (repo.path / "refs/heads/main.lock").exists():
                break
        else:
            pytest.fail("no kill left the lock of the branch")
        repo.git("config", setting, "true")
        saved = PromptStore.open(repo.path, lock_timeout=0.2).save("b", text(1))
        assert saved.version == 1
        assert left_over(repo) == []
        assert_tidy(repo)

    def test_and_the_lock_that_git_took_meanwhile_stays(self, repo: GitRepo) -> None:
        lock = repo.path / "refs/heads/main.lock"
        for _ in kill_everywhere(repo):
            if lock.exists():
                break
        lock.unlink()
        lock.write_bytes(b"")
        with pytest.raises(RepositoryLockedError, match="another process, perhaps git"):
            PromptStore.open(repo.path, lock_timeout=0.05).save("b", text(1))
        assert lock.exists()
        lock.unlink()
        assert PromptStore.open(repo.path).save("b", text(1)).version == 1
        assert left_over(repo) == []


def test_a_lock_of_git_is_waited_for_within_a_bound(repo: GitRepo) -> None:
    lock, tip = repo.path / "refs/heads/main.lock", repo.head()
    lock.write_bytes(b"")
    store = PromptStore.open(repo.path, lock_timeout=0.05)
    with pytest.raises(RepositoryLockedError, match=r"for more than 0\.05 seconds") as caught:
        store.save("a", text(1))
    assert caught.value.path == str(lock)
    assert repo.head() == tip
    assert lock.exists()
    lock.unlink()
    assert left_over(repo) == []
    assert store.save("a", text(1)).version == 2
    assert_tidy(repo)


def test_git_that_moves_the_branch_itself_loses_nothing(repo: GitRepo) -> None:
    def save(name: str) -> None:
        store = PromptStore.open(repo.path, lock_timeout=60)
        for number in range(COMMITS):
            assert store.save(name, text(number)).version == number + 1

    def update_with_git() -> None:
        done = 0
        while done < COMMITS:
            tip = repo.head()
            tree = repo.git("rev-parse", f"{tip}^{{tree}}")
            commit = repo.git("commit-tree", "-p", tip, "-m", "git", tree)
            command = ["git", "update-ref", "refs/heads/main", commit, tip]
            run = subprocess.run(command, cwd=repo.path, capture_output=True, check=False)
            done += run.returncode == 0

    def pack_often() -> None:
        for _ in range(COMMITS):
            command = ["git", "pack-refs", "--all"]
            subprocess.run(command, cwd=repo.path, capture_output=True, check=False)

    race([partial(save, "b"), partial(save, "c"), update_with_git, pack_often])
    assert repo.git("rev-list", "--count", "main") == str(3 * COMMITS + 1)
    assert left_over(repo) == []
    assert_tidy(repo)


def test_a_log_of_moves_is_kept_where_git_is_told_to(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    store.save("a", text(1))
    assert not (repo.path / "logs").exists()
    repo.git("config", "core.logAllRefUpdates", "true")
    store.save("a", text(2))
    assert repo.git("log", "-g", "--format=%gs", "main") == "promptstore: Update a"


def test_a_branch_that_is_only_packed(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    for number in range(1, 4):
        repo.git("pack-refs", "--all")
        assert not (repo.path / "refs/heads/main").exists()
        assert store.save("a", text(number)).version == number + 1
    assert_tidy(repo)


def test_a_branch_that_is_a_symbolic_link_stays_one(repo: GitRepo) -> None:
    file = repo.path / "refs/heads/main"
    file.rename(file.with_name("other"))
    file.symlink_to("other")
    PromptStore.open(repo.path).save("a", text(1))
    assert file.is_symlink()
    assert repo.git("rev-list", "--count", "other") == "2"


def test_a_file_of_a_dead_writer_that_is_the_branch_by_now_is_not_written_to(
    repo: GitRepo,
) -> None:
    """A writer may be killed after it moved the branch, and before it removed the second name."""
    store = PromptStore.open(repo.path)
    branch = repo.path / "refs/heads/main"
    for _ in kill_everywhere(repo):
        tokens = [*repo.path.rglob("moving-*")]
        if tokens and tokens[0].samefile(branch):
            break
    else:
        pytest.fail("no kill came between the two")
    tip = repo.head()
    store.save("b", text(1))
    assert repo.git("rev-parse", "main^") == tip
    assert left_over(repo) == []
    assert_tidy(repo)
