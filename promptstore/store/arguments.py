"""What the arguments of the public methods may be; anything else is an error in a sentence."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from promptstore.errors import InvalidArgumentError
from promptstore.model.values import check_name, is_unicode, kind_of
from promptstore.template import Limits


def check_arguments(**given: Any) -> None:
    """Check that arguments have a type that their name takes.

    Args:
        given: The arguments by name.

    Raises:
        InvalidArgumentError: One has another type.
    """
    for name, value in given.items():
        fits, wanted = _WANTED[name]
        if isinstance(value, str) and not is_unicode(value):
            message = f"{name} {value!r} holds half of a surrogate pair, which no UTF-8 can carry"
            raise InvalidArgumentError(message=message)
        if not fits(value):
            what = f"{kind_of(value)}{_shown(value)}"
            message = f"{name.removesuffix('_by_name')} must be {wanted}, not {what}"
            raise InvalidArgumentError(message=message)


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


def check_at(at: datetime | None, label: str | None) -> None:
    """Check that a time to look at a label comes with one.

    Raises:
        InvalidArgumentError: There is no label.
    """
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


def _shown(value: Any) -> str:
    return f" ({value!r})" if isinstance(value, (bool, int, float)) else ""


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _may_be_string(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _may_be_number(value: Any) -> bool:
    return value is None or _is_number(value)


def _may_be_rev(value: Any) -> bool:
    return value is None or isinstance(value, (str, datetime))


def _is_seconds(value: Any) -> bool:
    is_number = _is_number(value) or isinstance(value, float)
    return is_number and math.isfinite(value) and value >= 0


def _maps_names(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if value is None:
            return True
        if not isinstance(value, Mapping):
            return False
        for name in value:
            check_name(name)
        return all(map(fits, value.values()))

    return check


def _lists_names(value: Any) -> bool:
    is_list = isinstance(value, (list, tuple, set, frozenset))
    return is_list and all(check_name(name) for name in value)


def _lists_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def _maps_strings(value: Any) -> bool:
    return value is None or (
        isinstance(value, Mapping)
        and all(isinstance(item, str) for pair in value.items() for item in pair)
    )


_A_STRING: Final = "a string"
_A_NUMBER: Final = "a number, such as 3"
_A_REV: Final = "a string that git resolves, such as a branch or a commit, or a datetime"
_TRUE_OR_FALSE: Final = "True or False"
_ATTRIBUTION: Final = ("message", "author", "committer", "authored_at", "trailers")
_WANTED: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "path": (lambda value: isinstance(value, (str, os.PathLike)), "a string or a path"),
    "root": (_is_string, _A_STRING),
    "branch": (_may_be_string, _A_STRING),
    "worktree": (lambda value: value is None or isinstance(value, bool), _TRUE_OR_FALSE),
    "limits": (lambda value: value is None or isinstance(value, Limits), "Limits"),
    "lock_timeout": (_is_seconds, "a number of seconds"),
    "refresh_interval": (_is_seconds, "a number of seconds"),
    "fetch_interval": (
        lambda value: value is None or (_is_seconds(value) and value > 0),
        "a number of seconds above 0",
    ),
    "on_bad": (lambda value: value in ("keep", "serve"), "'keep' or 'serve'"),
    "bundle": (
        lambda value: type(value).__name__ == "Bundle",  # most stores never load the class
        "a Bundle, as `read_bundle` returns it",
    ),
    "package": (_is_string, "the name of a package"),
    "resource": (_is_string, "the path of a file in the package"),
    "only": (_lists_strings, "a list of patterns of names"),
    "label_names": (_lists_strings, "a list of labels"),
    "with_history": (lambda value: _is_number(value) and value > 0, "a number from 1"),
    "progress": (lambda value: value is None or callable(value), "a function"),
    "version": (_may_be_number, _A_NUMBER),
    "label": (_may_be_string, _A_STRING),
    "rev": (_may_be_rev, _A_REV),
    "at": (lambda value: value is None or isinstance(value, datetime), "a datetime"),
    "deleted": (_is_boolean, _TRUE_OR_FALSE),
    "prefix": (_is_string, _A_STRING),
    "tag": (_may_be_string, _A_STRING),
    "search": (_may_be_string, _A_STRING),
    "one": (_is_string, _A_STRING),
    "other": (_is_string, _A_STRING),
    "reason": (_may_be_string, _A_STRING),
    "replaced_by": (_may_be_string, "the name of a prompt"),
    "expected_version": (_may_be_number, _A_NUMBER),
    "expected": (_may_be_number, _A_NUMBER),
    "expected_by_name": (_maps_names(_is_number), "a mapping of names to numbers"),
    "expected_versions": (_maps_names(_is_number), "a mapping of names to numbers"),
    "versions": (
        lambda value: value is not None and _maps_names(_may_be_target)(value),
        "a mapping of names to numbers, revs or None",
    ),
    "names": (_lists_names, "a list of names"),
    "edits": (lambda value: isinstance(value, Mapping), "a mapping of names to edits"),
    "base": (lambda value: value is None or isinstance(value, Mapping), "a Snapshot"),
    "new_branch": (_may_be_string, _A_STRING),
    "message": (_may_be_string, _A_STRING),
    "author": (_may_be_string, "a string, as `Name <email>`"),
    "committer": (_may_be_string, "a string, as `Name <email>`"),
    "authored_at": (lambda value: value is None or isinstance(value, datetime), "a datetime"),
    "trailers": (_maps_strings, "a mapping of strings to strings"),
}


def _may_be_target(value: Any) -> bool:
    return _may_be_number(value) or _may_be_rev(value)
