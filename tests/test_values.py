from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptstore.errors import InvalidArgumentError
from promptstore.model.values import MAX_DEPTH, FrozenDict, FrozenList, freeze, thaw

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda items: st.lists(items) | st.dictionaries(st.text(), items),
    max_leaves=20,
)


@given(json_values)
def test_a_frozen_value_equals_what_it_was_made_from(value: Any) -> None:
    frozen = freeze(value)
    assert frozen == value
    assert thaw(frozen) == value
    assert json.loads(json.dumps(frozen)) == value
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    assert copy.deepcopy(frozen) == frozen


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(a=2),
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("b", 1),
        lambda d: d.__ior__({"b": 1}),
        lambda d: d["list"].append(3),
        lambda d: d["list"].__setitem__(0, 3),
        lambda d: d["list"].__iadd__([3]),
        lambda d: d["list"].__imul__(2),
        lambda d: d["list"].extend([3]),
        lambda d: d["list"].insert(0, 3),
        lambda d: d["list"].pop(),
        lambda d: d["list"].remove(1),
        lambda d: d["list"].clear(),
        lambda d: d["list"].sort(),
        lambda d: d["list"].reverse(),
        lambda d: d["list"].__delitem__(0),
    ],
)
def test_a_frozen_value_refuses_every_change(change: Callable[[Any], object]) -> None:
    frozen = freeze({"a": 1, "list": [1, 2]})
    with pytest.raises(TypeError, match="make your own copy"):
        change(frozen)
    assert frozen == {"a": 1, "list": [1, 2]}


def test_operators_make_ordinary_copies() -> None:
    frozen = freeze({"a": 1, "list": [1]})
    assert type(frozen | {"b": 2}) is dict
    assert type(frozen["list"] + [2]) is list
    assert type(thaw(frozen)) is dict
    assert type(thaw(frozen)["list"]) is list


def test_frozen_values_hash_by_content() -> None:
    assert hash(freeze({"a": [1], "b": 2})) == hash(freeze({"b": 2, "a": [1]}))
    assert isinstance(freeze({}), FrozenDict)
    assert isinstance(freeze(()), FrozenList)


def nested(levels: int, inner: Any = 1) -> Any:
    for level in range(levels):
        inner = {"a": inner} if level % 2 else [inner]
    return inner


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 50_000])
def test_a_value_that_is_nested_deeply_is_refused(levels: int) -> None:
    assert freeze(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(InvalidArgumentError, match="nested deeper than 100 levels"):
        freeze(nested(levels))


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InvalidArgumentError, match="nested deeper"):
        freeze(value)
