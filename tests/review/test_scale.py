"""A thousand prompts: how long they take, and what a range reads of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import pytest

from promptstore.lint.check import Settings, check
from promptstore.lint.context import LintContext
from promptstore.review.drafts import check_changes
from promptstore.review.ranges import compare
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore
from tests.counting import CountingSnapshot
from tests.gitrepo import GitRepo

ROOT = Path(__file__).parents[2] / "prompts"


def thousand() -> dict[str, str | bytes | None]:
    """This repository's prompts a hundred times over, each its own."""
    files: dict[str, str | bytes | None] = {}
    for number in range(100):
        for path in ROOT.rglob("*.yaml"):
            name = path.relative_to(ROOT).as_posix()
            text = path.read_text(encoding="utf-8").replace("You ", f"You {number} ")
            files[f"prompts/{name}" if number == 0 else f"prompts/team{number}/{name}"] = text
    return files


def test_a_range_of_very_many_prompts_reads_each_but_twice(repo: GitRepo) -> None:
    root = repo.commit({"prompts/first.yaml": "prompt: x\n"})
    repo.commit(dict([*thousand().items()][:150]))
    store = PromptStore.open(repo.path)
    before, after = CountingSnapshot(store.snapshot(root)), CountingSnapshot(store.snapshot())
    found = compare(cast("Snapshot", before), cast("Snapshot", after))
    check_changes(store, cast("Snapshot", before), cast("Snapshot", after), found)
    assert len(found.changes) == 150
    # Once by the comparison and once by the check.
    assert max(after.reads.values()) == 2
    assert max(before.reads.values(), default=0) <= 1


def test_the_way_to_a_changed_include_is_the_shortest(repo: GitRepo) -> None:
    files: dict[str, str | bytes | None] = {
        "prompts/tone.yaml": "prompt: Be kind.\n",
        "prompts/a.yaml": "prompt: \"{% include 'tone' %}\"\n",
        "prompts/b.yaml": "prompt: \"{% include 'a' %}\"\n",
        "prompts/c.yaml": "prompt: \"{% include 'b' %}{% include 'tone' %}\"\n",
    }
    base = repo.commit(files)
    repo.commit({"prompts/tone.yaml": "prompt: Be brief.\n"})
    store = PromptStore.open(repo.path)
    ways = {
        change.name: change.via
        for change in compare(store.snapshot(base), store.snapshot()).changes
    }
    assert ways == {"tone": (), "a": ("a", "tone"), "b": ("b", "a", "tone"), "c": ("c", "tone")}


@pytest.mark.slow
def test_a_thousand_prompts_in_seconds(repo: GitRepo) -> None:
    files = thousand()
    base = repo.commit(files)
    path = "prompts/team7/translate.yaml"
    repo.commit({path: str(files[path]).replace("Keep", "Hold")})
    store = PromptStore.open(repo.path)
    began = time.perf_counter()
    check(LintContext(store.snapshot(), Settings()))
    whole = time.perf_counter() - began
    began = time.perf_counter()
    (change,) = compare(store.snapshot(base), store.snapshot()).changes
    part = time.perf_counter() - began
    assert change.name == "team7/translate"
    assert whole < 15
    assert part < whole / 2
