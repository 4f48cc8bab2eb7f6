from __future__ import annotations

import enum
import math
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given

from promptstore.errors import VariableError
from promptstore.model.binding import UnfitValueError, bind, fit
from promptstore.model.variables import MISSING, Variable, VariableType
from tests.test_values import json_values


class Tier(enum.StrEnum):
    PRO = "pro"


class Loud(str):
    def __str__(self) -> str:
        return "{{ 7 * 7 }}"


USER = {"role": "user", "content": "hi"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
PARTS = {"role": "user", "content": [{"type": "text", "text": "hi"}]}


@pytest.mark.parametrize(
    ("kind", "value", "seen"),
    [
        ("string", "é", "é"),
        ("string", Tier.PRO, "pro"),
        ("string", Loud("plain"), "plain"),
        ("integer", -3, -3),
        ("number", 3, 3),
        ("number", 0.5, 0.5),
        ("boolean", False, False),
        ("array", (1, [2]), [1, [2]]),
        ("object", UserDict({"a": (1,)}), {"a": [1]}),
        ("messages", [], []),
        ("messages", (USER, CALL, PARTS), [USER, CALL, PARTS]),
        ("any", None, None),
        ("any", {"a": [True, None]}, {"a": [True, None]}),
    ],
)
def test_a_value_is_taken_for_what_it_holds(kind: VariableType, value: Any, seen: Any) -> None:
    fitted = fit(Variable(type=kind), value)
    assert fitted == seen
    assert type(fitted) is type(seen)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("string", 3, "is an integer, but must be a text"),
        ("string", None, "is null, but must be a text"),
        ("string", b"bytes", "holds a bytes"),
        ("string", "\ud800", "holds half of a surrogate pair at character 1"),
        ("integer", True, "is a boolean, but must be an integer"),
        ("integer", 3.0, "is a number, but must be an integer"),
        ("integer", "3", "is a text, but must be an integer"),
        ("number", False, "is a boolean, but must be a number"),
        ("number", math.inf, "holds inf, which JSON does not have"),
        ("number", math.nan, "holds nan, which JSON does not have"),
        ("boolean", 1, "is an integer, but must be a boolean"),
        ("array", "abc", "is a text, but must be a list"),
        ("array", {1, 2}, "holds a set"),
        ("object", [], "is a list, but must be an object"),
        ("object", {1: 2}, "has the key 1, which is not text"),
        ("messages", "user: hi", "is a text, but must be a list of messages"),
        ("messages", USER, "is an object, but must be a list of messages"),
        ("messages", [USER, "hi"], "message 2 is a text"),
        ("messages", [{"role": "root", "content": "x"}], "message 1 has the role 'root'"),
        ("messages", [{"content": "x"}], "message 1 has the role None"),
        ("messages", [{"role": "user"}], "message 1 must have a content"),
        ("messages", [{"role": "user", "content": [1]}], "message 1 must have a content"),
        ("any", object(), "holds a object"),
        ("any", {"a": [lambda: 1]}, "holds a function"),
    ],
)
def test_a_value_that_does_not_fit(kind: VariableType, value: Any, reason: str) -> None:
    with pytest.raises(UnfitValueError) as caught:
        fit(Variable(type=kind), value)
    assert reason in str(caught.value)


def test_an_enum_tells_its_choices_and_true_is_not_one() -> None:
    variable = Variable(enum=("free", 1))
    assert fit(variable, "free") == "free"
    for wrong in ("Free", True):
        with pytest.raises(UnfitValueError, match="none of 'free', 1"):
            fit(variable, wrong)


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UnfitValueError, match="deeper than 100"):
        fit(Variable(), endless)


def fits(value: Any) -> bool:
    try:
        fit(Variable(), value)
    except UnfitValueError:
        return False
    return True


@given(json_values.filter(fits))
def test_what_was_bound_is_a_copy(value: Any) -> None:
    bound = bind({"x": value}, {}, required=["x"], used=["x"])["x"]
    assert bound == value
    assert bound is not value or not isinstance(value, (list, dict))


def test_all_faults_are_told_at_once() -> None:
    declared = {
        "ticket": Variable(type="string"),
        "tier": Variable(type="string", enum=("free", "pro")),
        "count": Variable(type="integer", default=1),
    }
    with pytest.raises(VariableError) as caught:
        bind({"tickt": "x", "tier": "gold", "count": "2"}, declared, required=[], used=[])
    assert caught.value.missing == ("ticket",)
    assert caught.value.unknown == {"tickt": ("ticket",)}
    assert list(caught.value.invalid) == ["tier", "count"]


def test_defaults_fill_in_and_optional_ones_stay_out() -> None:
    declared = {
        "a": Variable(default=None),
        "b": Variable(type="array", default=[1]),
        "c": Variable(required=False),
    }
    bound = bind({}, declared, required=[], used=[])
    assert bound == {"a": None, "b": [1]}
    bound["b"].append(2)
    assert bind({}, declared, required=[], used=[])["b"] == [1]


def test_without_a_declaration_the_template_decides() -> None:
    assert bind({"x": 1}, {}, required=["x"], used=["x", "y"]) == {"x": 1}
    with pytest.raises(VariableError) as caught:
        bind({"z": 1}, {}, required=["x"], used=["x"])
    assert caught.value.missing == ("x",)
    assert caught.value.unknown == {"z": ()}


def test_a_name_that_the_declaration_lacks_is_told_as_such() -> None:
    with pytest.raises(VariableError, match="not declared in `variables:`"):
        bind({"x": 1}, {"y": Variable(default=1)}, required=[], used=[], undeclared=["x"])


def test_missing_is_not_null() -> None:
    assert not Variable().has_default
    assert Variable(default=None).has_default
    assert repr(MISSING) == "MISSING"
    assert [v.needs_value for v in (Variable(), Variable(required=False), Variable(default=1))] == [
        True,
        False,
        False,
    ]
