"""Comparing and merging sequences: right for every one, never for long, as git does it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptstore.compare.diff import diff_prompts
from promptstore.compare.merge import merge_messages
from promptstore.compare.sequences import compare_words, merge_lines, opcodes, unified
from promptstore.model.parts import Message
from promptstore.model.prompt import Prompt

WORDS = st.lists(st.sampled_from("abc"), max_size=12)
LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\r\n"]), max_size=12).map("".join)


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


REPEATED = {
    "one line a hundred thousand times": (["x"] * 100_000, ["y", *["x"] * 99_000, "z"]),
    "two lines by turns": (["x", "y"] * 5_000, ["y", "x"] * 5_000),
    "a few lines in another order": (["a", "b", "c", "b"] * 10_000, ["b", "a", "c"] * 12_000),
    "everything the other way round": (
        [*map(str, range(50_000))],
        [*map(str, range(50_000))][::-1],
    ),
}


@pytest.mark.parametrize(("old", "new"), REPEATED.values(), ids=list(REPEATED))
def test_no_sequences_take_long(old: list[str], new: list[str]) -> None:
    began = time.process_time()
    steps = opcodes(old, new)
    unified("\n".join(old), "\n".join(new))
    compare_words("\n".join(old), "\n".join(new))
    assert time.process_time() - began < 2
    assert [item for _, _, _, j1, j2 in steps for item in new[j1:j2]] == new


def test_messages_in_reverse_are_compared_and_merged_soon() -> None:
    messages = tuple(Message("user", f"Message {number}") for number in range(9_900))
    plain = [{"role": "user", "content": message.content} for message in messages]
    began = time.process_time()
    found = diff_prompts(Prompt(messages=messages), Prompt(messages=messages[::-1]))
    merged = merge_messages(plain, plain[::-1], plain)
    assert time.process_time() - began < 2
    assert len(found.changes) == 9_899
    assert found.texts == ()
    assert merged == plain[::-1]


def git_merges(folder: Path, base: bytes, ours: bytes, theirs: bytes) -> tuple[int, bytes]:
    for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
        (folder / name).write_bytes(data)
    done = subprocess.run(
        ["git", "merge-file", "-p", "-q", "ours", "base", "theirs"],
        cwd=folder, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@settings(
    max_examples=settings().max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(LINES, LINES, LINES)
def test_lines_are_merged_as_git_merges_them(
    tmp_path: Path, base: str, ours: str, theirs: str
) -> None:
    sides = (base.encode(), ours.encode(), theirs.encode())
    conflicts, written = git_merges(tmp_path, *sides)
    merged = merge_lines(*sides)
    assert merged.is_clean == (conflicts == 0)
    if merged.is_clean:
        assert merged.data == written


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param(b"a\nb\nc\n", b"a\nx\nc\n", b"a\ny\nc\n", id="one line"),
        pytest.param(b"a\nb", b"a\nx", b"a\ny", id="no last line end"),
        pytest.param(b"a\r\nb\r\n", b"a\r\nx\r\n", b"a\r\ny\r\n", id="line ends of windows"),
        pytest.param(b"", b"same\nx\n", b"same\ny\n", id="what both added is outside"),
    ],
)
def test_a_conflict_is_marked_as_git_marks_it(
    tmp_path: Path, base: bytes, ours: bytes, theirs: bytes
) -> None:
    assert merge_lines(base, ours, theirs) == (git_merges(tmp_path, base, ours, theirs)[1], False)


def test_a_marker_can_be_longer() -> None:
    merged = merge_lines(b"a\n", b"b\n", b"c\n", marker_size=9)
    assert merged.data.startswith(b"<<<<<<<<< ours\n")
