from __future__ import annotations

import pytest

from promptstore.errors import InvalidNameError
from promptstore.model.values import check_name, is_name, near_matches


@pytest.mark.parametrize(
    "name",
    ["a", "support/triage", "_x", "0", "a.b-c_d", "v1.2/x", "a" * 255, "foo.yaml"],
)
def test_names_that_can_be(name: str) -> None:
    assert check_name(name) == name
    assert is_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("a" * 256, "it has 256 characters, 255 are allowed"),
        ("/etc/passwd", "it has an empty segment"),
        ("a//b", "it has an empty segment"),
        ("a/", "it has an empty segment"),
        ("../secrets", "the segment '..' starts with '.'"),
        ("a/../b", "the segment '..' starts with '.'"),
        (".hidden", "the segment '.hidden' starts with '.'"),
        ("-rf", "the segment '-rf' starts with '-'"),
        ("a b", "it holds ' '"),
        ("a\\b", "it holds '\\\\'"),
        ("a\n", "it holds '\\n'"),
        ("na\u00efve", "it holds 'ï'"),
        ("a@3", "it holds '@'"),
    ],
)
def test_names_that_cannot_be(name: str, reason: str) -> None:
    assert not is_name(name)
    with pytest.raises(InvalidNameError) as caught:
        check_name(name)
    assert caught.value.reason == reason
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("suport/triage", ["support/triage"]),
        ("Support/Triage", ["support/triage"]),
        ("triage", ["support/triage"]),
        ("support/triage.yaml", ["support/triage"]),
        ("weather", []),
    ],
)
def test_near_matches_are_what_a_person_meant(wrong: str, near: list[str]) -> None:
    assert near_matches(wrong, ["support/triage", "support/reply", "translate"])[:1] == near
