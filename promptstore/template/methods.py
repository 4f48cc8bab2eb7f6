"""The methods of strings, objects and lists that a template may call: a table of our functions.

Nothing is ever looked up on a value: the name of the method and the exact type of the value find
the function, and what it will cost is spent before it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from promptstore.template.filters import replace
from promptstore.template.sandbox import (
    LONG_SEARCH,
    budget_of,
    kind_of,
    spend_search,
    strip,
)
from promptstore.template.source import CONTAINERS, Budget

_Method: TypeAlias = Callable[..., Any]


def _pass_over(function: _Method) -> _Method:
    """Return a method that goes over the string once."""

    def method(budget: Budget, text: str, *arguments: Any) -> Any:
        budget.spend_text(len(text))
        for argument in arguments:
            budget.spend_deep(argument)
        return function(text, *arguments)

    return method


def _strip(function: _Method) -> _Method:
    def method(budget: Budget, text: str, characters: str | None = None) -> str:
        budget.spend_text(len(text))
        return strip(budget, function, text, characters)

    return method


def _search(function: _Method, *, backwards: bool = False) -> _Method:
    """Return a method that looks for a string in a string."""

    def method(budget: Budget, text: str, wanted: str, *bounds: int) -> Any:
        _check_wanted(wanted, backwards=backwards)
        spend_search(budget, wanted, text)
        return function(text, wanted, *bounds)

    return method


def _split(function: _Method, *, backwards: bool = False) -> _Method:
    """Return a method that splits a string at a separator or at white space."""

    def method(budget: Budget, text: str, sep: str | None = None, maxsplit: int = -1) -> Any:
        if sep is None:
            budget.spend(len(text))
        else:
            _check_wanted(sep, backwards=backwards)
            spend_search(budget, sep, text)
            budget.spend(text.count(sep) if sep else 0)
        return function(text, sep, maxsplit)

    return method


def _splitlines(budget: Budget, text: str, keepends: bool = False) -> list[str]:
    budget.spend(len(text))
    return text.splitlines(keepends)


def _pad(function: _Method) -> _Method:
    def method(budget: Budget, text: str, width: int, *fill: str) -> Any:
        budget.spend_text(max(width, len(text)))
        return function(text, width, *fill)

    return method


def _join(budget: Budget, text: str, items: Any) -> str:
    budget.spend_deep(items)
    budget.spend_items(items, 1 + len(text) // 16)
    return text.join(items)


def _get(_budget: Budget, value: dict[str, Any], key: Any, default: Any = None) -> Any:
    # A tuple would be hashed to the bottom; no object has such a key.
    return default if isinstance(key, CONTAINERS) else value.get(key, default)


def _listed(function: _Method) -> _Method:
    def method(budget: Budget, value: dict[str, Any]) -> Any:
        budget.spend_items(value)
        return list(function(value))

    return method


def _index(budget: Budget, value: Any, wanted: Any, *bounds: int) -> int:
    spend_search(budget, wanted, value)
    return int(value.index(wanted, *bounds))


def _count(budget: Budget, value: Any, wanted: Any) -> int:
    spend_search(budget, wanted, value)
    return int(value.count(wanted))


def _check_wanted(wanted: Any, *, backwards: bool) -> None:
    # Backwards, Python looks for a long string in a time that grows with both lengths.
    if backwards and isinstance(wanted, str) and len(wanted) > LONG_SEARCH:
        message = f"what is looked for from the end has at most {LONG_SEARCH} characters"
        raise ValueError(message)


_TEXT: Final[dict[str, _Method]] = {
    **{
        name: _pass_over(getattr(str, name))
        for name in (
            "capitalize", "casefold", "endswith", "isalnum", "isalpha", "isdecimal", "isdigit",
            "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "removeprefix",
            "removesuffix", "startswith", "swapcase", "title", "upper",
        )
    },
    **{name: _pad(getattr(str, name)) for name in ("center", "ljust", "rjust", "zfill")},
    **{name: _strip(getattr(str, name)) for name in ("lstrip", "rstrip", "strip")},
    **{name: _search(getattr(str, name)) for name in ("count", "find", "index", "partition")},
    **{
        name: _search(getattr(str, name), backwards=True)
        for name in ("rfind", "rindex", "rpartition")
    },
    "join": _join,
    "replace": replace,
    "rsplit": _split(str.rsplit, backwards=True),
    "split": _split(str.split),
    "splitlines": _splitlines,
}  # fmt: skip
_OBJECT: Final[dict[str, _Method]] = {
    "get": _get,
    "items": _listed(dict.items),
    "keys": _listed(dict.keys),
    "values": _listed(dict.values),
}
_LIST: Final[dict[str, _Method]] = {"count": _count, "index": _index}
_METHODS: Final[dict[type, dict[str, _Method]]] = {
    str: _TEXT,
    dict: _OBJECT,
    list: _LIST,
    tuple: _LIST,
}
METHOD_NAMES: Final = frozenset(name for methods in _METHODS.values() for name in methods)
"""The methods that there are, of any type."""


@pass_context
def call_method(
    context: Context, value: Any, method: str, /, *arguments: Any, **options: Any
) -> Any:
    """Call a method of a string, an object or a list.

    Args:
        context: The context of the render.
        value: What the method belongs to.
        method: Its name.
        arguments: What it is called with.
        options: What it is called with by keyword.

    Returns:
        What the method returns.

    Raises:
        TypeError: The value has no such method, or the method takes other arguments.
    """
    for given in (value, *arguments, *options.values()):
        if isinstance(given, Undefined):
            str(given)  # which raises that it is undefined
    function = _METHODS.get(type(value), {}).get(method)
    if function is None:
        message = f"{kind_of(value)} has no method {method!r}"
        raise TypeError(message)
    try:
        return function(budget_of(context), value, *arguments, **options)
    except TypeError as error:
        # Python's own sentence begins with the name of our function.
        raise TypeError(f"{method}: {str(error).rpartition('() ')[2]}") from error
