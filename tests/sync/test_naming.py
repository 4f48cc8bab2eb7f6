"""The remote's names of prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import InvalidArgumentError, SyncRefusedError
from promptstore.posthog.sync import SyncRules

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}){0,2}",
                      fullmatch=True)  # fmt: skip
RULES = st.dictionaries(
    NAMES, st.from_regex(r"[A-Za-z0-9_-]{1,3}", fullmatch=True), max_size=3
).filter(lambda names: len(set(names.values())) == len(names)).map(SyncRules)  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "name", "text"),
    [
        (SyncRules(), "triage", "triage"),
        (SyncRules(), "support/triage", "support__triage"),
        (SyncRules(), "v1.2", "-v1_d2"),
        (SyncRules({"v1.2/x": "old"}), "v1.2/x", "old"),
    ],
)
def test_a_name_goes_out_and_comes_back(rules: SyncRules, name: str, text: str) -> None:
    assert rules.to_remote(name) == text
    assert rules.to_local(text) == name


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(SyncRefusedError, match="up to 255 letters"):
        SyncRules().to_remote("/".join(["x" * 100] * 3))


@pytest.mark.parametrize("text", ["-x", "new", "v1.2"])
def test_what_is_the_form_of_no_name_is_refused(text: str) -> None:
    with pytest.raises(SyncRefusedError, match="Give it another name there under `names`"):
        SyncRules().to_local(text)


def test_a_name_cannot_be_given_twice() -> None:
    with pytest.raises(InvalidArgumentError, match="two prompts have the name 'x'"):
        SyncRules({"a": "x", "b": "x"})


@given(RULES, st.lists(NAMES, max_size=8))
def test_no_two_prompts_share_a_name_there(rules: SyncRules, names: list[str]) -> None:
    found: dict[str, str] = {}
    for name in [*names, *rules.names]:
        try:
            text = rules.to_remote(name)
        except SyncRefusedError:
            continue
        assert found.setdefault(text, name) == name
        assert rules.to_local(text) == name
