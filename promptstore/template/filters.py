"""The filters and tests of the template language, each bounded before it can grow."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from jinja2 import filters, pass_context, tests
from jinja2.runtime import Context, Undefined

from promptstore.template.sandbox import (
    budget_of,
    check_number,
    is_in,
    spend_search,
    strip,
    write,
)
from promptstore.template.source import Budget

_MAX_DIGITS: Final = 300
_MAX_INDENT: Final = 16
_MAX_PATH: Final = 100

_Cost: TypeAlias = Callable[[Budget, Any], None]
_Function: TypeAlias = Callable[..., Any]
_BUILTIN: Final[Mapping[str, Any]] = filters.FILTERS
_BUILTIN_TESTS: Final[Mapping[str, Any]] = tests.TESTS


def _nothing(_budget: Budget, _value: Any) -> None:
    """Spend no step: the work does not grow with the value."""


def _words(budget: Budget, value: Any) -> None:
    """Spend the steps of splitting a string."""
    budget.spend_deep(value)
    budget.spend(len(value) if isinstance(value, str) else 0)


def _calls(budget: Budget, value: Any) -> None:
    """Spend the steps of calling a filter or a test for each item."""
    budget.spend_items(value, 3)


@pass_context
def write_json(context: Context, value: Any, indent: Any = None) -> str:
    """Write a value as plain JSON: characters as they are, keys in their order.

    Jinja2's own writes ``<``, ``>``, ``&`` and ``'`` as escapes, for HTML; a prompt is none.
    """
    budget = budget_of(context)
    budget.spend_deep(value)
    if indent is None:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_refuse_json)
    if not isinstance(indent, int) or not 0 <= indent <= _MAX_INDENT:
        message = f"tojson takes an indent from 0 to {_MAX_INDENT}"
        raise ValueError(message)
    encoder = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, indent=indent, default=_refuse_json
    )
    pieces: list[str] = []
    for piece in encoder.iterencode(value):
        budget.spend_text(len(piece))
        pieces.append(piece)
    return "".join(pieces)


@pass_context
def write_flat(context: Context, value: Any) -> str:
    """Write a value as the template language ``simple`` does."""
    return value if isinstance(value, str) else write_json(context, value)


def _refuse_json(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # which raises that it is undefined
    message = "a value that is not JSON cannot be written as JSON"
    raise TypeError(message)


@pass_context
def _indent(
    context: Context, text: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    # Jinja2's own would also make every kind of line end a plain one.
    budget = budget_of(context)
    length = len(width) if isinstance(width, str) else max(width, 0)
    written = write(budget, text)
    count = written.count("\n") + 1
    budget.spend(count)
    budget.spend_text(length * count)
    margin = width if isinstance(width, str) else " " * width
    lines = written.split("\n")
    indented = [margin + line if blank or line not in ("", "\r") else line for line in lines[1:]]
    return "\n".join([margin + lines[0] if first else lines[0], *indented])


def _refuse_digits(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        message = f"{name} takes strings of up to {_MAX_DIGITS} characters"
        raise ValueError(message)


def _int(value: Any, default: int = 0, base: int = 10) -> int:
    _refuse_digits("int", value)
    return filters.do_int(value, default, base)


def _float(value: Any, default: float = 0.0) -> float:
    _refuse_digits("float", value)
    return filters.do_float(value, default)


def _round(value: Any, precision: int = 0, method: Any = "common") -> float:
    if not -_MAX_DIGITS <= precision <= _MAX_DIGITS:
        message = f"round takes a precision from -{_MAX_DIGITS} to {_MAX_DIGITS}"
        raise ValueError(message)
    return filters.do_round(check_number(value), precision, method)


@pass_context
def _truncate(
    context: Context,
    text: Any,
    length: int = 255,
    killwords: bool = False,
    end: str = "...",
    leeway: int | None = None,
) -> str:
    if length < len(end) or (leeway or 0) < 0:
        message = "truncate takes no length below that of its end, and no leeway below 0"
        raise ValueError(message)
    written = write(budget_of(context), text)
    return filters.do_truncate(context.environment, written, length, killwords, end, leeway)


@pass_context
def _map(context: Context, values: Any, *arguments: Any, **options: Any) -> Any:
    if arguments and arguments[0] not in FILTERS:  # the compiler's own are not for templates
        message = f"there is no filter {str(arguments[0])[:_MAX_PATH]!r}"
        raise ValueError(message)
    return _BUILTIN["map"](context, values, *arguments, **options)


@pass_context
def _join(context: Context, values: Any, separator: Any = "", attribute: str | None = None) -> str:
    if attribute is not None:
        values = map(filters.make_attrgetter(context.environment, attribute), values)
    budget = budget_of(context)
    items = [str(value) for value in values]
    between = write(budget, separator)
    budget.spend_text(sum(map(len, items)) + len(between) * len(items))
    return between.join(items)


@pass_context
def _replace(context: Context, text: Any, old: Any, new: Any, count: int | None = None) -> str:
    budget = budget_of(context)
    written, wanted, other = (write(budget, value) for value in (text, old, new))
    return replace(budget, written, wanted, other, -1 if count is None else count)


def replace(budget: Budget, text: str, old: str, new: str, count: int = -1) -> str:
    """Replace a part of a string; the steps for what is made are spent before."""
    spend_search(budget, old, text)
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    budget.spend_text(times * len(new))
    budget.spend_text(len(text))
    return text.replace(old, new, count)


@pass_context
def _sum(context: Context, values: Any, attribute: str | None = None, start: Any = 0) -> Any:
    if attribute is not None:
        values = map(filters.make_attrgetter(context.environment, attribute), values)
    numbers = [_number("the filter 'sum'", value) for value in (start, *values)]
    return check_number(sum(numbers))


@pass_context
def _trim(context: Context, text: Any, characters: str | None = None) -> str:
    return strip(budget_of(context), str.strip, write(budget_of(context), text), characters)


@pass_context
def _unique(
    context: Context, values: Any, case_sensitive: bool = False, attribute: str | None = None
) -> list[Any]:
    # Hashing the items themselves would take a time that whoever gives them can choose.
    fold = None if case_sensitive else filters.ignore_case
    key = filters.make_attrgetter(context.environment, attribute, postprocess=fold)
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(json.dumps(key(value), sort_keys=True, default=_refuse_json), value)
    return list(seen.values())


def _number(who: str, value: Any) -> Any:
    if isinstance(value, Undefined):
        return value + 0  # which raises that it is undefined
    if not isinstance(value, (int, float)):
        message = f"{who} takes numbers only"
        raise TypeError(message)
    return check_number(value)


def _counted(name: str, function: _Function, cost: _Cost) -> _Function:
    """Return a filter that spends what it reads and makes, and returns a list for an iterator."""
    passed = getattr(function, "jinja_pass_arg", None)
    place = _PATHS.get(name)

    @functools.wraps(function)
    def counted(context: Context, value: Any, *arguments: Any, **options: Any) -> Any:
        budget = budget_of(context)
        cost(budget, value)
        if place is not None:
            path = arguments[place] if len(arguments) > place else options.get("attribute")
            _spend_path(budget, value, path)
        first = () if passed is None else (_passed(context, passed.name),)
        result = function(*first, value, *arguments, **options)
        return list(result) if hasattr(result, "__next__") else result

    return pass_context(counted)


def _passed(context: Context, name: str) -> Any:
    """Return what a filter of Jinja2 asks for before its value."""
    if name == "context":
        return context
    return context.eval_ctx if name == "eval_context" else context.environment


def _spend_path(budget: Budget, values: Any, path: Any) -> None:
    """Spend the steps of following a dotted path into every item."""
    if not isinstance(path, str):
        budget.spend_items(values)
        return
    if len(path) > _MAX_PATH:
        message = f"a path into the items has at most {_MAX_PATH} characters"
        raise ValueError(message)
    budget.spend_items(values, 2 + path.count(".") + path.count(","))


def _counted_test(function: _Function) -> _Function:
    """Return a test that spends what it compares or writes."""

    @functools.wraps(function)
    def counted(context: Context, *values: Any) -> bool:
        budget = budget_of(context)
        for value in values:
            budget.spend_deep(value)
        return bool(function(*values))

    return pass_context(counted)


def _number_test(name: str, function: _Function) -> _Function:
    """Refuse strings in a test that calculates: Python's ``%`` would fill them in as formats."""

    @functools.wraps(function)
    def numeric(*values: Any) -> bool:
        return bool(function(*(_number(f"the test {name!r}", value) for value in values)))

    return numeric


@pass_context
def _in_test(context: Context, value: Any, container: Any) -> bool:
    return is_in(budget_of(context), value, container)


_PATHS: Final = {
    "join": 1, "map": 99, "max": 1, "min": 1, "rejectattr": 0, "selectattr": 0, "sort": 2,
    "sum": 0, "unique": 1,
}  # fmt: skip
"""Filters that follow a path into every item, and which argument the path is."""

_OWN: Final[dict[str, _Function]] = {
    "float": _float, "indent": _indent, "int": _int, "join": _join, "map": _map,
    "replace": _replace, "round": _round, "sum": _sum, "tojson": write_json, "trim": _trim,
    "truncate": _truncate, "unique": _unique,
}  # fmt: skip
_COSTS: Final[dict[str, _Cost]] = {
    **dict.fromkeys(
        (
            "count", "d", "default", "first", "float", "indent", "int", "last", "length",
            "replace", "round", "tojson", "trim", "truncate",
        ),
        _nothing,
    ),
    **dict.fromkeys(("items", "list", "reverse"), Budget.spend_items),
    **dict.fromkeys(("map", "reject", "rejectattr", "select", "selectattr", "sum"), _calls),
    **dict.fromkeys(
        (
            "abs", "capitalize", "dictsort", "join", "lower", "max", "min", "sort", "string",
            "unique", "upper",
        ),
        Budget.spend_deep,
    ),
    **dict.fromkeys(("title", "wordcount"), _words),
}  # fmt: skip
"""What each filter spends before it runs; those with nothing here spend it themselves."""

FILTERS: Final[dict[str, _Function]] = {
    name: _counted(name, _OWN[name] if name in _OWN else _BUILTIN[name], cost)
    for name, cost in sorted(_COSTS.items())
}
"""The filters that there are."""

TESTS: Final[dict[str, _Function]] = (
    {
        name: _BUILTIN_TESTS[name]
        for name in (
            "boolean", "defined", "false", "float", "integer", "iterable", "mapping", "none",
            "number", "sequence", "string", "true", "undefined",
        )
    }
    | {
        name: _counted_test(_BUILTIN_TESTS[name])
        for name in (
            "!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt", "le",
            "lessthan", "lower", "lt", "ne", "upper",
        )
    }
    | {
        name: _number_test(name, _BUILTIN_TESTS[name])
        for name in ("divisibleby", "even", "odd")
    }
    | {"in": _in_test}
)  # fmt: skip
"""The tests that there are."""
