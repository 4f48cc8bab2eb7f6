"""The diff driver and the merge driver, run by the real git."""

from __future__ import annotations

import sys

import pytest

from promptstore.compare.merge import Sides, merge_files
from promptstore.promptfile.reader import loads
from tests.gitrepo import GitRepo

COMMAND = f"{sys.executable} -m promptstore"
BASE = """\
description: Answer a ticket.
variables:
  ticket: {type: string}
messages:
  - role: system
    content: |
      Be kind.
      Be brief.
      Name the product.
  - role: user
    content: |
      {{ ticket }}
config:
  model: one
  temperature: 0
tags: [support]
"""


def replaced(*pairs: tuple[str, str]) -> str:
    text = BASE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


CLEAN: dict[str, tuple[str, str, str]] = {
    "two keys on neighbouring lines": (
        replaced(("model: one", "model: two")),
        replaced(("temperature: 0", "temperature: 1")),
        replaced(("model: one", "model: two"), ("temperature: 0", "temperature: 1")),
    ),
    "two variables after the same line": (
        replaced(("{type: string}\n", "{type: string}\n  a: {default: 1}\n")),
        replaced(("{type: string}\n", "{type: string}\n  b: {default: 2}\n")),
        replaced(("{type: string}\n", "{type: string}\n  a: {default: 1}\n  b: {default: 2}\n")),
    ),
    "two tags on one line": (
        replaced(("[support]", "[support, a]")),
        replaced(("[support]", "[b, support]")),
        replaced(("[support]", "[support, a, b]")),
    ),
    "a message and the one behind it": (
        replaced(("      Name the product.\n", "      Name it.\n")),
        replaced(("      {{ ticket }}\n", "      Ticket: {{ ticket }}\n")),
        replaced(
            ("      Name the product.\n", "      Name it.\n"),
            ("      {{ ticket }}\n", "      Ticket: {{ ticket }}\n"),
        ),
    ),
    "a new message and an edit beside it": (
        replaced(("  - role: user", "  - role: assistant\n    content: Yes?\n  - role: user")),
        replaced(("      Name the product.\n", "      Name it.\n")),
        replaced(
            ("  - role: user", "  - role: assistant\n    content: Yes?\n  - role: user"),
            ("      Name the product.\n", "      Name it.\n"),
        ),
    ),
    "a role and the content": (
        replaced(("role: system", "role: developer")),
        replaced(("Be kind.", "Be friendly.")),
        replaced(("role: system", "role: developer"), ("Be kind.", "Be friendly.")),
    ),
    "the layout and a value": (
        replaced(("[support]", "\n  - support")),
        replaced(("[support]", "[support, a]")),
        replaced(("[support]", "\n  - support\n  - a")),
    ),
    "the same on both sides": (
        replaced(("model: one", "model: two")),
        replaced(("model: one", "model: two")),
        replaced(("model: one", "model: two")),
    ),
}

CONFLICTS: dict[str, tuple[str, str]] = {
    "one key in two ways": (
        replaced(("model: one", "model: two")),
        replaced(("model: one", "model: three")),
    ),
    "one line of a text in two ways": (
        replaced(("Be kind.", "Be friendly.")),
        replaced(("Be kind.", "Be polite.")),
    ),
    "an edit of a removed variable": (
        replaced(("{type: string}", "{type: integer}")),
        replaced(("variables:\n  ticket: {type: string}\n", "")),
    ),
    "lists of a config that only look like tags and messages": (
        replaced(("model: one", "model: one\n  tags: [{a: 1}]\n  messages: [1]")),
        replaced(("model: one", "model: one\n  tags: [{b: 2}]\n  messages: [2]")),
    ),
    "a side that is broken": (
        replaced(("model: one", "model: [")),
        replaced(("model: one", "model: two")),
    ),
}


@pytest.fixture
def merging(repo: GitRepo) -> GitRepo:
    """A repository with both drivers set up."""
    driver = f"{COMMAND} merge-driver %O %A %B %P %L"
    repo.git("config", "merge.promptstore.driver", driver)
    repo.git("config", "diff.promptstore.command", f"{COMMAND} difftool")
    repo.commit({
        ".gitattributes": "prompts/**/*.yaml diff=promptstore merge=promptstore\n",
        "prompts/a/b.yaml": BASE,
    })  # fmt: skip
    return repo


def test_git_merges_by_the_driver(merging: GitRepo) -> None:
    ours, theirs, expected = CLEAN["two variables after the same line"]
    merging.git("checkout", "--quiet", "-b", "feature")
    merging.commit({"prompts/a/b.yaml": theirs})
    merging.git("checkout", "--quiet", "main")
    merging.commit({"prompts/a/b.yaml": ours})
    merging.git("merge", "--quiet", "--no-edit", "feature")
    assert (merging.path / "prompts/a/b.yaml").read_text() == expected


def test_git_reports_a_conflict(merging: GitRepo) -> None:
    ours, theirs = CONFLICTS["one key in two ways"]
    merging.git("checkout", "--quiet", "-b", "feature")
    merging.commit({"prompts/a/b.yaml": theirs})
    merging.git("checkout", "--quiet", "main")
    merging.commit({"prompts/a/b.yaml": ours})
    with pytest.raises(AssertionError, match="git merge"):
        merging.git("merge", "--quiet", "--no-edit", "feature")
    assert merging.git("status", "--porcelain") == "UU prompts/a/b.yaml"
    text = (merging.path / "prompts/a/b.yaml").read_text()
    assert text.count("<<<<<<<") == text.count(">>>>>>>") == 1


@pytest.mark.parametrize(("ours", "theirs", "expected"), CLEAN.values(), ids=list(CLEAN))
def test_a_merge_by_meaning(ours: str, theirs: str, expected: str) -> None:
    merged = merge_files(Sides(*(text.encode() for text in (BASE, ours, theirs))), "a.yaml")
    assert merged.is_clean
    assert loads(merged.data).content == loads(expected).content
    assert merged.data.decode() == expected


@pytest.mark.parametrize(("ours", "theirs"), CONFLICTS.values(), ids=list(CONFLICTS))
def test_a_merge_that_falls_back_to_lines(ours: str, theirs: str) -> None:
    merged = merge_files(Sides(*(text.encode() for text in (BASE, ours, theirs))), "a.yaml")
    assert not merged.is_clean
    assert b"<<<<<<< ours" in merged.data


def test_comments_of_both_sides_stay() -> None:
    ours = replaced(("model: one", "model: two  # cheaper"))
    theirs = replaced(("description: ", "# Asked by support.\ndescription: "))
    merged = merge_files(Sides(*(text.encode() for text in (BASE, ours, theirs))), "a.yaml")
    assert merged.is_clean
    assert b"# cheaper" in merged.data
    assert b"# Asked by support." in merged.data


def test_a_comment_of_theirs_is_never_lost() -> None:
    ours = replaced(("model: one", "model: two"))
    theirs = replaced(("temperature: 0", "temperature: 1  # warmer"))
    merged = merge_files(Sides(*(text.encode() for text in (BASE, ours, theirs))), "a.yaml")
    assert not merged.is_clean
    assert b"# warmer" in merged.data


def test_git_reports_a_merge_that_breaks_the_file(merging: GitRepo) -> None:
    merging.git("checkout", "--quiet", "-b", "feature")
    merging.commit({"prompts/a/b.yaml": BASE + "# Asked by support.\nmetadata: {b: 2}\n"})
    merging.git("checkout", "--quiet", "main")
    merging.commit({"prompts/a/b.yaml": "metadata: {a: 1}\n" + BASE})
    with pytest.raises(AssertionError, match=r"prompts/a/b\.yaml: merged by lines, but"):
        merging.git("merge", "--quiet", "--no-edit", "feature")
    assert merging.git("status", "--porcelain") == "UU prompts/a/b.yaml"


def test_lines_that_fit_together_into_a_broken_file_are_no_clean_merge() -> None:
    ours = replaced(("description:", "metadata: {a: 1}\ndescription:"))
    theirs = BASE + "# Asked by support.\nmetadata: {b: 2}\n"
    merged = merge_files(Sides(*(text.encode() for text in (BASE, ours, theirs))), "a.yaml")
    assert not merged.is_clean
    assert merged.data.count(b"metadata:") == 2


def test_git_diff_shows_what_changed(merging: GitRepo) -> None:
    merging.write("prompts/a/b.yaml", replaced(("Be kind.", "Be friendly."), ("one", "two")))
    assert merging.git("diff") == (
        "prompt prompts/a/b.yaml\n"
        '  config.model: "one" → "two"\n'
        "\n"
        "message 1 (system):\n"
        "@@ -1,3 +1,3 @@\n"
        "-Be kind.\n"
        "+Be friendly.\n"
        " Be brief.\n"
        " Name the product."
    )


def test_git_diff_of_new_removed_and_broken_files(merging: GitRepo) -> None:
    merging.commit({"prompts/a/b.yaml": "prompt: [\n", "prompts/new.yaml": "prompt: x\n"})
    told = merging.git("-c", "core.pager=cat", "diff", "--ext-diff", "HEAD~1", "HEAD")
    assert "after it is broken: " in told
    assert "+prompt: x" in told
    merging.commit({"prompts/new.yaml": None})
    assert "-prompt: x" in merging.git("diff", "--ext-diff", "HEAD~1", "HEAD")


def test_git_diff_of_a_rename(merging: GitRepo) -> None:
    merging.git("mv", "prompts/a/b.yaml", "prompts/c.yaml")
    told = merging.git("diff", "--cached", "-M")
    assert told.splitlines()[0] == "prompt prompts/a/b.yaml → prompts/c.yaml"
    assert "  its content is the same" in told


def test_git_diff_of_a_comment(merging: GitRepo) -> None:
    merging.write("prompts/a/b.yaml", "# why\n" + BASE)
    assert merging.git("diff") == ("prompt prompts/a/b.yaml\n  only comments or the layout changed")
