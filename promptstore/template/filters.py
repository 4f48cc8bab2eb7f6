"""The filters and tests of the template language, each bounded before it can grow."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import filters, pass_context, tests
from jinja2.runtime import Context

from promptstore.template.base import Budget

BUDGET: Final = " budget"
"""Where a context keeps its `Budget`: under a name that no template can spell."""

TEST_NAMES: Final = (
    "!=", "<", "<=", "==", ">", ">=", "boolean", "defined", "divisibleby", "eq", "equalto", "even",
    "false", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan",
    "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "string", "true",
    "undefined", "upper",
)  # fmt: skip
_PLAIN_FILTERS: Final = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items",
    "last", "length", "list", "lower", "max", "min", "reject", "rejectattr", "reverse",
    "round", "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique",
    "upper", "wordcount",
)  # fmt: skip


_CONSTANT_TIME: Final = frozenset({"count", "d", "default", "first", "last", "length"})


def language_tests() -> dict[str, Callable[..., Any]]:
    """Make the table of tests."""
    builtin: Mapping[str, Any] = tests.TESTS
    return {name: builtin[name] for name in TEST_NAMES}


def language_filters() -> dict[str, Callable[..., Any]]:
    """Make the table of filters."""
    builtin: Mapping[str, Any] = filters.FILTERS
    table = {name: _bounded(name, builtin[name]) for name in _PLAIN_FILTERS}
    own: dict[str, Any] = {
        "map": _map,
        "indent": _indent,
        "join": _join,
        "replace": _replace,
        "tojson": _to_json,
    }
    return table | {name: _bounded(name, function) for name, function in own.items()}


def budget_of(context: Context) -> Budget:
    """Find the budget of the render that a context belongs to."""
    budget: Budget = context.parent[BUDGET]
    return budget


def spend(budget: Budget, value: Any) -> Any:
    """Count what an operation made, and give it on."""
    if isinstance(value, str):
        budget.spend_characters(len(value))
    elif isinstance(value, (list, tuple, dict)):
        budget.spend_rounds(len(value))
    return value


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a filter spend what it reads and makes; one that gives an iterator gives a list."""
    passed = getattr(function, "jinja_pass_arg", None)

    @functools.wraps(function)
    def bounded(context: Context, *arguments: Any, **options: Any) -> Any:
        first: tuple[Any, ...] = ()
        if passed is not None:
            first = (_passed(context)[passed.name],)
        budget = budget_of(context)
        if name not in _CONSTANT_TIME:
            spend(budget, arguments[0])
        result = function(*first, *arguments, **options)
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


@pass_context
def _indent(
    context: Context, text: str, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    size = len(width) if isinstance(width, str) else width
    budget_of(context).spend_characters(size * (text.count("\n") + 1))
    return filters.do_indent(text, width, first, blank)


@pass_context
def _map(context: Context, values: Any, *arguments: Any, **options: Any) -> Any:
    # A name is looked up among all filters, and those of the compiler are not for templates.
    if arguments and str(arguments[0]).startswith(" "):
        message = f"there is no filter {arguments[0]!r}"
        raise ValueError(message)
    builtin: Any = filters.FILTERS["map"]
    return builtin(context, values, *arguments, **options)


@pass_context
def _join(context: Context, values: Any, separator: str = "", attribute: str | None = None) -> str:
    items = [str(value) for value in values] if attribute is None else None
    if items is None:
        get = filters.make_attrgetter(context.environment, attribute)
        items = [str(get(value)) for value in values]
    separator = str(separator)
    length = sum(map(len, items)) + len(separator) * len(items)
    budget_of(context).spend_characters(length)
    return separator.join(items)


@pass_context
def _replace(context: Context, text: str, old: str, new: str, count: int | None = None) -> str:
    text, old, new = str(text), str(old), str(new)
    found = text.count(old)
    times = found if count is None or count < 0 else min(found, count)
    budget_of(context).spend_characters(times * len(new))
    return text.replace(old, new, -1 if count is None else count)


def _to_json(value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= 16:
        message = "tojson takes an indent from 0 to 16"
        raise ValueError(message)
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_refuse)


def _refuse(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    message = "a value that is not JSON cannot be written as JSON"
    raise TypeError(message)
