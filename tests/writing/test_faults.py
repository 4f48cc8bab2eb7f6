"""Disks that are full, calls that fail, processes that die: the old state or the new one.

What went wrong after the commit is a warning on the result, and never an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from promptstore.errors import PromptStoreError, RepositoryError
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.strace import disturbed, needs_strace
from tests.writing.conftest import assert_tidy, configure

FILE = "prompts/a.yaml"


def text(number: int) -> Prompt:
    return Prompt(prompt=f"{number}\n")


class TestLongNames:
    def test_the_longest_that_a_disk_holds(self, store: PromptStore, repo: GitRepo) -> None:
        name = "n" * 250
        assert store.save(name, text(1)).version == 1
        assert store.save(name, text(2)).version == 2
        assert store.delete(name).deleted
        assert store.save("other", text(1)).version == 1
        assert_tidy(repo)

    def test_one_that_git_committed(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({f"prompts/{'n' * 245}.yaml": "prompt: x\n"})
        assert store.delete("n" * 245).deleted
        assert_tidy(repo)

    def test_one_that_no_disk_holds_stops_nothing_else(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.save("other", text(1))
        head = repo.head()
        with pytest.raises(RepositoryError, match="File name too long"):
            store.save("n" * 255, text(1))
        assert repo.head() == head
        assert_tidy(repo)
        assert store.save("other", text(2)).version == 2
        store.set_label("other", "production")
        assert_tidy(repo)

    def test_one_that_no_disk_holds_is_fine_in_a_bare_repository(self, tmp_path: Path) -> None:
        bare = configure(GitRepo.init(tmp_path / "bare.git", "--bare"))
        assert PromptStore.open(bare.path).save("n" * 255, text(1)).version == 1

    def test_a_journal_that_cannot_be_finished_is_not_tried_for_ever(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.save("other", text(1))
        path = f"prompts/{'n' * 300}.yaml"
        blob = repo.git("hash-object", "-w", "--stdin", stdin=b"prompt: x\n")
        tree = repo.git("ls-tree", "HEAD:prompts") + f"\n100644 blob {blob}\t{'n' * 300}.yaml\n"
        prompts = repo.git("mktree", stdin=tree.encode())
        top = repo.git("mktree", stdin=f"040000 tree {prompts}\tprompts\n".encode())
        commit = repo.git("commit-tree", "-p", "HEAD", "-m", "long", top)
        repo.git("update-ref", "refs/heads/main", commit)
        journal = repo.path / ".git/promptstore/journal.json"
        move = ["n" * 300, path, None, [0o100644, blob]]
        journal.write_text(json.dumps(["refs/heads/main", commit, "0" * 12, [move]]))
        saved = store.save("other", text(2))
        assert saved.version == 2
        assert any("File name too long" in warning for warning in saved.warnings)
        assert not journal.exists()
        assert store.save("other", text(3)).warnings == ()


class TestLocks:
    @pytest.mark.parametrize("ref", ["refs/promptstore/remotes/posthog", "refs/heads/main"])
    def test_one_of_a_dead_writer_is_taken_back(
        self, store: PromptStore, repo: GitRepo, ref: str
    ) -> None:
        """A killed writer leaves a lock that is git's own kind, and its journal."""
        store.save("a", text(1))
        lock = repo.path / f".git/{ref}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_bytes(b"")
        journal = repo.path / ".git/promptstore/journal.json"
        journal.write_text(json.dumps([ref, "1" * 40, "0" * 12, []]))
        assert PromptStore.open(repo.path, lock_timeout=5).save("a", text(2)).version == 2
        assert not lock.exists()
        assert_tidy(repo)

    @pytest.mark.parametrize("ref", [f"refs/heads/{'n' * 300}", "refs/heads/main/x"])
    def test_a_reference_that_no_disk_holds_stops_nothing_else(
        self, store: PromptStore, repo: GitRepo, ref: str
    ) -> None:
        store.save("a", text(1))
        journal = repo.path / ".git/promptstore/journal.json"
        journal.write_text(json.dumps([ref, "1" * 40, "0" * 12, []]))
        assert store.save("a", text(2)).version == 2
        assert_tidy(repo)


class TestDurability:
    """Objects are on the disk before the reference that needs them."""

    @needs_strace
    @pytest.mark.parametrize(
        ("setting", "forced"),
        [
            ("core.fsync=all", True),
            ("core.fsync=committed", True),
            ("core.fsync=reference", True),
            ("core.fsyncObjectFiles=true", True),
            ("core.fsync=none", False),
            ("core.fsyncObjectFiles=false", False),
        ],
    )
    def test_what_git_is_told_to_force_to_the_disk(
        self, repo: GitRepo, setting: str, forced: bool
    ) -> None:
        repo.commit({FILE: "prompt: x\n"})
        repo.git("config", *setting.split("="))
        for number in range(1, 12):
            # The first call that fails stops everything before the branch moves.
            head = repo.head()
            outcome = disturbed(save(repo, number), "fsync", "error=EIO", number)
            if not outcome.was_disturbed:
                break
            assert forced
            if isinstance(outcome.result, PromptStoreError):
                assert repo.head() == head
        # A blob, two trees and a commit, each with its folder, then the branch.
        assert (number > 4) == forced
        assert_tidy(repo)


def save(repo: GitRepo, number: int) -> Callable[[], tuple[int | None, tuple[str, ...]]]:
    """Open a store, and return what saves something in it."""
    store = PromptStore.open(repo.path, lock_timeout=5)

    def work() -> tuple[int | None, tuple[str, ...]]:
        saved = store.save("a", text(number))
        return saved.version, saved.warnings

    return work


CALLS = {
    "open": ("openat", ["EMFILE", "EACCES", "EIO"]),
    "write": ("write,pwrite64,ftruncate", ["ENOSPC"]),
    "name": ("rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir", ["EIO", "EACCES"]),
    "look": ("stat,lstat,newfstatat,access,faccessat,faccessat2", ["EIO", "EACCES"]),
    "times": ("utimensat,chmod,fchmod,fchmodat", ["EPERM"]),
    # Not mmap: a library with a fork hook starts a thread in the child, which would never run.
    "read": ("read,pread64", ["EIO"]),
}


@needs_strace
@pytest.mark.parametrize("kind", sorted(CALLS))
@pytest.mark.parametrize(
    "step",
    [pytest.param(11, id="some calls"), pytest.param(1, id="all calls", marks=pytest.mark.slow)],
)
def test_a_call_that_fails_is_an_error_before_the_commit_and_a_warning_after(
    repo: GitRepo, kind: str, step: int
) -> None:
    repo.commit({FILE: "prompt: '0'\n"})
    calls, faults = CALLS[kind]
    hits = 0
    for number in count(1, step):
        head = repo.head()
        outcome = disturbed(
            save(repo, number),
            calls,
            f"error={faults[number % len(faults)]}",
            number,
        )
        if not outcome.was_disturbed:
            break
        hits += 1
        if isinstance(outcome.result, Exception):
            assert isinstance(outcome.result, PromptStoreError), outcome.result.__notes__[0]
            assert repo.head() == head, (number, outcome.result)
        else:
            assert repo.head() != head, number
        # Whatever happened, the next writer is not held up, and puts everything right.
        PromptStore.open(repo.path, lock_timeout=5).save("b", text(number))
        assert_tidy(repo)
    assert hits > 0


@needs_strace
@pytest.mark.parametrize(
    "calls",
    [
        "rename",
        pytest.param("openat", marks=pytest.mark.slow),
        pytest.param("write", marks=pytest.mark.slow),
        pytest.param("link,unlink,mkdir,fchmodat,utimensat", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("options", [(), ("--bare",)], ids=["checked out", "bare"])
def test_a_kill_at_any_call(tmp_path: Path, calls: str, options: tuple[str, ...]) -> None:
    repo = configure(GitRepo.init(tmp_path / "repo", *options))
    PromptStore.open(repo.path).save("a", text(0))
    number = 1
    while disturbed(save(repo, number), calls, "signal=SIGKILL", number).was_disturbed:
        assert repo.git("fsck", "--strict", "--no-dangling") == ""
        store = PromptStore.open(repo.path, lock_timeout=5)
        present = store.get("a")
        store.save("b", text(number))
        assert store.get("a").prompt == present.prompt
        assert present.version == len(repo.versions(FILE, "main"))
        assert_tidy(repo)
        number += 1
    assert number > 2


@needs_strace
def test_a_folder_of_objects_that_git_gc_removes_meanwhile(repo: GitRepo) -> None:
    """Git removes empty folders of objects, so one may go just before an object comes into it."""
    repo.commit({FILE: "prompt: x\n"})
    # libgit2 tries a link, then a rename; each has a number of its own.
    outcome = disturbed(save(repo, 1), "link,rename", "error=ENOENT", 1)
    assert outcome == ((2, ()), True)
    assert_tidy(repo)
