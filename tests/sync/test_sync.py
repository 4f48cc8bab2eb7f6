"""What a sync does to both sides."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from promptstore.errors import (
    InvalidArgumentError,
    MassDeletionError,
    RemoteUnreachableError,
    RepositoryError,
)
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.sync import SyncOptions, SyncRules
from promptstore.store.store import PromptStore
from tests.sync.conftest import Pair, file
from tests.sync.memory import MemoryRemote
from tests.writing.conftest import configure

LINES = "one\ntwo\nthree\nfour\nfive\n"


def ref(pair: Pair) -> str:
    return pair.repo.git("log", "--format=%B", "refs/promptstore/remotes/posthog")


def test_a_new_prompt_goes_out_and_comes_in(pair: Pair) -> None:
    pair.commit(support__mine=file("Mine"))
    pair.project.edit("theirs", "Hello {{name}}")
    assert pair.plan() == ["push create support/mine", "pull create theirs"]
    assert pair.run().is_clean
    assert pair.project.texts() == {"support__mine": "Mine", "theirs": "Hello {{name}}"}
    pulled = pair.store.get("theirs")
    assert (pulled.prompt, pulled.template) == ("Hello {{name}}", "simple")
    assert pair.plan() == []


def test_a_pull_is_a_commit_of_the_remotes_user(pair: Pair) -> None:
    pair.project.edit("theirs", "Hello")
    pair.run()
    shown = pair.repo.git("log", "-1", "--format=%an <%ae>%n%B")
    row = pair.project.row("theirs")
    assert shown.splitlines() == [
        "Grace Remote <grace@remote.example>",
        "Create theirs from posthog, version 1",
        "",
        "Remote-Version: posthog theirs 1",
        f"Remote-Id: {row['id']}",
        f"Remote-Digest: {RemoteContent('Hello').digest}",
    ]


def test_the_state_is_a_commit_with_the_remotes_prompts_as_files(pair: Pair) -> None:
    pair.commit(a=file("Mine"))
    pair.run()
    state = "refs/promptstore/remotes/posthog"
    assert pair.repo.git("ls-tree", "-r", "--name-only", state) == "prompts/a.yaml"
    assert "prompt: Mine" in pair.repo.git("show", f"{state}:prompts/a.yaml")
    assert f"Remote-Version: a 1 {pair.project.row('a')['id']}" in ref(pair)
    assert pair.repo.git("status", "--porcelain") == ""


def test_the_state_travels_with_push_and_fetch(pair: Pair) -> None:
    pair.commit(a=file("One"))
    pair.run()
    clone = configure(pair.repo.clone(pair.repo.path.parent / "clone"))
    clone.git("fetch", "--quiet", "origin", "refs/promptstore/*:refs/promptstore/*")
    pair.project.edit("a", "Two")
    other = replace(pair, repo=clone, store=PromptStore.open(clone.path))
    assert other.plan() == ["pull update a"]


@pytest.mark.parametrize("side", ["git", "remote"])
def test_an_edit_goes_to_the_other_side(pair: Pair, side: str) -> None:
    pair.commit(a=file("One", description="What it is for.", tags=["x"]))
    pair.run()
    if side == "git":
        pair.commit(a=file("Two", description="What it is for.", tags=["x"]))
        assert pair.plan() == ["push update a"]
    else:
        pair.project.edit("a", "Two")
        assert pair.plan() == ["pull update a"]
    assert pair.run().is_clean
    assert pair.project.texts() == {"a": "Two"}
    assert pair.text("a") == "Two"
    assert pair.store.get("a").tags == ("x",)
    assert pair.plan() == []


def test_a_version_says_which_commit_it_is_from(pair: Pair) -> None:
    pair.commit(a=file("One"))
    pair.run()
    if pair.project.dialect == "current":
        described = pair.project.prompts["a"][0].description
        assert described == f"{pair.repo.head()[:12]} change"


def test_a_change_that_the_remote_cannot_hold_publishes_nothing(pair: Pair) -> None:
    pair.commit(a=file("One"))
    pair.run()
    pair.project.writes.clear()
    pair.commit(a=file("One", description="New words."))
    assert pair.run().results == []
    assert pair.project.writes == []


def test_what_both_sides_have_alike_is_only_noted(pair: Pair) -> None:
    pair.commit(a=file("One"))
    pair.project.edit("a", "One")
    assert pair.plan() == []
    assert pair.run().results == []
    assert pair.project.writes == []
    pair.project.edit("a", "Two")
    assert pair.plan() == ["pull update a"]


def test_a_tombstone_archives_there_and_coming_back_restores(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"), c=file("C"))
    pair.run()
    pair.commit(a=file("One", deleted=True))
    assert pair.plan() == ["push archive a"]
    assert pair.run().is_clean
    assert set(pair.project.texts()) == {"b", "c"}
    assert pair.plan() == []
    pair.commit(a=file("One"))
    assert pair.plan() == ["push restore a"]
    assert pair.run().is_clean
    assert pair.project.texts()["a"] == "One"


@pytest.mark.parametrize("pair", ["current"], indirect=True)
class TestComingBack:
    @pytest.fixture
    def archived(self, pair: Pair) -> Pair:
        """`a` has two versions, is archived on the remote and deleted in git."""
        pair.commit(a=file("One"), b=file("B"), c=file("C"))
        pair.run()
        pair.commit(a=file("Two"))
        pair.run()
        pair.commit(a=file("Two", deleted=True))
        pair.run()
        assert "a" not in pair.project.texts()
        pair.project.writes.clear()
        return pair

    def test_id_and_history_live_on(self, archived: Pair) -> None:
        archived.commit(a=file("Two"))
        assert [found.note for found in archived.run().results] == ["version 2 on the remote"]
        assert archived.project.writes == [("unarchive", "a")]
        archived.commit(a=file("Three"))
        archived.run()
        assert [found.prompt for found in archived.project.prompts["a"]] == ["One", "Two", "Three"]

    def test_another_text_becomes_the_next_version(self, archived: Pair) -> None:
        archived.commit(a=file("Three"))
        assert archived.run().is_clean
        assert archived.project.writes == [("unarchive", "a"), ("publish", "a")]
        assert [found.prompt for found in archived.project.prompts["a"]] == ["One", "Two", "Three"]
        assert archived.plan() == []

    def test_an_older_server_makes_it_anew(self, archived: Pair) -> None:
        archived.project.unarchives = False
        archived.commit(a=file("Three"))
        assert archived.run().is_clean
        assert archived.project.writes == [("create", "a")]
        assert archived.plan() == []

    def test_a_text_that_nobody_knew_is_not_published_over(self, archived: Pair) -> None:
        archived.project.archived[-1][1][-1].prompt = "Edited before it was archived"
        archived.commit(a=file("Three"))
        (failed,) = archived.run().of("failed")
        assert "another text than was known" in failed.note
        assert archived.plan() == ["conflict settle a"]

    @pytest.mark.parametrize("side", ["git", "remote"])
    def test_an_edit_of_what_both_brought_back_goes_over(self, archived: Pair, side: str) -> None:
        archived.project.unarchive("a")
        archived.commit(a=file("Two" if side == "remote" else "Three"))
        if side == "remote":
            archived.project.edit("a", "Three")
        direction = "push" if side == "git" else "pull"
        assert archived.plan() == [f"{direction} update a"]
        assert archived.run().is_clean
        assert (archived.text("a"), archived.project.texts()["a"]) == ("Three", "Three")


def test_each_step_is_recorded_as_soon_as_it_is_done(pair: Pair) -> None:
    pair.commit(**{name: file(name) for name in "abcdef"})
    # The first call lists the prompts.
    pair.remote = MemoryRemote(pair.project, faults={5: "before"})
    with pytest.raises(RemoteUnreachableError):
        pair.run()
    assert pair.project.writes == [("create", name) for name in "abc"]
    pair.remote = MemoryRemote(pair.project)
    assert set(pair.compare().known) == {"a", "b", "c"}
    for name in "abc":
        pair.project.edit(name, f"{name}, edited there")
    assert pair.plan() == [
        *(f"pull update {name}" for name in "abc"),
        *(f"push create {name}" for name in "def"),
    ]


def test_what_is_gone_from_the_remote_stays_until_somebody_says_so(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"), c=file("C"))
    pair.run()
    pair.project.remove("a")
    (result,) = pair.run().results
    assert (result.outcome, "--allow-delete" in result.note) == ("held", True)
    assert pair.text("a") == "One"
    assert pair.run(allow_delete=True).is_clean
    assert pair.text("a") is None
    assert pair.store.get("a", deleted=True).prompt == "One"
    assert pair.plan() == []
    pair.project.edit("a", "Again")
    assert pair.plan() == ["pull restore a"]
    assert pair.run().is_clean
    assert pair.text("a") == "Again"


def test_a_removed_file_stays_on_the_remote_until_somebody_says_so(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"), c=file("C"))
    pair.run()
    pair.commit(a=None)
    assert [result.outcome for result in pair.run().results] == ["held"]
    assert "a" in pair.project.texts()
    assert pair.run(allow_delete=True).is_clean
    assert "a" not in pair.project.texts()


def test_when_a_third_vanishes_nothing_happens_without_a_yes(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"), c=file("C"))
    pair.run()
    pair.project.remove("a")
    pair.project.remove("b")
    with pytest.raises(MassDeletionError, match="2 of 3 prompts"):
        pair.run(allow_delete=True)
    assert pair.text("a") == "One"
    assert pair.run(allow_delete=True, confirmed=True).is_clean
    assert pair.store.snapshot().names() == ["a", "b", "c"]
    assert list(pair.store.snapshot()) == ["c"]


def test_an_empty_list_deletes_nothing(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"))
    pair.run()
    pair.project.prompts.clear()
    assert [result.outcome for result in pair.run().results] == ["held", "held"]
    assert list(pair.store.snapshot()) == ["a", "b"]


class TestConflicts:
    def test_nothing_happens_by_itself(self, torn: Pair) -> None:
        assert torn.plan() == ["conflict settle a"]
        report = torn.run()
        assert [(found.outcome, found.note) for found in report.results] == [
            (
                "conflict",
                "changed on both sides; settle it by `sync pull --prefer remote`, "
                "`sync push --prefer local` or `sync pull --branch NAME`",
            )
        ]
        assert (torn.text("a"), torn.project.texts()["a"]) == ("Ours", "Theirs")

    def test_the_remote_may_win(self, torn: Pair) -> None:
        assert torn.run(prefer="remote").is_clean
        assert (torn.text("a"), torn.project.texts()["a"]) == ("Theirs", "Theirs")
        assert torn.plan() == []

    def test_git_may_win_and_the_remotes_text_is_kept(self, torn: Pair) -> None:
        assert torn.run(prefer="local").is_clean
        assert (torn.text("a"), torn.project.texts()["a"]) == ("Ours", "Ours")
        state = "refs/promptstore/remotes/posthog"
        assert "prompt: Theirs" in torn.repo.git("log", "-p", state)
        assert torn.plan() == []

    def test_a_pull_that_prefers_git_leaves_a_push(self, torn: Pair) -> None:
        assert torn.run(prefer="local", directions=["pull"]).is_clean
        assert torn.plan() == ["push update a"]

    def test_a_branch_may_offer_the_remotes_side(self, torn: Pair) -> None:
        head = torn.repo.head()
        report = torn.run(branch="from-posthog")
        assert [found.outcome for found in report.results] == ["conflict"]
        assert torn.repo.head() == head
        assert "Theirs" in torn.repo.git("show", "from-posthog:prompts/a.yaml")
        assert torn.run(branch="from-posthog").results
        assert torn.repo.git("rev-list", "--count", f"{head}..from-posthog") == "1"
        assert torn.plan() == ["conflict settle a"]
        torn.repo.git("merge", "--quiet", "--strategy", "ours", "--no-edit", "from-posthog")
        torn.commit(a=file("Both"))
        assert torn.plan() == ["push update a"]
        assert torn.run().is_clean
        assert torn.project.texts()["a"] == "Both"

    def test_an_offer_that_was_worked_on_is_left_alone(self, torn: Pair) -> None:
        torn.run(branch="offer")
        torn.repo.git("switch", "--quiet", "offer")
        torn.commit(a=file("Both"))
        torn.repo.git("switch", "--quiet", "main")
        (result,) = torn.run(branch="offer").results
        assert result.note == "the remote's side is on the branch offer already"
        assert "Both" in torn.repo.git("show", "offer:prompts/a.yaml")
        torn.project.edit("a", "Theirs, later")
        torn.run(branch="offer")
        assert "Theirs, later" in torn.repo.git("show", "offer:prompts/a.yaml")

    def test_the_own_branch_is_no_branch_for_it(self, torn: Pair) -> None:
        with pytest.raises(InvalidArgumentError, match="name another one"):
            torn.run(branch="main")
        assert torn.text("a") == "Ours"

    def test_a_deletion_against_an_edit(self, pair: Pair) -> None:
        pair.commit(a=file("One"), b=file("B"), c=file("C"), d=file("D"))
        pair.run()
        pair.commit(a=file("One", deleted=True), b=file("B2"))
        pair.project.edit("a", "Theirs")
        pair.project.remove("b")
        assert pair.plan() == ["conflict settle a", "conflict settle b"]
        assert not pair.run(prefer="remote").is_clean
        assert pair.text("a") == "Theirs"
        assert pair.text("b") == "B2"
        assert pair.run(prefer="local").is_clean
        assert pair.project.texts()["b"] == "B2"
        assert pair.plan() == []

    def test_two_that_were_never_one(self, pair: Pair) -> None:
        pair.commit(a=file("Ours"))
        pair.project.edit("a", "Theirs")
        assert pair.plan() == ["conflict settle a"]
        assert pair.run(branch="theirs").of("conflict")
        assert "Theirs" in pair.repo.git("show", "theirs:prompts/a.yaml")
        assert pair.plan() == ["conflict settle a"]
        assert pair.run(prefer="local").is_clean
        assert pair.project.texts()["a"] == "Ours"


class TestMerges:
    def test_different_lines_are_merged(self, pair: Pair) -> None:
        pair.commit(a=file(LINES))
        pair.run()
        pair.commit(a=file(LINES.replace("one", "ONE"), tags=["kept"]))
        pair.project.edit("a", LINES.replace("five", "FIVE"))
        assert pair.run().is_clean
        both = LINES.replace("one", "ONE").replace("five", "FIVE")
        assert (pair.text("a"), pair.project.texts()["a"]) == (both, both)
        assert pair.store.get("a").tags == ("kept",)
        assert pair.plan() == []

    def test_no_git_program_is_needed(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        pair.commit(a=file(LINES))
        pair.run()
        pair.commit(a=file(LINES.replace("one", "ONE")))
        pair.project.edit("a", LINES.replace("five", "FIVE"))
        monkeypatch.setenv("PATH", "")
        (merged,) = pair.run(branch="theirs").results
        assert merged.note.startswith("merged")

    def test_a_pull_merges_and_leaves_a_push(self, pair: Pair) -> None:
        pair.commit(a=file(LINES))
        pair.run()
        pair.commit(a=file(LINES.replace("one", "ONE")))
        pair.project.edit("a", LINES.replace("five", "FIVE"))
        assert pair.run(directions=["push"]).of("conflict")
        assert pair.run(directions=["pull"]).is_clean
        assert pair.plan() == ["push update a"]

    def test_messages_are_merged_one_by_one(self, pair: Pair) -> None:
        def chat(system: str, user: str) -> str:
            return json.dumps(
                [{"role": "system", "content": system}, {"role": "user", "content": user}]
            )

        pair.project.edit("a", chat("S", "U"))
        pair.run()
        assert pair.store.get("a").is_chat
        ours = {"messages": json.loads(chat("S2", "U")), "template": "simple"}
        pair.commit(a=json.dumps(ours))
        pair.project.edit("a", chat("S", "U2"))
        assert pair.run().is_clean
        assert json.loads(pair.project.texts()["a"]) == json.loads(chat("S2", "U2"))

    @pytest.mark.parametrize("pair", ["current"], indirect=True)
    def test_configs_are_merged_key_by_key(self, pair: Pair) -> None:
        pair.commit(a=file("A", config={"x": 1, "y": 1}))
        pair.run()
        pair.commit(a=file("A", config={"x": 2, "y": 1}))
        pair.project.edit("a", "A", {"x": 1, "y": 3})
        assert pair.run().is_clean
        assert pair.store.get("a").config == {"x": 2, "y": 3}
        assert pair.project.prompts["a"][-1].config == {"x": 2, "y": 3}


@pytest.mark.parametrize("pair", ["legacy"], indirect=True)
def test_a_remote_without_configs_leaves_them_in_git(pair: Pair) -> None:
    pair.commit(a=file("A", config={"x": 1}))
    pair.run()
    pair.commit(a=file("A", config={"x": 2}))
    assert pair.plan() == []
    pair.project.edit("a", "B")
    assert pair.run().is_clean
    assert pair.store.get("a").config == {"x": 2}


def test_a_remote_that_moves_before_the_write_is_not_overwritten(pair: Pair) -> None:
    pair.commit(a=file("One"))
    pair.run()
    pair.commit(a=file("Ours"))
    sync = pair.sync
    seen = sync.compare()
    pair.project.edit("a", "Theirs")
    report = sync.apply(seen, SyncOptions())
    assert [result.outcome for result in report.results] == ["failed"]
    assert pair.project.texts()["a"] == "Theirs"


def test_an_uncommitted_edit_is_not_overwritten(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"))
    pair.run()
    pair.project.edit("a", "Theirs")
    pair.project.edit("b", "B2")
    edited = pair.repo.write("prompts/a.yaml", file("Not committed"))
    report = pair.run()
    assert [(found.step.name, found.outcome) for found in report.results] == [
        ("a", "failed"),
        ("b", "done"),
    ]
    assert "Not committed" in edited.read_text()


def test_what_cannot_go_out_is_refused_with_the_reason(pair: Pair) -> None:
    pair.commit(
        logic=json.dumps({"prompt": "{% if x %}y{% endif %}"}),
        broken="prompt: [",
        fine=file("x"),
    )
    comparison = pair.compare()
    assert pair.plan() == ["push create fine"]
    assert set(comparison.refused) == {"logic", "broken"}
    assert "--as-source" in comparison.refused["logic"]


def test_a_template_with_logic_goes_out_as_source(pair: Pair) -> None:
    pair.rules = SyncRules(as_source=True)
    source = "{% if x %}y{% endif %}"
    pair.commit(logic=json.dumps({"prompt": source}))
    assert pair.run().is_clean
    assert pair.project.texts() == {"logic": source}
    pair.project.edit("logic", source + "!")
    assert pair.run().is_clean
    assert pair.store.get("logic").render(x=1).text == "y!"


def test_each_name_has_its_own_there_and_comes_back(pair: Pair) -> None:
    names = {"a/b": "a__b", "a__b": "-a_u_ub", "v1.2": "-v1_d2", "new": "-new"}
    pair.repo.commit({f"prompts/{name}.yaml": file(name) for name in names})
    assert pair.run().is_clean
    assert pair.project.texts() == {text: name for name, text in names.items()}
    assert pair.plan() == []
    pair.project.edit("-v1_d2", "Edited there")
    assert pair.plan() == ["pull update v1.2"]


def test_a_name_that_is_given_there_counts(pair: Pair) -> None:
    pair.rules = SyncRules(names={"team/old": "legacy"})
    pair.commit(team__old=file("1"), legacy=file("2"))
    assert pair.plan() == ["push create team/old"]
    assert "it would come back as 'team/old'" in pair.compare().refused["legacy"]
    assert pair.run().is_clean
    assert pair.project.texts() == {"legacy": "1"}


def test_only_some_prompts(pair: Pair) -> None:
    pair.commit(support__a=file("A"), other=file("O"))
    pair.project.edit("support__b", "B")
    pair.project.edit("stranger", "S")
    pair.rules = SyncRules(only=("support/*",))
    assert pair.run().is_clean
    assert set(pair.project.texts()) == {"support__a", "support__b", "stranger"}
    assert pair.store.names() == ["other", "support/a", "support/b"]


def test_what_was_archived_and_made_anew_there_is_followed(pair: Pair) -> None:
    pair.commit(a=file("One"))
    pair.run()
    for number in range(2, 9):
        pair.project.edit("a", f"Version {number}")
    assert pair.run().is_clean
    assert pair.text("a") == "Version 8"
    pair.project.remove("a")
    pair.project.edit("a", "Anew")
    assert pair.plan() == ["pull update a"]
    assert pair.run().is_clean
    pair.commit(a=file("Ours"))
    assert pair.run().is_clean
    assert pair.project.texts()["a"] == "Ours"
    pair.project.remove("a")
    pair.project.edit("a", "Ours")
    assert pair.run().results == []
    assert pair.compare().agreed == {}


def test_a_renamed_file_is_a_new_prompt_and_the_old_one_waits(pair: Pair) -> None:
    pair.commit(a=file("One"), b=file("B"), c=file("C"))
    pair.run()
    pair.repo.git("mv", "prompts/a.yaml", "prompts/renamed.yaml")
    pair.repo.git("commit", "--quiet", "--message", "Rename")
    assert pair.plan() == ["push archive a", "push create renamed"]
    assert [found.outcome for found in pair.run().results] == ["held", "done"]
    assert set(pair.project.texts()) == {"a", "b", "c", "renamed"}


def test_a_lost_answer_is_looked_after(pair: Pair) -> None:
    pair.commit(a=file("A"))
    remote = MemoryRemote(pair.project, faults={2: "after"})
    pair.remote = remote
    assert pair.run().is_clean
    assert pair.project.writes == [("create", "a")]
    remote.faults = {remote.calls + 2: "before"}
    pair.commit(b=file("B"))
    with pytest.raises(RemoteUnreachableError):
        pair.run()
    assert pair.run().is_clean
    assert pair.project.writes == [("create", "a"), ("create", "b")]


def test_a_lost_answer_to_an_archive_is_looked_after_in_the_list(pair: Pair) -> None:
    pair.commit(a=file("A"), b=file("B"), c=file("C"), d=file("D"))
    pair.run()
    pair.commit(a=file("A", deleted=True))
    comparison = pair.compare()
    pair.remote = MemoryRemote(pair.project, faults={2: "after"})
    assert pair.sync.apply(comparison, SyncOptions()).is_clean
    pair.commit(b=file("B", deleted=True))
    comparison = pair.compare()
    pair.remote = MemoryRemote(pair.project, faults={2: "before"})
    with pytest.raises(RemoteUnreachableError):
        pair.sync.apply(comparison, SyncOptions())
    pair.remote = MemoryRemote(pair.project)
    assert pair.plan() == ["push archive b"]


@pytest.mark.parametrize("side", ["git", "remote"])
def test_what_no_file_can_keep_is_refused_before_anything_is_written(pair: Pair, side: str) -> None:
    """As a block of YAML, each line has two spaces more than as JSON."""
    if side == "remote":
        pair.project.edit("a", "x\n" * 333_000)
    else:
        # This fits into a file by itself, but not with the facts that the state adds.
        text = "template: simple\nprompt: |\n" + "  xxxxxxxxx\n" * 87_300
        pair.commit(a=text)
    assert pair.plan() == []
    assert "1,048,576" in pair.compare().refused["a"]
    assert pair.run().results == []


def test_other_json_than_text_comes_in_as_messages_or_as_its_json(pair: Pair) -> None:
    messages = [{"role": "user", "content": "Hi {{name}}"}]
    pair.project.edit("chat", messages)
    pair.project.edit("object", {"x": [1, None]})
    assert pair.run().is_clean
    assert pair.store.get("chat").is_chat
    assert json.loads(pair.store.get("object").prompt or "") == {"x": [1, None]}
    assert pair.plan() == []


def test_without_a_name_for_git_nothing_is_begun(pair: Pair) -> None:
    pair.commit(a=file("A"))
    pair.repo.git("config", "--unset", "user.name")
    assert pair.plan() == ["push create a"]
    with pytest.raises(RepositoryError, match="git does not know who you are"):
        pair.run()
    assert pair.project.writes == []


def test_a_rule_that_changed_deletes_nothing(pair: Pair) -> None:
    pair.commit(team__a=file("A"), b=file("B"), c=file("C"), d=file("D"))
    pair.run()
    pair.rules = SyncRules(names={"team/a": "team-a"})
    (failed,) = pair.run(allow_delete=True).of("failed")
    assert failed.step.name == "team/a"
    assert "it is on the remote after all" in failed.note
    assert pair.text("team/a") == "A"
    assert "team__a" in pair.project.texts()


def test_a_shallow_clone_can_be_synced(pair: Pair) -> None:
    pair.commit(a=file("A"), b=file("B"))
    pair.run()
    clone = configure(pair.repo.clone(pair.repo.path.parent / "shallow", "--depth=1"))
    clone.git("fetch", "--quiet", "origin", "refs/promptstore/*:refs/promptstore/*")
    pair.project.edit("a", "A2")
    clone.commit({"prompts/b.yaml": file("B2")})
    shallow = replace(pair, repo=clone, store=PromptStore.open(clone.path))
    assert sorted(found.note for found in shallow.run().of("done")) == [
        "committed to git",
        f"version {pair.project.prompts['b'][-1].number} on the remote",
    ]
    assert shallow.plan() == []
