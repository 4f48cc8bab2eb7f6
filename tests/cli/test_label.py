"""Commands for labels, and where labels are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promptstore.errors import ConflictError
from promptstore.history.labels import BRANCH, is_protected
from promptstore.store.store import PromptStore
from tests.cli.conftest import Run
from tests.cli.test_commands import fails_with, out
from tests.gitrepo import GitRepo
from tests.test_store import label_branch
from tests.writing.conftest import assert_tidy


@pytest.fixture(autouse=True)
def _second_version(written: GitRepo) -> None:
    written.commit({"prompts/greet.yaml": "prompt: Second {% include 'other' %}\n"}, "Second")


def target(repo: GitRepo, label: str, name: str) -> tuple[int, str]:
    found = PromptStore.open(repo.path).labels().find(label, name)
    return found.version, found.commit


class TestSet:
    def test_the_newest_and_older_versions_in_one_commit(
        self, write: Run, written: GitRepo
    ) -> None:
        result = write("label", "set", "greet", "other@1", "production", "-m", "Release")
        assert out(result) == "production: none → greet@2\nproduction: none → other@1\n"
        assert written.git("log", "--format=%s", BRANCH) == "Release"
        first = written.versions("prompts/other.yaml")[0]
        assert target(written, "production", "greet") == (2, written.head())
        assert target(written, "production", "other") == (1, first)
        assert_tidy(written)

    def test_where_another_label_points_with_the_includes_of_then(
        self, write: Run, written: GitRepo
    ) -> None:
        assert out(write("label", "set", "greet", "staging"))
        tested = written.head()
        written.commit({"prompts/other.yaml": "prompt: changed\n"})
        shown = out(write("label", "set", "greet@staging", "production"))
        assert shown == "production: none → greet@2\n"
        assert target(written, "production", "greet") == (2, tested)
        assert out(write("render", "greet@production")) == "Second Other"
        # The same version with other includes is a move too.
        result = write("label", "set", "greet", "production", "--yes")
        assert out(result) == (f"production: greet@2, with the includes of {written.head()[:7]}\n")
        assert out(write("render", "greet@production")) == "Second changed"

    def test_a_rev(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet@main~1", "staging")) == "staging: none → greet@1\n"

    def test_nothing_changed(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet", "staging"))
        assert out(write("label", "set", "greet", "staging")) == (
            "staging: greet@2, nothing changed\n"
        )
        assert written.git("rev-list", "--count", BRANCH) == "1"

    def test_a_protected_label_is_not_moved_unasked(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet@1", "production"))
        result = write("label", "set", "greet", "production")
        fails_with(
            result, "Move production: greet@1 → greet@2? There is no terminal to answer at: "
            "add --yes to go on",
        )  # fmt: skip
        assert result.exit_code == 1
        assert target(written, "production", "greet")[0] == 1
        assert out(write("label", "set", "greet", "production", "--yes")) == (
            "production: greet@1 → greet@2\n"
        )

    def test_other_labels_move_freely(self, write: Run) -> None:
        assert out(write("label", "set", "greet@1", "staging"))
        assert out(write("label", "set", "greet", "staging")) == "staging: greet@1 → greet@2\n"

    def test_expected(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet@1", "production", "--expected", "0"))
        for number in ("0", "2"):
            result = write("label", "set", "greet", "production", "--yes", "--expected", number)
            assert isinstance(result.exception, ConflictError)
        assert out(write("label", "set", "greet", "production", "--yes", "--expected", "1"))

    def test_a_dry_run_shows_what_readers_would_get(self, write: Run, written: GitRepo) -> None:
        written.commit({"prompts/greet.yaml": "prompt: Third\n"})
        assert out(write("label", "set", "greet@2", "production"))
        before = written.git("rev-parse", BRANCH)
        shown = out(write("label", "set", "greet", "production", "--dry-run"))
        assert shown == (
            "production: greet@2 → greet@3\n"
            "--- prompts/greet.yaml\n"
            "+++ prompts/greet.yaml\n"
            "@@ -1 +1 @@\n"
            "-prompt: Second {% include 'other' %}\n"
            "+prompt: Third\n"
        )
        (row,) = json.loads(
            out(write("label", "set", "greet", "production", "--dry-run", "--json"))
        )
        assert (row["before"]["version"], row["after"]["version"]) == (2, 3)
        assert row["diff"] in shown
        assert written.git("rev-parse", BRANCH) == before

    def test_json(self, write: Run, written: GitRepo) -> None:
        (row,) = json.loads(out(write("label", "set", "greet", "staging", "--json")))
        assert row == {
            "label": "staging",
            "name": "greet",
            "before": None,
            "after": {"version": 2, "commit": written.head()},
            "changed": True,
        }

    def test_a_new_label_that_looks_like_another(self, write: Run) -> None:
        assert write("label", "set", "greet", "production").stderr == ""
        result = write("label", "set", "greet", "prodution")
        assert result.stderr == "note: 'prodution' is a new label; there is 'production'\n"

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["gret", "production"], "Did you mean 'greet'?"),
            (["greet", "other@4", "production"], "its only version is 1"),
            (["greet@1", "greet@2", "production"], "'greet' is given with two versions"),
            (["greet@staging", "production"], "'staging' is neither a label"),
            (["greet", "latest"], "'latest' cannot be a label"),
            (["greet", "Production"], "'Production' cannot be a label"),
            (["old", "production"], "'old' was deleted"),
            (["old@2", "production"], "'old' was deleted"),
        ],
    )
    def test_names_what_is_wrong(
        self, write: Run, written: GitRepo, arguments: list[str], sentence: str
    ) -> None:
        written.commit({"prompts/old.yaml": "prompt: x\n"})
        written.commit({"prompts/old.yaml": "prompt: x\ndeleted: true\n"})
        fails_with(write("label", "set", *arguments), sentence)
        assert written.git("branch", "--list", BRANCH) == ""

    def test_a_shallow_clone(self, write: Run, written: GitRepo, tmp_path: Path) -> None:
        shallow = written.clone(tmp_path / "shallow", "--depth=1")
        result = write("-C", str(shallow.path), "label", "set", "greet", "production")
        fails_with(result, "git fetch --unshallow")


class TestRemove:
    def test_of_many(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet", "other", "staging"))
        assert out(write("label", "remove", "greet", "other", "staging")) == (
            "staging: greet@2 → none\nstaging: other@1 → none\n"
        )
        assert written.git("rev-list", "--count", BRANCH) == "2"
        assert out(write("label", "list")) == ""

    def test_a_protected_one_is_asked_for(self, write: Run, written: GitRepo) -> None:
        assert out(write("label", "set", "greet", "eu-prod"))
        fails_with(
            write("label", "remove", "greet", "eu-prod"), "eu-prod: greet@2 → none? There is"
        )
        shown = out(write("label", "remove", "greet", "eu-prod", "--dry-run"))
        assert shown.startswith("eu-prod: greet@2 → none\n--- prompts/greet.yaml\n+++ /dev/null\n")
        assert target(written, "eu-prod", "greet")[0] == 2
        assert out(write("label", "remove", "greet", "eu-prod", "--yes"))

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["greet", "prodution"], "does not point 'greet' anywhere. There are: staging."),
            (["other", "staging"], "does not point 'other' anywhere"),
            (["greet", "staging", "--expected", "1"], "points at version 2 by now"),
        ],
    )
    def test_names_what_is_wrong(self, write: Run, arguments: list[str], sentence: str) -> None:
        assert out(write("label", "set", "greet", "staging"))
        fails_with(write("label", "remove", *arguments), sentence)


class TestShown:
    @pytest.fixture(autouse=True)
    def _labels(self, write: Run) -> None:
        assert out(write("label", "set", "greet@1", "other", "production", "-m", "First release"))
        assert out(write("label", "set", "greet", "staging"))
        assert out(write("label", "remove", "other", "production", "--yes", "-m", "Too early"))

    def test_list(self, write: Run, written: GitRepo) -> None:
        first, second = written.git("rev-parse", "HEAD~1", "HEAD").split()
        assert out(write("label", "list")) == (
            f"production\tgreet\t1\t{first[:7]}\nstaging\tgreet\t2\t{second[:7]}\n"
        )
        assert json.loads(out(write("label", "list", "staging", "--json"))) == [
            {"label": "staging", "name": "greet", "version": 2, "commit": second}
        ]
        fails_with(write("label", "list", "prod"), "There are: production, staging.")

    def test_log(self, write: Run, written: GitRepo) -> None:
        rows = [line.split("\t")[1:5] for line in out(write("label", "log")).splitlines()]
        assert rows == [
            ["production", "other", "1", "-"],
            ["staging", "greet", "-", "2"],
            ["production", "greet", "-", "1"],
            ["production", "other", "-", "1"],
        ]
        rows = json.loads(out(write("label", "log", "production", "--name", "other", "--json")))
        assert [(row["before"], row["message"]) for row in rows] == [
            ({"version": 1, "commit": written.head()}, "Too early\n"),
            (None, "First release\n"),
        ]
        assert rows[0]["after"] is None
        assert rows[0]["commit"] == written.git("rev-parse", BRANCH)

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["prod"], "There is no label 'prod'. There are: production, staging."),
            (["--name", "gret"], "Did you mean 'greet'?"),
        ],
    )
    def test_a_log_of_nothing(self, write: Run, arguments: list[str], sentence: str) -> None:
        fails_with(write("label", "log", *arguments), sentence)

    def test_a_prompt_that_never_had_one(self, write: Run) -> None:
        result = write("label", "log", "--name", "shared/tone")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "no label like that was ever moved\n"

    def test_beside_versions_and_prompts(self, write: Run) -> None:
        log = [line.split("\t") for line in out(write("log", "greet")).splitlines()]
        assert [(row[0], row[4]) for row in log] == [("2", "staging"), ("1", "production")]
        rows = [line.split("\t") for line in out(write("list")).splitlines()]
        assert [(row[0], row[2]) for row in rows] == [
            ("greet", "staging"), ("other", ""), ("shared/tone", ""),
        ]  # fmt: skip
        assert json.loads(out(write("log", "greet", "--json")))[1]["labels"] == ["production"]
        assert json.loads(out(write("list", "gr", "--json")))[0]["labels"] == ["staging"]

    def test_a_broken_label_hides_no_other(self, write: Run, written: GitRepo) -> None:
        commit = written.head()
        files = {"a.yaml": "greet: [\n", "b.yaml": f"greet: {{version: 2, commit: {commit}}}\n"}
        label_branch(written, files)
        result = write("label", "list")
        assert (result.exit_code, result.stdout) == (1, f"b\tgreet\t2\t{commit[:7]}\n")
        assert f"error: {BRANCH}:a.yaml:" in result.stderr
        fails_with(write("label", "list", "a"), f"{BRANCH}:a.yaml:")


def test_without_labels(write: Run) -> None:
    result = write("label", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "`promptstore label set NAME LABEL` sets one" in result.stderr


@pytest.mark.parametrize(
    ("label", "protected"),
    [
        ("production", True), ("prod", True), ("live", True), ("stable", True),
        ("eu-production", True), ("prod.us", True), ("live_2", True),
        ("staging", False), ("product", False), ("delivery", False), ("a-test", False),
    ],
)  # fmt: skip
def test_which_labels_are_protected(label: str, protected: bool) -> None:
    assert is_protected(label) is protected
