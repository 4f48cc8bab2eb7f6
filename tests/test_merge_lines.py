"""Lines are merged as the git program merges them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.compare.lines import MergedLines, merge_lines, merge_texts

BASE = [f"line {number}\n" for number in range(8)]

edits = st.dictionaries(
    st.integers(0, len(BASE)), st.sampled_from([(1, 0), (0, 1), (1, 1), (1, 2), (2, 1)]), max_size=4
)


def edited(steps: dict[int, tuple[int, int]], mark: str) -> bytes:
    """Take lines out and put new ones in, none of which is like another."""
    lines: list[str] = []
    place = 0
    for start, (removed, added) in sorted(steps.items()):
        if start < place:
            continue
        lines += BASE[place:start]
        lines += [f"{mark} {start} {number}\n" for number in range(added)]
        place = start + removed
    return "".join([*lines, *BASE[place:]]).encode()


def merged_by_git(folder: Path, base: bytes, ours: bytes, theirs: bytes) -> MergedLines:
    names = ("ours", "base", "theirs")
    for name, data in zip(names, (ours, base, theirs), strict=True):
        (folder / name).write_bytes(data)
    titles = [word for name in names for word in ("-L", name)]
    done = subprocess.run(
        ["git", "merge-file", "-p", *titles, *names], cwd=folder, capture_output=True, check=False
    )
    return MergedLines(done.stdout, is_clean=done.returncode == 0)


@given(ours=edits, theirs=edits)
def test_what_git_merges_is_merged_alike(
    tmp_path_factory: pytest.TempPathFactory,
    ours: dict[int, tuple[int, int]],
    theirs: dict[int, tuple[int, int]],
) -> None:
    base, one, other = "".join(BASE).encode(), edited(ours, "ours"), edited(theirs, "theirs")
    by_git = merged_by_git(tmp_path_factory.mktemp("merge"), base, one, other)
    merged = merge_lines(base, one, other)
    assert merged.is_clean == by_git.is_clean
    if merged.is_clean:
        assert merged.data == by_git.data


def test_a_conflict_is_marked_as_git_marks_it(tmp_path: Path) -> None:
    base, ours, theirs = b"a\nb\nc\nd\n", b"a\nX\nc\nD", b"a\nY\nc\nd\n"
    wanted = b"a\n<<<<<<< ours\nX\n=======\nY\n>>>>>>> theirs\nc\nD"
    assert merge_lines(base, ours, theirs) == MergedLines(wanted, is_clean=False)
    assert merged_by_git(tmp_path, base, ours, theirs) == MergedLines(wanted, is_clean=False)


def test_markers_are_as_long_as_asked() -> None:
    merged = merge_lines(b"a", b"b\0", b"c", marker_size=3)
    assert merged.data == b"<<< ours\nb\0\n===\nc\n>>> theirs\n"


def test_texts() -> None:
    assert merge_texts("a\nb\nc\nd", "A\nb\nc\nd", "a\nb\nc\nD") == "A\nb\nc\nD"
    assert merge_texts("a", "b", "c") is None
