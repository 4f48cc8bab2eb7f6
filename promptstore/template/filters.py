"""The filters and tests of the template language, each bounded before it can grow."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import filters, pass_context, tests
from jinja2.runtime import Context, Undefined

from promptstore.template.base import Budget
from promptstore.template.spending import CONTAINERS, budget_of, spend, spend_deep, write

_PLAIN_FILTERS: Final = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "items",
    "last", "length", "list", "lower", "max", "min", "reject", "rejectattr", "reverse",
    "select", "selectattr", "sort", "string", "sum", "title", "trim", "unique",
    "upper", "wordcount",
)  # fmt: skip
_CONSTANT_TIME: Final = frozenset({"count", "d", "default", "first", "last", "length"})
_WALK_ALL: Final = frozenset({
    "capitalize", "dictsort", "indent", "join", "lower", "max", "min", "replace", "sort", "string",
    "title", "trim", "truncate", "unique", "upper", "wordcount",
})  # fmt: skip
"""Filters that write or compare what they are given, to the bottom."""
_FOLLOW_PATHS: Final = frozenset({
    "join", "map", "max", "min", "rejectattr", "selectattr", "sort", "sum", "unique",
})  # fmt: skip
"""Filters that follow a dotted path into every item."""

_PLAIN_TESTS: Final = (
    "boolean", "defined", "false", "float", "integer", "iterable", "mapping", "none", "number",
    "sequence", "string", "true", "undefined",
)  # fmt: skip
_COMPARING_TESTS: Final = (
    "!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt", "in", "le",
    "lessthan", "lt", "ne",
)  # fmt: skip
_NUMBER_TESTS: Final = ("divisibleby", "even", "odd")
_TEXT_TESTS: Final = ("lower", "upper")

_MAX_DIGITS: Final = 300
_MAX_INDENT: Final = 16


def language_tests() -> dict[str, Callable[..., Any]]:
    """Make the table of tests."""
    builtin: Mapping[str, Any] = tests.TESTS
    return (
        {name: builtin[name] for name in _PLAIN_TESTS}
        | {name: _counted_test(builtin[name]) for name in (*_COMPARING_TESTS, *_TEXT_TESTS)}
        | {name: _number_test(name, builtin[name]) for name in _NUMBER_TESTS}
    )


def language_filters() -> dict[str, Callable[..., Any]]:
    """Make the table of filters."""
    builtin: Mapping[str, Any] = filters.FILTERS
    own: dict[str, Any] = {
        "indent": _indent,
        "int": _int,
        "join": _join,
        "map": _map,
        "replace": _replace,
        "round": _round,
        "tojson": write_json,
        "truncate": _truncate,
    }
    plain = {name: builtin[name] for name in _PLAIN_FILTERS}
    return {name: _bounded(name, function) for name, function in (plain | own).items()}


@pass_context
def write_json(context: Context, value: Any, indent: int | None = None) -> str:
    """Write a value as plain JSON: letters as they are, keys in their order."""
    if indent is not None and not 0 <= indent <= _MAX_INDENT:
        message = f"tojson takes an indent from 0 to {_MAX_INDENT}"
        raise ValueError(message)
    spend_deep(budget_of(context), value, indent or 0)
    return json.dumps(
        value, ensure_ascii=False, indent=indent, allow_nan=False, default=_refuse_json
    )


def _refuse_json(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # which tells that it is undefined
    message = "a value that is not JSON cannot be written as JSON"
    raise TypeError(message)


def _counted_test(function: Callable[..., bool]) -> Callable[..., bool]:
    """Let a test spend what it compares or writes."""

    @functools.wraps(function)
    def counted(context: Context, *values: Any) -> bool:
        budget = budget_of(context)
        for value in values:
            spend_deep(budget, value)
        return function(*values)

    return pass_context(counted)


def _number_test(name: str, function: Callable[..., bool]) -> Callable[..., bool]:
    """Keep texts from a test that calculates: Python's ``%`` would fill them in as formats."""

    @functools.wraps(function)
    def numeric(*values: Any) -> bool:
        for value in values:
            if not isinstance(value, (int, float, Undefined)):
                message = f"the test {name!r} takes numbers only"
                raise TypeError(message)
        return function(*values)

    return numeric


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a filter spend what it reads and makes; one that gives an iterator gives a list."""
    passed = getattr(function, "jinja_pass_arg", None)
    spend_input = spend_deep if name in _WALK_ALL else spend

    @functools.wraps(function)
    def bounded(context: Context, value: Any, *arguments: Any, **options: Any) -> Any:
        first = () if passed is None else (_passed(context)[passed.name],)
        budget = budget_of(context)
        if name not in _CONSTANT_TIME:
            spend_input(budget, value)
            for argument in (*arguments, *options.values()):
                spend(budget, argument)
                if name in _FOLLOW_PATHS:
                    _spend_path(budget, value, argument)
        result = function(*first, value, *arguments, **options)
        if hasattr(result, "__next__"):
            result = list(result)
        return spend(budget, result)

    return pass_context(bounded)


def _passed(context: Context) -> dict[str, Any]:
    return {
        "context": context,
        "eval_context": context.eval_ctx,
        "environment": context.environment,
    }


def _spend_path(budget: Budget, values: Any, path: Any) -> None:
    if isinstance(path, str) and isinstance(values, (str, *CONTAINERS)):
        budget.spend_characters(path.count(".") * len(values))


@pass_context
def _indent(
    context: Context, text: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    # Jinja2's own would also make every kind of line end a plain one.
    budget = budget_of(context)
    margin = width if isinstance(width, str) else _spaces(budget, width)
    lines = write(budget, text).split("\n")
    budget.spend_characters(len(margin) * len(lines))
    indented = [margin + line if blank or line not in ("", "\r") else line for line in lines[1:]]
    return "\n".join([margin + lines[0] if first else lines[0], *indented])


def _spaces(budget: Budget, width: int) -> str:
    budget.spend_characters(max(width, 0))
    return " " * width


def _int(value: Any, default: int = 0, base: int = 10) -> int:
    if isinstance(value, str) and len(value) > _MAX_DIGITS:
        message = f"int takes texts of up to {_MAX_DIGITS} characters"
        raise ValueError(message)
    return filters.do_int(value, default, base)


def _round(value: Any, precision: int = 0, method: Any = "common") -> float:
    if not -_MAX_DIGITS <= precision <= _MAX_DIGITS:
        message = f"round takes a precision from -{_MAX_DIGITS} to {_MAX_DIGITS}"
        raise ValueError(message)
    return filters.do_round(value, precision, method)


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
    # A name is looked up among all filters, and those of the compiler are not for templates.
    if arguments and str(arguments[0]).startswith(" "):
        message = f"there is no filter {arguments[0]!r}"
        raise ValueError(message)
    builtin: Any = filters.FILTERS["map"]
    return builtin(context, values, *arguments, **options)


@pass_context
def _join(context: Context, values: Any, separator: Any = "", attribute: str | None = None) -> str:
    if attribute is not None:
        values = map(filters.make_attrgetter(context.environment, attribute), values)
    items = [str(value) for value in values]
    budget = budget_of(context)
    between = write(budget, separator)
    budget.spend_characters(sum(map(len, items)) + len(between) * len(items))
    return between.join(items)


@pass_context
def _replace(context: Context, text: Any, old: Any, new: Any, count: int | None = None) -> str:
    budget = budget_of(context)
    written, wanted, other = (write(budget, value) for value in (text, old, new))
    found = written.count(wanted)
    times = found if count is None or count < 0 else min(found, count)
    budget.spend_characters(times * len(other))
    return written.replace(wanted, other, -1 if count is None else count)
