"""Labels go both ways, and are taken off only where both sides had them."""

from __future__ import annotations

import pytest

from promptstore.posthog.sync import SyncOptions
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo
from tests.sync.conftest import Pair, begin, file


@pytest.fixture
def pair(repo: GitRepo) -> Pair:
    """`a` and `b`, each at version 2 on both sides, without labels; one dialect alone has them."""
    pair = begin(repo, "current")
    for number in (1, 2):
        pair.commit(a=file(f"A{number}"), b=file(f"B{number}"))
        pair.run()
    return pair


def bring(pair: Pair, **options: object) -> list[str]:
    """Bring labels over, by default in both directions, and give what came of it."""
    results = pair.sync.bring_labels(SyncOptions(**options))  # type: ignore[arg-type]
    return [f"{found.outcome}: {found.step.name}: {found.note}" for found in results]


def here(pair: Pair) -> dict[tuple[str, str], int]:
    """Give the versions in git by prompt and label."""
    return {
        (name, label): target.version
        for label, targets in pair.store.labels().targets.items()
        for name, target in targets.items()
    }


def test_a_label_goes_to_the_other_side_and_moves_there(pair: Pair) -> None:
    pair.store.set_label("a", "production", version=1)
    pair.project.label("b", "staging", 2)
    assert bring(pair) == [
        "done: production of a: version 1 on the remote",
        "done: staging of b: version 2 in git",
    ]
    assert bring(pair) == []
    pair.store.set_label("a", "production", version=2)
    pair.project.label("b", "staging", 1)
    assert len(bring(pair)) == 2
    assert pair.project.labels == {("a", "production"): 2, ("b", "staging"): 1}
    assert here(pair) == pair.project.labels


@pytest.mark.parametrize("side", ["git", "remote"])
def test_a_label_that_was_taken_off_is_taken_off_there_too(pair: Pair, side: str) -> None:
    pair.store.set_label("a", "production", version=1)
    bring(pair)
    if side == "git":
        pair.store.remove_label("a", "production")
        assert bring(pair) == ["done: production of a: taken off on the remote"]
    else:
        pair.project.remove_label("a", "production")
        assert bring(pair) == ["done: production of a: taken off in git"]
    assert (here(pair), pair.project.labels) == ({}, {})
    assert bring(pair) == []


def test_without_a_base_nothing_is_taken_off(pair: Pair) -> None:
    pair.store.set_label("a", "production", version=1)
    assert bring(pair, directions=["pull"]) == []
    assert here(pair) == {("a", "production"): 1}
    pair.project.label("b", "staging", 1)
    bring(pair, directions=["push"])
    assert pair.project.labels == {("b", "staging"): 1, ("a", "production"): 1}


def test_a_label_that_both_moved_is_a_conflict(pair: Pair) -> None:
    pair.commit(a=file("A3"))
    pair.run()
    pair.store.set_label("a", "production", version=1)
    bring(pair)
    pair.store.set_label("a", "production", version=2)
    pair.project.label("a", "production", 3)
    (told,) = bring(pair)
    assert told.startswith("conflict: production of a: changed on both sides; `--prefer local`")
    assert here(pair) == {("a", "production"): 2}
    assert bring(pair, prefer="remote") == ["done: production of a: version 3 in git"]
    assert bring(pair) == []


def test_what_both_moved_alike_is_only_noted(pair: Pair) -> None:
    pair.store.set_label("a", "production", version=1)
    pair.project.label("a", "production", 1)
    assert bring(pair) == []
    pair.project.remove_label("a", "production")
    assert bring(pair) == ["done: production of a: taken off in git"]


def test_a_version_that_the_other_side_never_had_is_told(pair: Pair) -> None:
    pair.commit(a=file("Never pushed"))
    pair.commit(a=file("A3"))
    pair.project.edit("b", "Never pulled")
    pair.project.edit("b", "B4")
    pair.run()
    pair.store.set_label("a", "production", version=3)
    pair.project.label("b", "staging", 3)
    assert bring(pair) == [
        "held: production of a: its version was never on the remote",
        "held: staging of b: its version was never in git",
    ]


def test_a_version_that_the_state_does_not_know_is_asked_for(pair: Pair) -> None:
    pair.commit(b=file("Between"))
    pair.project.edit("b", "Between")
    pair.project.edit("b", "B4")
    pair.commit(b=file("B4"))
    pair.run()
    pair.project.label("b", "staging", 3)
    assert bring(pair) == ["done: staging of b: version 3 in git"]
    assert pair.store.get("b", label="staging").prompt == "Between"


def test_a_version_from_before_an_archive_is_found_where_it_lives_on(pair: Pair) -> None:
    for deleted in (True, False):
        pair.commit(a=file("A2", **({"deleted": True} if deleted else {})))
        pair.run(confirmed=True)
    pair.store.set_label("a", "production", version=1)
    assert bring(pair) == ["done: production of a: version 1 on the remote"]


def test_a_version_from_before_a_new_beginning_is_no_more(pair: Pair) -> None:
    pair.project.unarchives = False
    pair.commit(a=file("A2", deleted=True))
    pair.run(confirmed=True)
    for text in ("Another", "A2"):
        pair.commit(a=file(text))
        pair.run()
    pair.store.set_label("a", "production", version=1)
    assert bring(pair) == ["held: production of a: its version was never on the remote"]
    assert pair.project.labels == {}


def test_the_labels_survive_edits_and_travel_with_the_state(pair: Pair) -> None:
    pair.store.set_label("a", "production", version=1)
    bring(pair)
    pair.commit(a=file("A3"))
    pair.run()
    pair.project.edit("a", "A4")
    pair.run()
    again = PromptStore.open(pair.repo.path)
    again.remove_label("a", "production")
    assert bring(pair) == ["done: production of a: taken off on the remote"]
