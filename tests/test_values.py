from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.model.values import MAX_DEPTH, MAX_DIGITS, UnfitValueError, plain_json

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda items: st.lists(items) | st.dictionaries(st.text(), items),
    max_leaves=20,
)


@given(json_values)
def test_a_plain_copy_equals_what_it_was_made_from(value: Any) -> None:
    found = plain_json(value)
    assert found == value
    assert json.loads(json.dumps(found)) == value


def test_a_plain_copy_shares_nothing_and_holds_plain_types_alone() -> None:
    class Name(str):
        pass

    given = MappingProxyType({Name("a"): (1, [Name("b"), True, None, 1.5]), "c": {}})
    found = plain_json(given)
    assert found == {"a": [1, ["b", True, None, 1.5]], "c": {}}
    assert {type(key) for key in found} == {str}
    assert [type(item) for item in found["a"][1]] == [str, bool, type(None), float]
    found["c"]["x"] = 1
    assert given["c"] == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "nan, which JSON does not have"),
        ([float("-inf")], "-inf, which JSON does not have"),
        ({"a": 10**MAX_DIGITS}, f"more than {MAX_DIGITS:,} digits"),
        ({1: 2}, "has the key 1, which is not a string"),
        ("a\ud800", "half of a surrogate pair at character 2"),
        ({"a\ud800": 1}, "half of a surrogate pair at character 2"),
        ({1, 2}, "holds a set"),
        (b"x", "holds a bytes"),
    ],
)
def test_what_is_not_json_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(UnfitValueError, match=reason):
        plain_json(value)
    with pytest.raises(UnfitValueError, match=reason):
        plain_json({"deep": [value]})


def nested(levels: int, inner: Any = 1) -> Any:
    for level in range(levels):
        inner = {"a": inner} if level % 2 else [inner]
    return inner


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 50_000])
def test_a_value_that_is_nested_deeply_is_refused(levels: int) -> None:
    assert plain_json(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(UnfitValueError, match="nested deeper than 100 levels"):
        plain_json(nested(levels))


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UnfitValueError, match="nested deeper"):
        plain_json(value)
