"""The plan: a pure function of three mappings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.posthog.sync import DELETED, Step, plan

CASES = [
    # base, local, remote, what is to be done
    (None, None, None, None),
    (None, "x", "x", None),
    ("x", "x", "x", None),
    ("x", "y", "y", None),
    (DELETED, DELETED, None, None),
    ("x", DELETED, None, None),
    (None, "x", None, "push create"),
    ("x", "y", "x", "push update"),
    ("x", DELETED, "x", "push archive"),
    ("x", None, "x", "push archive"),
    (DELETED, "x", None, "push restore"),
    (None, DELETED, None, None),
    (None, None, "x", "pull create"),
    ("x", "x", "y", "pull update"),
    ("x", "x", None, "pull archive"),
    (DELETED, DELETED, "x", "pull restore"),
    (None, DELETED, "x", "pull create"),
    (None, "x", "y", "conflict settle"),
    ("x", "y", "z", "conflict settle"),
    ("x", DELETED, "y", "conflict settle"),
    ("x", "y", None, "conflict settle"),
    (DELETED, "x", "y", "conflict settle"),
]
DIGESTS = st.sampled_from(["x", "y", "z", DELETED])
SIDES = st.dictionaries(st.sampled_from("abcdef"), DIGESTS)
MIRROR = {"push": "pull", "pull": "push", "conflict": "conflict"}


def only(**digests: str | None) -> dict[str, dict[str, str]]:
    return {side: {"a": digest} if digest else {} for side, digest in digests.items()}


@pytest.mark.parametrize(("base", "local", "remote", "expected"), CASES)
def test_one_prompt(
    base: str | None, local: str | None, remote: str | None, expected: str | None
) -> None:
    steps = plan(**only(base=base, local=local, remote=remote))
    assert [f"{step.direction} {step.verb}" for step in steps] == ([expected] if expected else [])


@given(SIDES, SIDES)
def test_equal_sides_give_an_empty_plan(base: dict[str, str], side: dict[str, str]) -> None:
    assert plan(base, side, side) == ()


@given(SIDES, SIDES, SIDES)
def test_the_plan_is_symmetric(
    base: dict[str, str], local: dict[str, str], remote: dict[str, str]
) -> None:
    def told(step: Step, direction: str) -> tuple[str, str, str]:
        return step.name, direction, step.verb

    there = [told(step, step.direction) for step in plan(base, local, remote)]
    back = [told(step, MIRROR[step.direction]) for step in plan(base, remote, local)]
    assert there == back


@given(SIDES, SIDES, SIDES)
def test_doing_the_plan_leaves_an_empty_one(
    base: dict[str, str], local: dict[str, str], remote: dict[str, str]
) -> None:
    here, there = dict(local), dict(remote)
    for step in plan(base, local, remote):
        source, target = (here, there) if step.direction != "pull" else (there, here)
        target[step.name] = source.get(step.name, DELETED)
    assert plan(here, here, there) == ()


@given(SIDES, SIDES, SIDES)
def test_only_a_conflict_lets_an_edit_wait(
    base: dict[str, str], local: dict[str, str], remote: dict[str, str]
) -> None:
    def alive(side: dict[str, str], name: str) -> str | None:
        return None if side.get(name) == DELETED else side.get(name)

    for step in plan(base, local, remote):
        overwritten = {"push": remote, "pull": local}.get(step.direction)
        if overwritten is not None:
            assert alive(overwritten, step.name) == alive(base, step.name)
