"""A range of commits: which prompts it changes, how, and whom that affects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from promptstore.review.ranges import RangeDiff, compare
from promptstore.store.store import PromptStore
from tests.gitrepo import GitRepo

LONG = "prompt: |\n" + "".join(f"  Line {number} of a long text.\n" for number in range(10))

RANGES: dict[str, tuple[Mapping[str, str | None], Mapping[str, str | None], list[str]]] = {
    "nothing": ({"a": "prompt: x\n"}, {}, []),
    "only a comment and the layout": (
        {"a": "prompt: x\n"},
        {"a": '# why\nprompt: "x"\n'},
        [],
    ),
    "a new prompt": ({"b": "prompt: y\n"}, {"a": "prompt: x\n"}, ["compatible a added"]),
    "a removed file": ({"a": "prompt: x\n"}, {"a": None}, ["breaking a removed"]),
    "the removed file of a tombstone": (
        {"a": "prompt: x\ndeleted: true\n"},
        {"a": None},
        ["compatible a removed"],
    ),
    "a rename": ({"a": LONG}, {"a": None, "b": LONG}, ["breaking b renamed from a"]),
    "a rename with an edit": (
        {"a": LONG},
        {"a": None, "b": LONG.replace("Line 3", "The third")},
        ["breaking b renamed from a"],
    ),
    "a rename told by the id": (
        {"a": "id: 497f6eca-6276-4993-bfeb-53cbbbba6f08\nprompt: x\n"},
        {"a": None, "b": "id: 497f6eca-6276-4993-bfeb-53cbbbba6f08\nprompt: y\n"},
        ["breaking b renamed from a"],
    ),
    "one that goes and another that comes": (
        {"a": "prompt: x\n"},
        {"a": None, "b": LONG},
        ["breaking a removed", "compatible b added"],
    ),
    "a tombstone": (
        {"a": "prompt: x\n"},
        {"a": "prompt: x\ndeleted: true\n"},
        ["breaking a deleted"],
    ),
    "a restored prompt": (
        {"a": "prompt: x\ndeleted: true\n"},
        {"a": "prompt: x\n"},
        ["compatible a restored"],
    ),
    "a file that breaks": ({"a": "prompt: x\n"}, {"a": "prompt: [\n"}, ["breaking a broken"]),
    "a file that is fixed": ({"a": "prompt: [\n"}, {"a": "prompt: x\n"}, ["compatible a fixed"]),
    "what includes a changed prompt": (
        {
            "a": "prompt: \"{% include 'b' %}\"\n",
            "b": "prompt: \"{% include 'c' %}\"\n",
            "c": "prompt: x\n",
            "d": "prompt: z\n",
        },
        {"c": "prompt: y\n"},
        ["behaviour c changed", "behaviour a affected by b > c", "behaviour b affected by c"],
    ),
    "what includes a prompt that needs more": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: x\n"},
        {"b": "prompt: '{{ new }}'\n"},
        ["breaking b changed", "breaking a affected by b"],
    ),
    "what includes a prompt that is deleted": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: x\n"},
        {"b": "prompt: x\ndeleted: true\n"},
        ["breaking b deleted", "breaking a affected by b"],
    ),
    "what includes a prompt of which only the tags change": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: x\n"},
        {"b": "prompt: x\ntags: [a]\n"},
        ["compatible b changed", "compatible a affected by b"],
    ),
    "what includes a file that breaks": (
        {
            "a": "prompt: \"{% include 'b' %}\"\n",
            "b": "prompt: \"{% include 'c' %}\"\n",
            "c": "prompt: x\n",
            "d": "prompt: \"{% include 'c' %}\"\ndeleted: true\n",
        },
        {"c": "prompt: [\n"},
        [
            "breaking c broken",
            "breaking a affected by b > c",
            "breaking b affected by c",
            "compatible d affected by c",
        ],
    ),
    "what includes a file that is fixed": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: [\n", "c": "prompt: [\n"},
        {"b": "prompt: x\n"},
        ["compatible b fixed", "compatible a affected by b"],
    ),
    "an edit that includes a broken file": (
        {"a": "prompt: x\n", "b": "prompt: [\n"},
        {"a": "prompt: \"{% include 'b' %}\"\n"},
        ["breaking a broken"],
    ),
    "a file that is broken in another way": (
        {"a": "prompt: [\n"},
        {"a": "prompt: {\n"},
        ["compatible a broken"],
    ),
    "a renamed include that is followed": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": LONG},
        {"a": "prompt: \"{% include 'c' %}\"\n", "b": None, "c": LONG},
        ["breaking c renamed from b", "behaviour a changed"],
    ),
    "a renamed include that is not": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": LONG},
        {"b": None, "c": LONG},
        ["breaking c renamed from b", "breaking a affected by b"],
    ),
    "a missing include that comes": (
        {"a": "prompt: \"{% include 'b' %}\"\n"},
        {"b": "prompt: x\n"},
        ["compatible b added", "compatible a affected by b"],
    ),
    "includes that go round now": (
        {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: x\n"},
        {"b": "prompt: \"{% include 'a' %}\"\n"},
        ["breaking b changed", "breaking a affected by b"],
    ),
    "two that change places": (
        {"a": "prompt: one\n", "b": "prompt: two\n"},
        {"a": "prompt: two\n", "b": "prompt: one\n"},
        ["behaviour a changed", "behaviour b changed"],
    ),
    "a rename of a tombstone": (
        {"a": LONG + "deleted: true\n"},
        {"a": None, "b": LONG + "deleted: true\n"},
        ["compatible b renamed from a"],
    ),
    "another layout of a renamed file, and its tombstone": (
        {"a": LONG},
        {"a": None, "b": LONG + "deleted: true\n"},
        ["breaking b renamed from a"],
    ),
    "the worst comes first": (
        {"a": "prompt: x\n", "b": "prompt: x\n", "c": "prompt: x\n"},
        {"a": "prompt: x\ntags: [a]\n", "b": "prompt: y\n", "c": None},
        ["breaking c removed", "behaviour b changed", "compatible a changed"],
    ),
}


def compared(
    repo: GitRepo,
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
    examples: Mapping[str, Any] | None = None,
) -> RangeDiff:
    base = repo.commit(paths(before))
    head = repo.commit(paths(after))
    store = PromptStore.open(repo.path)
    return compare(store.snapshot(base), store.snapshot(head), examples)


def paths(files: Mapping[str, str | None]) -> dict[str, str | bytes | None]:
    return {f"prompts/{name}.yaml": text for name, text in files.items()}


@pytest.mark.parametrize(("before", "after", "expected"), RANGES.values(), ids=list(RANGES))
def test_range(
    repo: GitRepo,
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
    expected: list[str],
) -> None:
    told = []
    for change in compared(repo, before, after).changes:
        words = [change.judgement.impact, change.name, change.kind]
        words += ["from", change.old_name] if change.old_name else []
        words += ["by", " > ".join(change.via[1:])] if change.via else []
        told.append(" ".join(words))
    assert told == expected


def test_examples_are_rendered_on_both_sides(repo: GitRepo) -> None:
    (change,) = compared(
        repo,
        {"a": "prompt: 'Hello {{ x }}'\n"},
        {"a": "prompt: 'Hello {{ x }}{% if x == \"Ada\" %}!{% endif %}'\n"},
        {"a": [{"x": "Ada"}, {"x": "Bob"}]},
    ).changes
    assert [(found.example, found.before, found.after) for found in change.renders] == [
        (1, "Hello Ada", "Hello Ada!")
    ]
    assert change.judgement.impact == "behaviour"


def test_an_example_that_renders_nowhere_is_reported(repo: GitRepo) -> None:
    (change,) = compared(
        repo, {"a": "prompt: '{{ x }}'\n"}, {"a": "prompt: '{{ x }}!'\n"}, {"a": [{"y": 1}, 5]}
    ).changes
    assert [found.title for found in change.renders] == [
        "neither side renders with example 1",
        "neither side renders with example 2",
    ]
    assert "'x' is missing" in change.renders[0].before
    assert change.judgement.impact == "behaviour"


def test_a_broken_file_is_reported_where_it_is(repo: GitRepo) -> None:
    broken = {"a": "prompt: \"{% include 'b' %}\"\n", "b": "prompt: [\n"}
    a, b = compared(repo, {"a": "prompt: x\n", "b": "prompt: x\n"}, broken).changes
    assert a.judgement.reasons == ("prompts/b.yaml, which it includes, is broken",)
    assert (a.problems, [found.code for found in b.problems]) == ((), ["PS102"])


def test_an_example_that_fails_now_breaks(repo: GitRepo) -> None:
    (change,) = compared(
        repo,
        {"a": "prompt: '{{ x }}'\n"},
        {"a": "prompt: '{{ x.name }}'\n"},
        {"a": {"x": "Ada"}},
    ).changes
    assert change.judgement.impact == "breaking"
    assert change.judgement.reasons[0].startswith("example 1 fails now: ")
