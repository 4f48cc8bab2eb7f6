"""What a change would bring, and the branch that it is proposed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore import PromptStore
from promptstore.errors import ConflictError, PromptFileError
from promptstore.review.drafts import propose
from tests.gitrepo import GitRepo
from tests.writing.conftest import configure

NEW = b"prompt: Good day {{ name }}\n"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = configure(GitRepo.init(tmp_path / "repo"))
    repo.commit({"prompts/support/greet.yaml": "prompt: Hello {{ name }}\n"})
    return repo


def test_a_proposal_is_a_commit_on_a_new_branch(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    before = store.position()
    found = propose(
        store, "support/greet", NEW, message="Be formal", author="Ada <ada@example.com>"
    )
    assert found.branch.startswith("propose/support-greet-")
    assert (found.base, found.prompt.version) == (before.tip, 2)
    assert store.position() == before
    assert store.get("support/greet").prompt == "Hello {{ name }}"
    assert repo.git("status", "--porcelain") == ""
    shown = repo.git("log", "--format=%an %s", f"main..{found.branch}").splitlines()
    assert shown == ["Ada Be formal"]


def test_the_same_proposal_twice_is_one(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    first, second = (propose(store, "support/greet", NEW) for _ in range(2))
    assert (first.branch, second.prompt.is_unchanged) == (second.branch, True)
    assert first.prompt.commit == second.prompt.commit


def test_a_named_branch_gets_one_more_commit(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    propose(store, "support/greet", NEW, branch="polite")
    found = propose(store, "support/greet", b"prompt: Dear {{ name }}\n", branch="propose/polite")
    assert (found.branch, found.prompt.version) == ("propose/polite", 3)


@pytest.mark.parametrize(
    ("data", "expected", "error"),
    [
        (b"prompt: [\n", None, PromptFileError),
        (b"prompt: x\n", 7, ConflictError),
        (b"prompt: x\n", 0, ConflictError),
    ],
)
def test_what_cannot_be_committed_leaves_no_branch(
    repo: GitRepo, data: bytes, expected: int | None, error: type[Exception]
) -> None:
    store = PromptStore.open(repo.path)
    with pytest.raises(error):
        propose(store, "support/greet", data, expected_version=expected)
    assert repo.git("branch", "--format=%(refname:short)").split() == ["main"]


def test_no_branch_but_a_proposal_can_be_written(repo: GitRepo) -> None:
    store = PromptStore.open(repo.path)
    assert propose(store, "support/greet", NEW, branch="main").branch == "propose/main"
    with pytest.raises(ConflictError, match="cannot be the name of a branch"):
        propose(store, "support/greet", NEW, branch="a..b")
    assert repo.git("log", "--format=%s", "main").count("\n") == 0
