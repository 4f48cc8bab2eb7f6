"""What a name and a JSON value may be, and how a class of the model is checked when it is made."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Strict, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from promptstore.errors import InvalidArgumentError, InvalidNameError
from promptstore.model.faults import Fault, KeyPath, faults_of, kind_of, named, refuse

MAX_DEPTH: Final = 100
"""How deep a JSON value may be nested: in a file, in a prompt, and in a value for a variable."""


MAX_DIGITS: Final = 4300
"""How many digits an integer may have: Python reads and writes no more by default."""

INTEGER_BOUND: Final = 10**MAX_DIGITS

_T = TypeVar("_T")


class UnfitValueError(ValueError):
    """A value that is not JSON, or not of its type; its message reads after the value's name."""


def plain_json(value: Any) -> Any:
    """Copy a value into plain dict, list, str, int, float, bool and None.

    Args:
        value: Any value. Subclasses of str, int, float, list, tuple and mappings are taken for
            what they hold; any other object is refused.

    Returns:
        The copy.

    Raises:
        UnfitValueError: It is not JSON, is nested too deeply, or holds a huge integer.
    """
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise UnfitValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if type(value) is dict:
        return {
            # Most of what a value holds is plain ASCII: a call for each takes half of the time.
            (key if type(key) is str and key.isascii() else _plain_key(key)): (
                item if type(item) is str and item.isascii() else _plain(item, depth + 1)
            )
            for key, item in value.items()
        }
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _plain_string(value)
    if isinstance(value, int):
        return _plain_integer(value)
    if isinstance(value, float):
        return _plain_float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item, depth + 1) for key, item in value.items()}
    raise UnfitValueError(
        f"holds {kind_of(value)}; give a string, a number, true, false, null, a list or a dict"
    )


def _plain_string(value: str) -> str:
    text = value if type(value) is str else str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnfitValueError(
            f"holds half of a surrogate pair at character {error.start + 1}, "
            "which no UTF-8 text can carry"
        ) from None
    return text


def _plain_integer(value: int) -> int:
    number = int.__int__(value)
    if -INTEGER_BOUND < number < INTEGER_BOUND:
        return number
    raise UnfitValueError(f"holds an integer of more than {MAX_DIGITS:,} digits")


def _plain_float(value: float) -> float:
    number = float.__float__(value)
    if math.isfinite(number):
        return number
    raise UnfitValueError(f"holds {number}, which JSON does not have")


def _plain_key(key: Any) -> str:
    if not isinstance(key, str):
        raise UnfitValueError(f"has the key {key!r}, which is not a string")
    return _plain_string(key)


def equal_as_json(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same JSON: true is not 1, and 1 is not 1.0.

    The order of the keys of an object does not count, as for JSON.
    """
    return one is other or as_key(one) == as_key(other)


def as_key(value: Any) -> str:
    """Return a string that two plain values share when they are the same JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def unicode_string(text: str) -> str:
    """Return a string unchanged when it can be written as UTF-8.

    Raises:
        UnfitValueError: It holds half of a surrogate pair.
    """
    return text if text.isascii() else _plain_string(text)


String: TypeAlias = Annotated[str, Strict(), AfterValidator(unicode_string)]
"""A string that can be written as UTF-8."""

Json: TypeAlias = Annotated[Any, BeforeValidator(plain_json)]
"""Any JSON value, as a plain copy."""

JsonObject: TypeAlias = Annotated[dict[str, Any], BeforeValidator(plain_json)]
"""A JSON object, as a plain copy."""


def null_faults(
    value: Mapping[str, Any], path: KeyPath = (), free: Collection[str] = ()
) -> Iterator[Fault]:
    """Find the keys that have no value although they should, ``x-…`` keys aside.

    Args:
        value: The mapping.
        path: Its place.
        free: The keys that need no value.

    Yields:
        Each fault.
    """
    for key, item in value.items():
        if item is None and key not in free and not key.startswith("x-"):
            hint = 'write a value ("" is an empty string), or remove the key'
            message = f"{named((*path, key))} has no value; {hint}."
            yield Fault((*path, key), "wrong_value", message)


def validated(
    check: Callable[[Any], Iterable[Fault]] = lambda _: (),
) -> Callable[[type[_T]], type[_T]]:
    """Return a decorator that lets pydantic check a dataclass when it is made.

    What it finds is raised as an error of ours. A validator is built when it is first needed:
    that of a whole prompt holds all others, and most processes need no more.

    Args:
        check: Finds what is wrong between the keys of an object whose fields are right.
    """

    def decorate(cls: type[_T]) -> type[_T]:
        made: Any = cls
        names = tuple(field.name for field in fields(made))

        @functools.wraps(cls.__init__)
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            if len(args) > len(names):
                message = f"{cls.__name__} takes at most {len(names)} values, not {len(args)}."
                raise InvalidArgumentError(message=message)
            given = ArgsKwargs((), {**dict(zip(names, args, strict=False)), **kwargs})
            try:
                adapter_of(made).validator.validate_python(given, self_instance=self)
            except ValidationError as error:
                raise refuse(faults_of(error, names)) from None
            faults = list(check(self))
            if faults:
                raise refuse(faults)

        cls.__init__ = init  # type: ignore[method-assign]
        return cls

    return decorate


@functools.cache
def adapter_of(cls: type[Any]) -> TypeAdapter[Any]:
    """Return what checks plain values for a class of the model."""
    return TypeAdapter(cls)


def is_unicode(text: str) -> bool:
    """Return whether a string can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


MAX_LENGTH = 255
SUFFIX = ".yaml"

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
NAME_PATTERN = rf"{_SEGMENT}(?:/{_SEGMENT})*"
"""What a name matches, as a regular expression."""

_NAME = re.compile(NAME_PATTERN)


def check_name(name: str) -> str:
    """Return the name unchanged when it can be a prompt's name.

    Args:
        name: For example ``support/triage``.

    Returns:
        The same name.

    Raises:
        InvalidNameError: It is empty, too long, leaves the root, or holds another character.
    """
    if not isinstance(name, str):
        raise InvalidNameError(
            name=str(name), reason=f"it is a {type(name).__name__}, not a string"
        )
    if _NAME.fullmatch(name) and len(name) <= MAX_LENGTH:
        return name
    raise InvalidNameError(name=name, reason=_reason(name))


def is_name(text: object) -> bool:
    """Return whether a value can be a prompt's name."""
    return isinstance(text, str) and len(text) <= MAX_LENGTH and _NAME.fullmatch(text) is not None


def near_matches(wrong: str, known: Iterable[str]) -> list[str]:
    """Find up to three known names that a person may have meant.

    Args:
        wrong: The name that is not known.
        known: The names that there are.

    Returns:
        The nearest first; empty when none is near.
    """
    from difflib import get_close_matches  # only errors need it

    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(name.casefold(), name)
    # A person may have given the path of the file.
    folded = wrong.casefold().removesuffix(SUFFIX)
    meant = [key for key in by_folded if f"/{folded}".endswith(f"/{key}")]
    close = get_close_matches(folded, by_folded, n=3, cutoff=0.7)
    last = folded.rpartition("/")[2]
    same_leaf = [key for key in by_folded if last and key.rpartition("/")[2] == last]
    ordered = dict.fromkeys([*meant, *close, *sorted(same_leaf)])
    return [by_folded[key] for key in ordered][:3]


def _reason(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > MAX_LENGTH:
        return f"it has {len(name)} characters, {MAX_LENGTH} are allowed"
    if name.startswith("/") or name.endswith("/") or "//" in name:
        return "it has an empty segment"
    for segment in name.split("/"):
        if segment.startswith((".", "-")):
            return f"the segment {segment!r} starts with {segment[0]!r}"
    odd = next((c for c in name if not re.fullmatch(r"[A-Za-z0-9_./-]", c)), "")
    return f"it holds {odd!r}"


def is_deep(value: Any) -> bool:
    """Return whether a JSON value is nested deeper than a prompt file may be."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)
