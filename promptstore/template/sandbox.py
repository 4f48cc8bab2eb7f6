"""Jinja2's immutable sandbox made narrower: data has keys and items, and all work is counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, Final

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context, LoopContext, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from promptstore.template.filters import language_filters, language_tests, write_json
from promptstore.template.language import LOOP_ATTRIBUTES, MAX_PARTS, TOO_LARGE
from promptstore.template.spending import (
    CONTAINERS,
    MAX_INTEGER_BITS,
    budget_of,
    spend,
    spend_deep,
    write,
)

_KINDS: Final = ((dict, "object"), (list, "list"), (str, "text"))


class MissingVariable(jinja2.UndefinedError):
    """A name from outside that has no value.

    Args:
        name: The name.
    """

    def __init__(self, name: str, _message: str) -> None:
        super().__init__(name)
        self.name = name


class _Undefined(StrictUndefined):
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
        kind = next((word for of, word in _KINDS if isinstance(self._undefined_obj, of)), "value")
        key: Any = self._undefined_name
        if isinstance(key, CONTAINERS):
            return f"the {kind} has no item for a key that is a list or an object"
        return f"the {kind} has no {key!r}"

    def __repr__(self) -> str:
        # A list prints its items by their repr: what is not there must not pass as text.
        return str(self)


class OptionalUndefined(_Undefined):
    """An optional variable without a value: false in a condition, an error anywhere else."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


class _PartCounter(Extension):
    """Stops the reading of a template that has too many parts."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for number, token in enumerate(stream):
            if number > MAX_PARTS:
                raise jinja2.TemplateSyntaxError(TOO_LARGE, token.lineno)
            yield token


class Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which data has keys and items, and nothing else."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up a key of an object, or a field of a loop."""
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, LoopContext) and attribute in LOOP_ATTRIBUTES:
            return getattr(obj, attribute)
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up a key of an object, or an item of a list or text."""
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
        """Calculate with numbers, or put two texts or lists together."""
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            _refuse_large(left)
            _refuse_large(right)
            return _refuse_large(super().call_binop(context, operator, left, right))
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return left + right
        texts = isinstance(left, str) and isinstance(right, str)
        lists = isinstance(left, list) and isinstance(right, list)
        if operator == "+" and (texts or lists):
            spend(budget_of(context), left)
            spend(budget_of(context), right)
            return left + right
        message = f"the operator {operator} works between numbers only"
        raise TypeError(message)

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow `range`, and what a loop offers."""
        return obj is _range or getattr(obj, "__self__", None).__class__ is LoopContext


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Make the one environment that compiles and runs all templates."""
    made = Environment(
        undefined=_Undefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,
        cache_size=0,
        extensions=[_PartCounter],
    )
    made.globals = {"range": _range}
    # Jinja2's own annotations of the two tables are narrower than what it takes.
    filters: Any = language_filters() | _INTERNAL_FILTERS
    tests: Any = language_tests()
    made.filters, made.tests = filters, tests
    return made


def _refuse_large(number: Any) -> Any:
    if isinstance(number, int) and number.bit_length() > MAX_INTEGER_BITS:
        message = f"an integer of more than {MAX_INTEGER_BITS} bits"
        raise ValueError(message)
    return number


@jinja2.pass_context
def _range(context: Context, *bounds: int) -> list[int]:
    numbers = range(*bounds)
    try:
        length = len(numbers)
    except OverflowError:
        length = sys.maxsize
    budget_of(context).spend_rounds(length)
    return list(numbers)


@jinja2.pass_context
def _count_rounds(context: Context, iterable: Any, weight: int) -> Any:
    if isinstance(iterable, (str, *CONTAINERS)):
        budget_of(context).spend_rounds(len(iterable) * weight)
    return iterable


@jinja2.pass_context
def _print(context: Context, value: Any) -> Any:
    if isinstance(value, CONTAINERS):
        spend_deep(budget_of(context), value)
    return value


@jinja2.pass_context
def _capture(context: Context, value: Any) -> str:
    budget = budget_of(context)
    text = write(budget, value)
    budget.spend_characters(len(text))
    return text


@jinja2.pass_context
def _concatenate(context: Context, items: list[Any]) -> str:
    budget = budget_of(context)
    texts = [write(budget, item) for item in items]
    budget.spend_characters(sum(map(len, texts)))
    return "".join(texts)


@jinja2.pass_context
def _spend(context: Context, value: Any) -> Any:
    return spend(budget_of(context), value)


@jinja2.pass_context
def _weigh(context: Context, value: Any) -> Any:
    spend_deep(budget_of(context), value)
    return value


def _check_key(value: Any) -> Any:
    if isinstance(value, CONTAINERS):
        message = "the key of an object is a text or a number"
        raise TypeError(message)
    return value


@jinja2.pass_context
def _look_up(context: Context, name: str) -> Any:
    value = context.resolve_or_missing(name)
    absent = value is missing or value is _range
    return context.environment.undefined(name=name) if absent else value


@jinja2.pass_context
def _write_flat(context: Context, value: Any) -> str:
    return value if isinstance(value, str) else write_json(context, value)


_INTERNAL_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    " capture": _capture,
    " count": _count_rounds,
    " join": _concatenate,
    " key": _check_key,
    " print": _print,
    " spend": _spend,
    " text": _write_flat,
    " variable": _look_up,
    " weigh": _weigh,
}
"""Filters that only the compiler puts in; the space keeps templates from naming them."""
