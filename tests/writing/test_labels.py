"""Labels: set, moved, removed, read, on a branch of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptstore.errors import (
    ConflictError,
    HistoryUnavailableError,
    InvalidArgumentError,
    LabelNotFoundError,
    PromptDeletedError,
    PromptFileError,
    PromptNotFoundError,
    VersionNotFoundError,
)
from promptstore.history.labels import BRANCH, is_label
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore
from tests.conftest import Fill
from tests.gitrepo import GitRepo
from tests.test_store import label_branch
from tests.writing.conftest import assert_tidy, configure


def commit_prompts(repo: GitRepo) -> None:
    configure(repo)
    repo.commit({"prompts/greet.yaml": "prompt: one\n", "prompts/other.yaml": "prompt: other\n"})
    repo.commit({"prompts/greet.yaml": "prompt: two\n"})
    repo.commit({"prompts/greet.yaml": 'prompt: three {% include "other" %}\n'})


@pytest.fixture
def store(repo: GitRepo, fill: Fill) -> PromptStore:
    """`greet` with versions 1 to 3 and `other` with one."""
    return PromptStore.open(fill(repo, commit_prompts).path)


def label_file(repo: GitRepo, label: str = "production") -> str:
    return repo.git("show", f"{BRANCH}:{label}.yaml")


class TestSet:
    def test_the_newest_version_at_the_tip(self, store: PromptStore, repo: GitRepo) -> None:
        repo.commit({"prompts/other.yaml": "prompt: changed\n"})
        labelled = store.set_label("greet", "production")
        assert (labelled.version, labelled.label) == (3, "production")
        assert labelled.render().text == "three changed"
        assert (
            label_file(repo).replace(chr(34), "") == f"greet: {{version: 3, commit: {repo.head()}}}"
        )
        repo.commit({"prompts/other.yaml": "prompt: changed again\n"})
        assert store.render("greet", label="production").text == "three changed"
        assert_tidy(repo)

    def test_a_version_is_read_at_the_commit_that_made_it(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        assert store.set_label("greet", "production", version=2).prompt == "two"
        second = repo.versions("prompts/greet.yaml")[1]
        assert label_file(repo).replace(chr(34), "") == f"greet: {{version: 2, commit: {second}}}"

    def test_a_rev(self, store: PromptStore, repo: GitRepo) -> None:
        assert store.set_label("greet", "production", rev="HEAD~").version == 2
        with pytest.raises(InvalidArgumentError, match="exclude each other"):
            store.set_label("greet", "production", rev="HEAD", version=1)

    def test_each_move_is_a_commit_on_an_orphan(self, store: PromptStore, repo: GitRepo) -> None:
        store.set_label("greet", "production", version=1)
        store.set_label("greet", "production", version=2, message="Go", author="A <a@b>")
        store.set_label("greet", "production", version=2)
        assert repo.git("log", "--format=%an: %s", BRANCH) == (
            "A: Go\nAda Example: Point production at greet version 1"
        )
        assert repo.git("ls-tree", "--name-only", BRANCH) == "production.yaml"
        with pytest.raises(AssertionError):
            repo.git("merge-base", "main", BRANCH)
        assert_tidy(repo)

    def test_many_in_one_commit(self, store: PromptStore, repo: GitRepo) -> None:
        moved = store.set_labels("production", {"other": None, "greet": 1})
        assert {name: prompt.version for name, prompt in moved.items()} == {"other": 1, "greet": 1}
        assert repo.git("log", "--format=%B", BRANCH) == (
            "Move production of 2 prompts\n\n- Point production at other version 1\n"
            "- Point production at greet version 1"
        )

    @pytest.mark.parametrize(
        ("name", "version", "error"),
        [("gret", None, PromptNotFoundError), ("greet", 4, VersionNotFoundError)],
    )
    def test_what_is_not_there(
        self,
        store: PromptStore,
        repo: GitRepo,
        name: str,
        version: int | None,
        error: type[Exception],
    ) -> None:
        with pytest.raises(error):
            store.set_labels("production", {"other": 1, name: version})
        assert repo.git("branch", "--list", BRANCH) == ""

    def test_a_tombstone_gets_no_label(self, store: PromptStore) -> None:
        store.delete("greet")
        for version in (None, 4):
            with pytest.raises(PromptDeletedError):
                store.set_label("greet", "production", version=version)
        assert store.set_label("greet", "production", version=3).version == 3

    def test_a_shallow_clone_cannot_know(
        self, store: PromptStore, repo: GitRepo, tmp_path: Path
    ) -> None:
        shallow = PromptStore.open(repo.clone(tmp_path / "shallow", "--depth=1").path)
        with pytest.raises(HistoryUnavailableError, match="--unshallow"):
            shallow.set_label("greet", "production")

    def test_an_empty_repository(self, tmp_path: Path) -> None:
        empty = PromptStore.open(configure(GitRepo.init(tmp_path / "empty")).path)
        with pytest.raises(PromptNotFoundError):
            empty.set_label("greet", "production")


class TestExpected:
    def test_must_be_where_the_label_points(self, store: PromptStore) -> None:
        store.set_label("greet", "production", version=1, expected=0)
        store.set_label("greet", "production", version=2, expected=1)
        with pytest.raises(ConflictError, match="points at version 2 by now, not at version 1"):
            store.set_label("greet", "production", version=3, expected=1)
        with pytest.raises(ConflictError, match="points at version 2 by now, though it should not"):
            store.set_label("greet", "production", version=3, expected=0)
        with pytest.raises(ConflictError, match="does not point at it by now"):
            store.set_label("other", "production", expected=1)
        with pytest.raises(ConflictError):
            store.remove_label("greet", "production", expected=1)
        store.remove_label("greet", "production", expected=2)


class TestRemove:
    def test_a_label_is_taken_off(self, store: PromptStore, repo: GitRepo) -> None:
        store.set_labels("production", {"greet": 1, "other": 1})
        store.remove_label("greet", "production")
        assert label_file(repo).startswith("other: ")
        with pytest.raises(LabelNotFoundError):
            store.get("greet", label="production")
        store.remove_labels("production", ["other"])
        assert repo.git("ls-tree", BRANCH) == ""
        assert_tidy(repo)

    def test_one_that_is_not_there(self, store: PromptStore) -> None:
        store.set_label("greet", "staging")
        with pytest.raises(LabelNotFoundError, match="There are: staging"):
            store.remove_label("greet", "production")

    def test_of_a_prompt_that_was_deleted(self, store: PromptStore) -> None:
        store.set_label("greet", "production")
        store.delete("greet")
        store.remove_label("greet", "production")
        assert store.labels().targets == {}


class TestRead:
    def test_a_deleted_prompt_still_reads_by_its_label(self, store: PromptStore) -> None:
        store.set_label("greet", "production", version=2)
        store.delete("greet")
        assert store.get("greet", label="production").prompt == "two"

    def test_a_removed_file_still_reads_by_its_label(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.set_label("greet", "production", version=2)
        repo.commit({"prompts/greet.yaml": None})
        assert store.get("greet", label="production").prompt == "two"
        assert store.snapshot(label="production")["greet"].prompt == "two"

    def test_a_snapshot_by_label(self, store: PromptStore, repo: GitRepo) -> None:
        store.set_label("greet", "production")
        store.set_label("other", "staging")
        repo.commit({"prompts/other.yaml": "prompt: changed\n"})
        snapshot = store.snapshot(label="production")
        assert (list(snapshot), len(snapshot), "other" in snapshot) == (["greet"], 1, False)
        assert snapshot.place == "label production"
        assert snapshot.commit is None
        # An include is read from the commit that the label points at, not from the label.
        assert snapshot.render("greet").text == "three other"
        assert snapshot["greet"] == store.get("greet", label="production")
        with pytest.raises(PromptNotFoundError, match="in label production"):
            snapshot.read("other")
        assert [p.version for p in store.list(label="production")] == [3]
        assert store.list("x", label="production") == []
        assert store.list(label="production", search="THREE") != []

    def test_a_label_that_is_none(self, store: PromptStore) -> None:
        store.set_label("greet", "production")
        with pytest.raises(LabelNotFoundError, match=r"no label 'prod'. There are: production"):
            store.snapshot(label="prod")
        with pytest.raises(InvalidArgumentError, match="exclude each other"):
            store.snapshot("HEAD", label="production")

    def test_an_old_rev_can_be_listed(self, store: PromptStore) -> None:
        assert [p.version for p in store.list(rev="HEAD~")] == [2, 1]


class TestClones:
    def test_a_fresh_clone_reads_those_of_its_origin_and_builds_on_them(
        self, store: PromptStore, repo: GitRepo, tmp_path: Path
    ) -> None:
        store.set_label("greet", "production", version=1)
        origin_tip = repo.git("rev-parse", BRANCH)
        clone = configure(repo.clone(tmp_path / "clone"))
        there = PromptStore.open(clone.path)
        assert there.get("greet", label="production").version == 1
        assert there.set_label("other", "production").version == 1
        assert clone.git("rev-parse", f"{BRANCH}~") == origin_tip
        assert there.get("greet", label="production").version == 1
        clone.git("push", "--quiet", "origin", BRANCH)
        assert store.get("other", label="production").version == 1
        assert_tidy(clone)

    def test_what_changes_nothing_makes_no_branch(
        self, store: PromptStore, repo: GitRepo, tmp_path: Path
    ) -> None:
        store.set_label("greet", "production", version=1)
        clone = configure(repo.clone(tmp_path / "clone"))
        PromptStore.open(clone.path).set_label("greet", "production", version=1)
        assert clone.git("branch", "--list", BRANCH) == ""

    def test_the_labels_branch_may_be_checked_out(
        self, store: PromptStore, repo: GitRepo, tmp_path: Path
    ) -> None:
        store.set_label("greet", "production", version=1)
        repo.git("worktree", "add", "--quiet", str(tmp_path / "labels"), BRANCH)
        labels = GitRepo(tmp_path / "labels")
        store.set_label("greet", "production", version=2)
        assert "version: 2" in (labels.path / "production.yaml").read_text()
        store.remove_label("greet", "production")
        assert not (labels.path / "production.yaml").exists()
        assert_tidy(labels)

    def test_a_branch_in_the_way_of_the_folder(self, store: PromptStore, repo: GitRepo) -> None:
        repo.git("branch", "promptstore")
        with pytest.raises(ConflictError, match="one that is called 'promptstore'") as caught:
            store.set_label("greet", "production")
        repo.git(*str(caught.value).split("`")[1].split()[1:])
        assert store.set_label("greet", "production").version == 3


class TestFiles:
    def test_only_the_line_of_the_prompt_changes(self, store: PromptStore, repo: GitRepo) -> None:
        commit = repo.head()
        first = f"# What customers see.\n\ngreet: {{version: 3, commit: {commit}}}  # tested\n"
        last = f'"zzz": {{"version": 1, "commit": "{commit}"}}\n'
        label_branch(
            repo, {"production.yaml": first + f"other: {{version: 1, commit: {commit}}}\n"}
        )
        store.set_label("greet", "production", version=2)
        lines = label_file(repo).splitlines()
        assert lines[:2] == ["# What customers see.", ""]
        assert lines[2].startswith("greet: {version: 2, ")
        assert lines[3] == f"other: {{version: 1, commit: {commit}}}"
        # Another layout cannot be kept, but nothing that it says is lost.
        label_branch(repo, {"production.yaml": first + last})
        store.set_label("other", "production")
        assert [line.split(":")[0] for line in label_file(repo).splitlines()] == [
            "greet", "other", "zzz",
        ]  # fmt: skip

    def test_prompts_stand_in_the_order_of_their_names(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        for name in ("m", "c", "z", "a"):
            store.save(name, Prompt(prompt="x"))
            store.set_label(name, "production")
        assert [line[0] for line in label_file(repo).splitlines()] == ["a", "c", "m", "z"]

    def test_a_name_or_commit_that_looks_like_a_number_stays_a_text(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        store.save("12", Prompt(prompt="x"))
        store.set_label("12", "production")
        assert label_file(repo).startswith('"12": {version: 1, commit: ')
        assert store.get("12", label="production").version == 1

    def test_a_broken_file_is_not_written_over(self, store: PromptStore, repo: GitRepo) -> None:
        label_branch(repo, {"production.yaml": "greet: [\n"})
        with pytest.raises(PromptFileError, match=r"promptstore/labels:production\.yaml"):
            store.set_label("greet", "production")
        assert store.set_label("greet", "staging").version == 3


class TestHistory:
    def test_who_moved_what_when_and_why(self, store: PromptStore, repo: GitRepo) -> None:
        store.set_label("greet", "production", version=1, message="First")
        store.set_labels("production", {"greet": 2, "other": 1}, message="Both")
        store.set_label("greet", "staging", message="Try")
        label_branch_broken = repo.git("rev-parse", BRANCH)
        store.remove_label("greet", "production", message="Off", author="Grace <g@example.com>")
        moves = store.label_history()
        assert [
            (m.label, m.name, m.before and m.before.version, m.after and m.after.version, m.message)
            for m in moves
        ] == [
            ("production", "greet", 2, None, "Off\n"),
            ("staging", "greet", None, 3, "Try\n"),
            ("production", "greet", 1, 2, "Both\n"),
            ("production", "other", None, 1, "Both\n"),
            ("production", "greet", None, 1, "First\n"),
        ]
        assert moves[0].author == "Grace <g@example.com>"
        assert moves[0].commit == repo.git("rev-parse", BRANCH) != label_branch_broken
        assert [m.message for m in store.label_history("staging")] == ["Try\n"]
        assert [m.message for m in store.label_history("production", "other")] == ["Both\n"]

    def test_it_grows_and_is_read_anew_when_it_was_rewritten(
        self, store: PromptStore, repo: GitRepo
    ) -> None:
        def numbers() -> list[int | None]:
            return [move.after and move.after.version for move in store.label_history()]

        store.set_label("greet", "production", version=1)
        assert numbers() == [1]
        first = repo.git("rev-parse", BRANCH)
        PromptStore.open(repo.path).set_label("greet", "production", version=2)
        PromptStore.open(repo.path).set_label("greet", "production", version=3)
        assert numbers() == [3, 2, 1]
        assert numbers() == [3, 2, 1]
        repo.git("update-ref", f"refs/heads/{BRANCH}", first)
        assert numbers() == [1]
        store.set_label("greet", "production", version=3)
        assert numbers() == [3, 1]

    def test_without_labels(self, store: PromptStore) -> None:
        assert store.label_history() == []

    def test_versions_know_their_labels(self, store: PromptStore) -> None:
        store.set_label("greet", "production", version=2)
        store.set_label("greet", "staging", version=2)
        assert [v.labels for v in store.history("greet")] == [(), ("production", "staging"), ()]


@pytest.mark.parametrize(
    ("label", "is_one"),
    [
        ("production", True), ("v1.2_3-rc", True), ("a", True), ("0a", True), ("a" * 128, True),
        ("", False), ("Prod", False), ("-a", False), ("a-", False), ("a/b", False), ("a b", False),
        ("12", False), ("latest", False), ("a" * 129, False), ("ä", False), ("a\n", False),
    ],
)  # fmt: skip
def test_names_of_labels(store: PromptStore, label: str, is_one: bool) -> None:
    assert is_label(label) is is_one
    if not is_one:
        with pytest.raises(InvalidArgumentError, match="cannot be a label"):
            store.set_label("greet", label)
        with pytest.raises(InvalidArgumentError, match="cannot be a label"):
            store.remove_label("greet", label)
