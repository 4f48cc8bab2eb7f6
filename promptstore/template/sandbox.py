"""Jinja2's immutable sandbox made narrower: data has keys and items, and all work is counted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jinja2
from jinja2.runtime import Context, LoopContext, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace as JinjaNamespace
from jinja2.utils import missing

from promptstore.template.source import CONTAINERS, Budget

BUDGET: Final = " budget"
"""Where a context keeps its `Budget`: under a name that no template can write."""

MAX_INTEGER_BITS: Final = 1024
"""How large an integer may be that is written in a template or calculated with."""

LOOP_CALLS: Final = frozenset({"changed", "cycle"})
LOOP_ATTRIBUTES: Final = LOOP_CALLS | {
    "depth", "depth0", "first", "index", "index0", "last", "length", "nextitem", "previtem",
    "revindex", "revindex0",
}  # fmt: skip

LONG_SEARCH: Final = 100
"""Up to so many characters, a string is looked for in a time that hardly grows with them."""

_MAX_SHOWN: Final = 60
_KINDS: Final = {
    str: "the string", list: "the list", tuple: "the list", dict: "the object", bool: "the boolean",
    int: "the number", float: "the number", type(None): "null",
}  # fmt: skip


class MissingVariable(jinja2.UndefinedError):
    """A name from outside that has no value.

    Args:
        name: The name.
    """

    def __init__(self, name: str, _message: str) -> None:
        super().__init__(name)
        self.name = name


class MissingValue(StrictUndefined):
    """Something that is not there; every use of it is an error."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: Callable[..., jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if obj is missing and name is not None and hint is None:
            exc = partial(MissingVariable, name)
        super().__init__(hint, obj, name, exc)  # type: ignore[arg-type]

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        kind = kind_of(self._undefined_obj)
        key: Any = self._undefined_name
        if isinstance(key, CONTAINERS):
            return f"{kind} has no item for a key that is a list or an object"
        return f"{kind} has no {(key[:_MAX_SHOWN] if isinstance(key, str) else key)!r}"

    def __repr__(self) -> str:
        # A list prints its items by their repr: what is not there must not pass as text.
        return str(self)


class OptionalUndefined(MissingValue):
    """An optional variable without a value: false in a condition, an error anywhere else."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


class Namespace(JinjaNamespace):
    """What `namespace()` makes: fields that a loop can set, and no value by itself."""

    def __repr__(self) -> str:
        message = "a namespace is no value; use its fields, as in ns.count"
        raise TypeError(message)


class Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which data has keys and items, and nothing else."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})
    intercepted_unops = frozenset({"+", "-"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up a key of an object, or a field of a loop or a namespace."""
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        is_field = isinstance(obj, LoopContext) and attribute in LOOP_ATTRIBUTES
        if is_field or isinstance(obj, Undefined):
            return getattr(obj, attribute)
        if isinstance(obj, Namespace):
            return getattr(obj, attribute, self.undefined(obj=obj, name=attribute))
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up a key of an object, or an item of a list or string."""
        if isinstance(obj, Undefined):
            return obj[argument]
        # A key that is a tuple would be hashed to the bottom; no object has one.
        keyed = isinstance(obj, dict) and not isinstance(argument, CONTAINERS)
        if keyed or isinstance(argument, (int, slice)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers, or put two strings or lists together."""
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            check_number(left)
            check_number(right)
            return check_number(super().call_binop(context, operator, left, right))
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return left + right
        if operator == "+":
            budget = budget_of(context)
            if isinstance(left, str) and isinstance(right, str):
                budget.spend_text(len(left) + len(right))
                return left + right
            if isinstance(left, list) and isinstance(right, list):
                budget.spend(len(left) + len(right))
                return left + right
        message = f"the operator {operator} works between numbers only"
        raise TypeError(message)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        """Change the sign of a number."""
        return super().call_unop(context, operator, check_number(arg))

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow what a loop offers."""
        return getattr(obj, "__self__", None).__class__ is LoopContext


def budget_of(context: Context) -> Budget:
    """Return the budget of the render that a context belongs to."""
    budget: Budget = context.parent[BUDGET]
    return budget


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    return _KINDS.get(type(value), "the value")


def write(budget: Budget, value: Any) -> str:
    """Write a value as text; the steps are spent before it is made."""
    budget.spend_deep(value)
    return str(value)


def check_number(number: Any) -> Any:
    """Return a number unchanged when it may be calculated with.

    Raises:
        ValueError: It is a very large integer.
    """
    if isinstance(number, int) and number.bit_length() > MAX_INTEGER_BITS:
        message = f"an integer of more than {MAX_INTEGER_BITS} bits"
        raise ValueError(message)
    return number


def spend_search(budget: Budget, wanted: Any, container: Any) -> None:
    """Spend the steps of looking for a value in a string or a list, before it is done."""
    is_long = (
        len(wanted) > LONG_SEARCH if isinstance(wanted, str) else isinstance(wanted, CONTAINERS)
    )
    if isinstance(container, str):
        # Python looks for a long string that repeats itself in a time that grows with both lengths.
        budget.spend_text(4 * len(container) if is_long else len(container))
    elif is_long:
        budget.spend_deep(wanted)
        budget.spend_deep(container)
    else:
        budget.spend_items(container)


def strip(budget: Budget, function: Callable[..., str], text: str, characters: str | None) -> str:
    """Strip characters from the ends of a string; the steps are spent before.

    Raises:
        ValueError: There are very many different characters to strip.
    """
    if isinstance(characters, str) and len(characters) > LONG_SEARCH:
        message = f"at most {LONG_SEARCH} characters can be stripped"
        raise ValueError(message)
    budget.spend_text(len(text))
    return function(text, characters)


def is_in(budget: Budget, value: Any, container: Any) -> bool:
    """Return whether a list, an object or a string has an item, a key or a part."""
    if isinstance(container, dict):
        # A tuple would be hashed to the bottom; no object has such a key.
        return not isinstance(value, CONTAINERS) and value in container
    spend_search(budget, value, container)
    return value in container


@jinja2.pass_context
def _range(context: Context, _: None, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    try:
        length = len(numbers)
    except OverflowError:
        length = sys.maxsize
    budget_of(context).spend(length)
    return list(numbers)


def _namespace(_: None, **fields: Any) -> Namespace:
    return Namespace(fields)


@jinja2.pass_context
def _in(context: Context, value: Any, container: Any) -> bool:
    return is_in(budget_of(context), value, container)


@jinja2.pass_context
def _rounds(context: Context, iterable: Any, steps: int) -> Any:
    budget_of(context).spend_items(iterable, steps)
    return iterable


@jinja2.pass_context
def _print(context: Context, value: Any) -> Any:
    if isinstance(value, CONTAINERS):
        budget_of(context).spend_deep(value)
    return value


@jinja2.pass_context
def _capture(context: Context, value: Any) -> str:
    return write(budget_of(context), value)


@jinja2.pass_context
def _concatenate(context: Context, items: list[Any]) -> str:
    budget = budget_of(context)
    return "".join([write(budget, item) for item in items])


@jinja2.pass_context
def _sliced(context: Context, value: Any) -> Any:
    budget = budget_of(context)
    if isinstance(value, str):
        budget.spend_text(len(value))
    else:
        budget.spend_items(value)
    return value


@jinja2.pass_context
def _weigh(context: Context, value: Any) -> Any:
    budget_of(context).spend_deep(value)
    return value


def _check_key(value: Any) -> Any:
    if isinstance(value, CONTAINERS):
        message = "the key of an object is a string or a number"
        raise TypeError(message)
    return value


@jinja2.pass_context
def _look_up(context: Context, name: str) -> Any:
    value = context.resolve_or_missing(name)
    return context.environment.undefined(name=name) if value is missing else value


INTERNAL_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    " capture": _capture,
    " in": _in,
    " join": _concatenate,
    " key": _check_key,
    " namespace": _namespace,
    " print": _print,
    " range": _range,
    " rounds": _rounds,
    " sliced": _sliced,
    " variable": _look_up,
    " weigh": _weigh,
}
"""Filters that only the compiler puts in; the space keeps templates from naming them."""
