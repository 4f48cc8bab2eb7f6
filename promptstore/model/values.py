"""Frozen copies of JSON values, which can be shared safely, and what a text of JSON may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from promptstore.errors import InvalidArgumentError

MAX_DEPTH: Final = 100
"""How deep a JSON value may be nested: in a file, in a prompt, and in a value for a variable."""


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed; ``value | {...}`` or `thaw` makes one that can."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError(
            "this value belongs to a prompt and cannot be changed; "
            "make your own copy first, for example with `value | {...}` or `promptstore.thaw`"
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


class FrozenList(list[Any]):
    """A list that cannot be changed; ``value + [...]`` or `thaw` makes one that can."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError(
            "this value belongs to a prompt and cannot be changed; "
            "make your own copy first, for example with `value + [...]` or `promptstore.thaw`"
        )

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = _refuse
    reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (list(self),)

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))


_FROZEN: Final = frozenset({str, int, float, bool, type(None), FrozenDict, FrozenList})


def freeze(value: Any) -> Any:
    """Copy a JSON value into dicts and lists that cannot be changed.

    Raises:
        InvalidArgumentError: It is nested too deeply, or holds itself.
    """
    return _freeze(value, 1)


def _freeze(value: Any, depth: int) -> Any:
    if type(value) in _FROZEN:
        return value
    is_mapping = isinstance(value, (dict, Mapping))
    if not is_mapping and not isinstance(value, (list, tuple)):
        return value
    if depth > MAX_DEPTH:
        raise InvalidArgumentError(
            message=f"this value is nested deeper than {MAX_DEPTH} levels, which no prompt can be; "
            "make it flatter, or keep it as a text"
        )
    # Most items are plain: a call for each takes half of the time.
    if is_mapping:
        return FrozenDict(
            {
                key: item if type(item) in _FROZEN else _freeze(item, depth + 1)
                for key, item in value.items()
            }
        )
    return FrozenList(
        [item if type(item) in _FROZEN else _freeze(item, depth + 1) for item in value]
    )


def thaw(value: Any) -> Any:
    """Copy a frozen JSON value into ordinary dicts and lists."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [thaw(item) for item in value]
    return value


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: one with half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
