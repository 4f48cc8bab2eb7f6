"""What the arguments of the public methods may be; anything else is an error in a sentence."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from types import NoneType
from typing import Any, Final, TypeAlias

from promptstore.errors import InvalidArgumentError
from promptstore.model.faults import kind_of
from promptstore.model.parts import Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.values import check_name, is_unicode
from promptstore.template import Limits

_Types: TypeAlias = tuple[type, ...]


def check_arguments(**given: Any) -> None:
    """Check that arguments have a type that their name takes.

    Args:
        given: The arguments by name.

    Raises:
        InvalidArgumentError: One has another type.
    """
    for name, value in given.items():
        types, wanted = _WANTED[name]
        if isinstance(value, str) and not is_unicode(value):
            message = f"{name} {value!r} holds half of a surrogate pair, which no UTF-8 can carry"
            raise InvalidArgumentError(message=message)
        if not (_is_one(value, types) and (name not in _MORE or _MORE[name](value))):
            shown = f" ({value!r})" if isinstance(value, (bool, int, float)) else ""
            message = f"{name.removesuffix('_by_name')} must be {wanted}, not {kind_of(value)}"
            raise InvalidArgumentError(message=message + shown)


def check_attribution(given: Mapping[str, Any]) -> None:
    """Check who commits, and what the commit says.

    Raises:
        InvalidArgumentError: An argument is not known, or has another type.
    """
    for name in given:
        if name not in _ATTRIBUTION:
            near = get_close_matches(name, _ATTRIBUTION, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_ATTRIBUTION)}"
            raise InvalidArgumentError(message=f"the argument {name} is not known; {hint}")
    check_arguments(**given)
    if given.get("authored_at") is not None:
        check_zone(given["authored_at"])


def check_one_of(**given: Any) -> None:
    """Check that at most one of some arguments is given.

    Raises:
        InvalidArgumentError: There are more.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        message = f"{' and '.join(names)} exclude each other: give one of them"
        raise InvalidArgumentError(message=message)


def check_selection(
    *,
    version: int | None = None,
    label: str | None = None,
    rev: str | datetime | None = None,
    at: datetime | None = None,
) -> None:
    """Check what says which version of a prompt is meant: at most one of the first three.

    Raises:
        InvalidArgumentError: One has another type, there are more, or a time has no label.
    """
    check_arguments(version=version, label=label, rev=rev, at=at)
    check_one_of(version=version, label=label, rev=rev)
    if at is not None and label is None:
        raise InvalidArgumentError(
            message="at says when a label is looked at: give a label, or give the time as rev"
        )


def check_zone(time: datetime) -> None:
    """Check that a time has a time zone.

    Raises:
        InvalidArgumentError: It has none.
    """
    if time.tzinfo is None:
        raise InvalidArgumentError(
            message=f"the time {time.isoformat()} has no time zone; "
            "say which one, for example with `.astimezone()`"
        )


def _is_one(value: Any, types: _Types) -> bool:
    # To Python True and False are numbers.
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _maps_names(types: _Types) -> Callable[[Any], bool]:
    def check(value: Mapping[Any, Any] | None) -> bool:
        return all(_is_one(item, types) for name, item in (value or {}).items() if check_name(name))

    return check


def _is_duration(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _lists_strings(value: Sequence[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


def _maps_strings(value: Mapping[Any, Any] | None) -> bool:
    return all(isinstance(item, str) for pair in (value or {}).items() for item in pair)


_OPTIONAL: Final = (str, NoneType)
_NUMBER: Final = (int, NoneType)
_REV: Final = (str, datetime, NoneType)
_TIME: Final = (datetime, NoneType)
_MAPPING: Final = (Mapping, NoneType)
_A_STRING: Final = "a string"
_A_NUMBER: Final = "a number, such as 3"
_A_PERSON: Final = "a string, as `Name <email>`"
_NUMBERS: Final = "a mapping of names to numbers"
_ATTRIBUTION: Final = ("message", "author", "committer", "authored_at", "trailers")
_WANTED: Final[dict[str, tuple[_Types, str]]] = {
    "path": ((str, os.PathLike), "a string or a path"),
    **dict.fromkeys(("root", "prefix", "one", "other"), ((str,), _A_STRING)),
    **dict.fromkeys(
        ("branch", "new_branch", "label", "tag", "search", "reason", "message"),
        (_OPTIONAL, _A_STRING),
    ),
    **dict.fromkeys(("deleted", "wait"), ((bool,), "True or False")),
    "worktree": ((bool, NoneType), "True or False"),
    **dict.fromkeys(("version", "expected_version", "expected"), (_NUMBER, _A_NUMBER)),
    **dict.fromkeys(("expected_by_name", "expected_versions"), (_MAPPING, _NUMBERS)),
    **dict.fromkeys(("lock_timeout", "refresh_interval"), ((int, float), "a number of seconds")),
    **dict.fromkeys(("author", "committer"), (_OPTIONAL, _A_PERSON)),
    **dict.fromkeys(("at", "authored_at"), (_TIME, "a datetime")),
    "fetch_interval": ((int, float, NoneType), "a number of seconds above 0"),
    "on_bad": ((str,), "'keep' or 'serve'"),
    "package": ((str,), "the name of a package"),
    "resource": ((str,), "the path of a file in the package"),
    "only": ((list, tuple), "a list of patterns of names"),
    "label_names": ((list, tuple), "a list of labels"),
    "with_history": ((int,), "a number from 1"),
    "bundle": ((object,), "a Bundle, as `read_bundle` returns it"),
    "replaced_by": (_OPTIONAL, "the name of a prompt"),
    "rev": (_REV, "a string that git resolves, such as a branch or a commit, or a datetime"),
    "limits": ((Limits, NoneType), "Limits"),
    "progress": ((Callable, NoneType), "a function"),  # type: ignore[dict-item]
    "versions": ((Mapping,), "a mapping of names to numbers, revs or None"),
    "names": ((list, tuple, set, frozenset), "a list of names"),
    "edits": ((Mapping,), "a mapping of names to edits"),
    "base": (_MAPPING, "a Snapshot"),
    "trailers": (_MAPPING, "a mapping of strings to strings"),
}
_MORE: Final[dict[str, Callable[[Any], bool]]] = {
    "lock_timeout": _is_duration,
    "refresh_interval": _is_duration,
    "fetch_interval": lambda value: value is None or (_is_duration(value) and value > 0),
    "on_bad": lambda value: value in ("keep", "serve"),
    "only": _lists_strings,
    "label_names": _lists_strings,
    "with_history": lambda value: value > 0,
    "bundle": lambda value: type(value).__name__ == "Bundle",  # most stores never load the class
    "expected_by_name": _maps_names((int,)),
    "expected_versions": _maps_names((int,)),
    "versions": _maps_names((int, *_REV)),
    "names": lambda value: all(check_name(name) for name in value),
    "trailers": _maps_strings,
}


PromptLike: TypeAlias = Prompt | str | Sequence[Mapping[str, Any] | Message | Insert]
"""A prompt, the text of a text prompt, or the messages of a chat prompt."""


def to_prompt(value: PromptLike) -> Prompt:
    """Return a prompt for what a caller gave for one.

    Args:
        value: A prompt, the text of a text prompt, or the messages of a chat prompt.

    Raises:
        InvalidArgumentError: It is none of these, or no valid prompt.
    """
    if isinstance(value, Prompt):
        return value
    if isinstance(value, str):
        return Prompt(prompt=value)
    if isinstance(value, (list, tuple)):
        return Prompt(messages=tuple(value))
    raise InvalidArgumentError(
        message=f"{kind_of(value)} is no prompt; give a Prompt, a string for a text prompt, or a "
        'list of messages such as [{"role": "user", "content": "Hi"}]'
    )
