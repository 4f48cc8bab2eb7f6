"""A thousand prompts: how long they take, and what a range reads of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from promptstore.lint.check import check
from promptstore.review import compare
from promptstore.store.store import PromptStore
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


@pytest.mark.slow
def test_a_thousand_prompts_in_seconds(repo: GitRepo) -> None:
    files = thousand()
    base = repo.commit(files)
    path = "prompts/team7/translate.yaml"
    repo.commit({path: str(files[path]).replace("Keep", "Hold")})
    store = PromptStore.open(repo.path)
    began = time.perf_counter()
    check(store.snapshot())
    whole = time.perf_counter() - began
    began = time.perf_counter()
    (change,) = compare(store.snapshot(base), store.snapshot()).changes
    part = time.perf_counter() - began
    assert change.name == "team7/translate"
    assert whole < 15
    assert part < whole / 2
