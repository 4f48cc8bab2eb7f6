"""Several branches and several machines: what one of them has seen, another may not have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.sync.conftest import Pair, begin, file
from tests.writing.conftest import configure

STATE = "refs/promptstore/remotes/posthog"


@pytest.fixture
def pair(repo: GitRepo, request: pytest.FixtureRequest) -> Pair:
    """An empty store and remote; the dialect matters only where a test says so."""
    return begin(repo, getattr(request, "param", "current"))


in_both_dialects = pytest.mark.parametrize("pair", ["legacy", "current"], indirect=True)


@pytest.fixture
def old(pair: Pair) -> Pair:
    """`main` pulled the remote's change of `a`; the branch `old`, now checked out, did not."""
    pair.commit(a=file("One"), b=file("B"), c=file("C"))
    pair.run()
    pair.repo.git("branch", "old")
    pair.project.edit("a", "Theirs")
    pair.run()
    pair.repo.git("switch", "--quiet", "old")
    return pair


class TestABranchThatIsBehind:
    def test_it_does_not_take_the_remotes_change_back(self, old: Pair) -> None:
        assert old.plan() == ["pull update a"]
        assert old.run().is_clean
        assert old.text("a") == "Theirs"
        assert old.project.writes == []
        old.repo.git("switch", "--quiet", "main")
        assert old.plan() == []

    def test_an_edit_on_it_is_a_conflict(self, old: Pair) -> None:
        old.commit(a=file("Ours"))
        assert old.plan() == ["conflict settle a"]

    def test_an_edit_on_it_is_merged_by_its_own_base(self, pair: Pair) -> None:
        lines = "one\n\n\n\n\ntwo\n"
        pair.commit(a=file(lines))
        pair.run()
        pair.repo.git("branch", "old")
        pair.project.edit("a", lines.replace("one", "ONE"))
        pair.run()
        pair.repo.git("switch", "--quiet", "old")
        pair.commit(a=file(lines.replace("two", "TWO")))
        assert pair.run().is_clean
        assert pair.text("a") == pair.project.texts()["a"] == lines.upper()

    def test_what_it_lacks_is_not_archived_but_pulled(self, old: Pair) -> None:
        old.repo.git("switch", "--quiet", "main")
        old.project.edit("fresh", "New")
        old.run()
        old.repo.git("switch", "--quiet", "old")
        assert old.plan() == ["pull update a", "pull create fresh"]

    def test_what_is_gone_from_the_remote_is_not_made_anew(self, old: Pair) -> None:
        old.repo.git("switch", "--quiet", "main")
        old.project.remove("b")
        old.run(allow_delete=True)
        old.repo.git("switch", "--quiet", "old")
        assert old.plan() == ["pull update a", "pull archive b"]
        old.commit(b=file("Edited"))
        assert old.plan() == ["pull update a", "conflict settle b"]

    def test_a_remote_that_went_back_to_an_old_text_is_followed(self, old: Pair) -> None:
        old.run()
        old.repo.git("switch", "--quiet", "main")
        old.project.edit("a", "One")
        old.run()
        old.repo.git("switch", "--quiet", "old")
        assert old.text("a") == "Theirs"
        assert old.plan() == ["pull update a"]

    @in_both_dialects
    def test_a_remote_that_went_back_to_what_was_pulled_before_is_followed(
        self, pair: Pair
    ) -> None:
        pair.commit(a=file("One"))
        pair.run()
        for text in ("Theirs", "Later"):
            pair.project.edit("a", text)
            pair.run()
        pair.repo.git("branch", "old")
        pair.project.edit("a", "Theirs")
        pair.run()
        pair.repo.git("switch", "--quiet", "old")
        assert pair.text("a") == "Later"
        assert pair.plan() == ["pull update a"]

    def test_a_shallow_clone_is_taken_at_its_word(self, pair: Pair) -> None:
        pair.commit(a=file("One"))
        pair.project.edit("b", "B")
        pair.run()
        clone = configure(pair.repo.clone(pair.repo.path.parent / "shallow", "--depth=1"))
        clone.git("fetch", "--quiet", "origin", "refs/promptstore/*:refs/promptstore/*")
        clone.commit({"prompts/b.yaml": file("B2")})
        shallow = replace(pair, repo=clone, store=PromptStore.open(clone.path))
        assert shallow.plan() == ["push update b"]


def merged(repo: GitRepo, branch: str) -> None:
    repo.git("merge", "--quiet", "--no-edit", branch)


def squashed(repo: GitRepo, branch: str) -> None:
    repo.git("merge", "--quiet", "--squash", branch)
    repo.git("commit", "--quiet", "--no-edit")


def squashed_without_a_word(repo: GitRepo, branch: str) -> None:
    repo.git("merge", "--quiet", "--squash", branch)
    repo.git("commit", "--quiet", "--message", "Take it in")


def picked(repo: GitRepo, branch: str) -> None:
    repo.git("cherry-pick", f"main..{branch}")


Bring = Callable[[GitRepo, str], None]
WAYS = [merged, squashed, squashed_without_a_word, picked]


@in_both_dialects
@pytest.mark.parametrize("bring", WAYS)
def test_a_pull_on_a_branch_counts_on_main_however_it_came_there(pair: Pair, bring: Bring) -> None:
    pair.commit(a=file("One"))
    pair.run()
    pair.repo.git("switch", "--quiet", "--create", "work")
    pair.project.edit("a", "Theirs")
    pair.run()
    pair.repo.git("switch", "--quiet", "main")
    pair.commit(other=file("x"))
    bring(pair.repo, "work")
    pair.commit(a=file("Ours, later"))
    assert pair.plan() == ["push update a", "push create other"]
    assert pair.run().is_clean
    assert pair.project.texts()["a"] == "Ours, later"


@in_both_dialects
class TestOffers:
    @pytest.fixture
    def offered(self, torn: Pair) -> Pair:
        """Both sides changed `a`, and the branch `offer` holds the remote's side."""
        torn.run(branch="offer")
        assert torn.plan() == ["conflict settle a"]
        return torn

    @pytest.mark.parametrize("bring", WAYS)
    def test_what_is_taken_as_it_is_needs_no_push(self, offered: Pair, bring: Bring) -> None:
        bring(offered.repo, "offer")
        assert offered.text("a") == "Theirs"
        assert offered.plan() == []
        offered.commit(a=file("Later"))
        assert offered.plan() == ["push update a"]

    @pytest.mark.parametrize("bring", [merged, squashed, picked])
    def test_what_was_settled_on_the_branch_is_pushed(self, offered: Pair, bring: Bring) -> None:
        offered.repo.git("switch", "--quiet", "offer")
        offered.commit(a=file("Both"))
        offered.repo.git("switch", "--quiet", "main")
        bring(offered.repo, "offer")
        assert offered.plan() == ["push update a"]
        assert offered.run().is_clean
        assert offered.project.texts()["a"] == "Both"

    def test_a_newer_change_of_the_remote_is_not_settled_by_it(self, offered: Pair) -> None:
        squashed(offered.repo, "offer")
        offered.commit(a=file("Both"))
        offered.project.edit("a", "Theirs, later")
        assert offered.plan() == ["conflict settle a"]

    def test_an_offer_that_is_not_merged_settles_nothing(self, offered: Pair) -> None:
        offered.commit(a=file("Ours, later"))
        assert offered.plan() == ["conflict settle a"]


class TestTwoMachines:
    @pytest.fixture
    def machines(self, pair: Pair) -> tuple[Pair, Pair]:
        """Two clones of one repository, in step with one remote."""
        pair.commit(a=file("A"), b=file("B"))
        pair.run()
        bare = pair.repo.clone(pair.repo.path.parent / "origin", "--mirror")
        found = []
        for name in ("one", "two"):
            clone = configure(bare.clone(pair.repo.path.parent / name))
            clone.git("fetch", "--quiet", "origin", f"{STATE}:{STATE}")
            found.append(replace(pair, repo=clone, store=PromptStore.open(clone.path)))
        return found[0], found[1]

    def share(self, pair: Pair) -> None:
        """Push, as the README says."""
        pair.repo.git("push", "--quiet", "origin", "HEAD", "refs/promptstore/remotes/*")

    def take(self, pair: Pair) -> None:
        """Fetch, as the README says."""
        fetched = "+refs/promptstore/remotes/*:refs/promptstore/fetched/*"
        pair.repo.git("fetch", "--quiet", "origin", fetched)
        pair.repo.git("pull", "--quiet", "--no-edit", "--no-rebase", "origin", "main")

    def test_one_takes_up_what_the_other_did(self, machines: tuple[Pair, Pair]) -> None:
        one, two = machines
        one.project.edit("a", "A2")
        assert one.run().is_clean
        self.share(one)
        assert two.plan() == ["pull update a"]
        self.take(two)
        assert two.plan() == []
        two.run()
        assert two.repo.git("rev-parse", STATE) == one.repo.git("rev-parse", STATE)
        assert two.repo.git("cat-file", "-p", STATE).count("parent") == 1

    def test_what_both_recorded_apart_is_joined(self, machines: tuple[Pair, Pair]) -> None:
        one, two = machines
        one.project.edit("a", "A2")
        one.run()
        self.share(one)
        two.commit(b=file("B2"), c=file("C"))
        assert two.run(directions=["push"]).is_clean
        self.take(two)
        assert two.plan() == []
        assert two.run().results == []
        assert two.repo.git("cat-file", "-p", STATE).count("parent ") == 2
        self.share(two)
        self.take(one)
        assert one.plan() == []
        one.project.edit("a", "A3")
        one.project.edit("b", "B3")
        one.project.edit("c", "C3")
        assert one.plan() == ["pull update a", "pull update b", "pull update c"]

    @in_both_dialects
    def test_the_newer_version_counts_where_both_moved_one(
        self, machines: tuple[Pair, Pair]
    ) -> None:
        one, two = machines
        one.project.edit("a", "A2")
        one.run()
        one.project.edit("a", "A3")
        two.run()
        self.share(two)
        one.repo.git("fetch", "--quiet", "origin", f"+{STATE}:refs/promptstore/fetched/posthog")
        assert one.plan() == ["pull update a"]
        one.run()
        assert "prompt: A3" in one.repo.git("show", f"{STATE}:prompts/a.yaml")

    def test_a_shallow_fetch_of_the_state_tells_all_ids_and_versions(self, pair: Pair) -> None:
        pair.commit(a=file("A"), b=file("B"))
        pair.run()
        pair.project.edit("a", "A2")
        pair.run()
        clone = configure(pair.repo.clone(pair.repo.path.parent / "fresh"))
        clone.git("fetch", "--quiet", "--depth=1", "origin", f"{STATE}:{STATE}")
        assert clone.git("rev-list", "--count", STATE) == "1"
        fresh = replace(pair, repo=clone, store=PromptStore.open(clone.path))
        known = fresh.compare().known
        rows = {name: pair.project.row(name) for name in ("a", "b")}
        assert {name: (held.id, held.version) for name, held in known.items()} == {
            name: (row["id"], row["version"]) for name, row in rows.items()
        }
        assert fresh.plan() == []
        fresh.project.edit("b", "B2")
        assert fresh.run().is_clean
        assert fresh.text("b") == "B2"
