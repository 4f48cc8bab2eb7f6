"""Comparing sequences: what difflib says, and never for long."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from promptstore.compare.sequences import opcodes

WORDS = st.lists(st.sampled_from("abc"), max_size=12)


@given(WORDS, WORDS)
def test_the_steps_make_the_new_of_the_old(old: list[str], new: list[str]) -> None:
    steps = opcodes(old, new)
    rebuilt: list[str] = []
    for tag, i1, i2, j1, j2 in steps:
        assert (tag == "equal") == (old[i1:i2] == new[j1:j2])
        assert (tag == "insert") == (i1 == i2)
        assert (tag == "delete") == (j1 == j2)
        rebuilt += new[j1:j2]
    assert rebuilt == new
    assert [item for _, i1, i2, _, _ in steps for item in old[i1:i2]] == old


def test_what_stayed_between_two_changes_is_found() -> None:
    assert opcodes("axbxc", "aybyc") == [
        ("equal", 0, 1, 0, 1),
        ("replace", 1, 2, 1, 2),
        ("equal", 2, 3, 2, 3),
        ("replace", 3, 4, 3, 4),
        ("equal", 4, 5, 4, 5),
    ]


def test_one_item_a_hundred_thousand_times() -> None:
    old, new = ["x"] * 100_000, ["y", *["x"] * 99_000, "z"]
    began = time.perf_counter()
    assert opcodes(old, new) == [("replace", 0, 100_000, 0, 99_002)]
    assert time.perf_counter() - began < 2
