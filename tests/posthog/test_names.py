"""The one codec of names: nothing is lost, and no two names are written alike."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptstore.errors import InvalidNameError
from promptstore.model.values import is_name
from promptstore.posthog.content import API_NAME, decode_name, encode_name

SEGMENTS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
FORMS = st.text("abnew_-0dDu", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("greet", "greet"),
        ("snake_case", "snake_case"),
        ("a-b", "a-b"),
        ("support/triage", "support__triage"),
        ("a/b/c", "a__b__c"),
        ("a/_b", "a___b"),
        ("a_/b", "-a_u__b"),
        ("a__b", "-a_u_ub"),
        ("v1.2", "-v1_d2"),
        ("snake_case/a.b", "-snake_ucase__a_db"),
        ("__a", "__a"),
        ("_", "_"),
        ("new", "-new"),
        ("New", "-New"),
        ("team/new", "team__new"),
    ],
)
def test_a_name_has_one_form(name: str, form: str) -> None:
    assert encode_name(name) == form
    assert decode_name(form) == name


@given(NAMES)
@example("a_/_b")
@example("_d/_u._")
def test_every_name_comes_back(name: str) -> None:
    form = encode_name(name)
    assert API_NAME.fullmatch(form)
    assert decode_name(form) == name


@given(FORMS)
@example("a__-b")
@example("a____b")
def test_every_form_comes_back_or_is_refused(form: str) -> None:
    try:
        name = decode_name(form)
    except InvalidNameError:
        assert form.startswith("-"), "only an escape may stand for nothing"
        return
    assert is_name(name)
    if form.lower() != "new":
        assert encode_name(name) == form


@given(st.sets(NAMES, min_size=2, max_size=8))
def test_no_two_names_have_one_form(names: set[str]) -> None:
    assert len({encode_name(name) for name in names}) == len(names)


@pytest.mark.parametrize("text", ["-", "-a", "-a_", "-a_x", "-a-b", "-a_d_", "-_", "--", "-__etc"])
def test_an_escape_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError, match="starts with '-'"):
        decode_name(text)


@pytest.mark.parametrize("text", ["", "a/b", "a.b", "a b", "é", "a\n", "../x"])
def test_what_the_api_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError, match="letters, digits"):
        decode_name(text)


def test_the_reserved_name_is_read_but_never_written() -> None:
    assert decode_name("new") == "new"
    assert encode_name("new") != "new"
