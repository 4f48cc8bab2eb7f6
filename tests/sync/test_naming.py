"""The spelling of names on a remote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import InvalidArgumentError, SyncRefusedError
from promptstore.posthog.sync import NameRule

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}){0,2}",
                      fullmatch=True)  # fmt: skip
RULES = st.sampled_from([
    NameRule(), NameRule("-"), NameRule("_"), NameRule(""), NameRule(names={"a.b": "a__b"}),
])  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "name", "spelled"),
    [
        (NameRule(), "triage", "triage"),
        (NameRule(), "support/triage", "support__triage"),
        (NameRule("-"), "support/triage", "support-triage"),
        (NameRule(names={"v1.2/x": "old"}), "v1.2/x", "old"),
    ],
)
def test_a_name_is_spelled_and_read_back(rule: NameRule, name: str, spelled: str) -> None:
    assert rule.to_remote(name) == spelled
    assert rule.to_local(spelled) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("v1.2", "up to 255 letters"),
        ("New", "keeps the name 'New' for itself"),
        ("a__b", "it would come back as 'a/b'"),
        ("/".join(["x" * 100] * 3), "up to 255 letters"),
    ],
)
def test_what_cannot_be_spelled_is_refused(name: str, reason: str) -> None:
    with pytest.raises(SyncRefusedError, match=reason):
        NameRule().to_remote(name)


@pytest.mark.parametrize("spelled", ["-x", "__", "a__-b"])
def test_what_stands_for_no_name_is_refused(spelled: str) -> None:
    with pytest.raises(SyncRefusedError, match="Give it a spelling of its own"):
        NameRule().to_local(spelled)


def test_a_separator_must_fit_into_a_name() -> None:
    with pytest.raises(InvalidArgumentError, match="separator"):
        NameRule(".")


@given(RULES, st.lists(NAMES, max_size=8))
def test_no_two_names_share_a_spelling(rule: NameRule, names: list[str]) -> None:
    spelled: dict[str, str] = {}
    for name in names:
        try:
            text = rule.to_remote(name)
        except SyncRefusedError:
            continue
        assert spelled.setdefault(text, name) == name
        assert rule.to_local(text) == name
