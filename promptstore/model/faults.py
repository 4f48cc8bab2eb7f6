"""What is wrong with a prompt: pydantic's errors in our sentences, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from promptstore.errors import InvalidArgumentError, Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

FaultKind: TypeAlias = Literal[
    "unknown_key", "missing_key", "wrong_value", "bad_variable", "bad_insert"
]

CONFIG: Final = ConfigDict(extra="forbid")
"""How pydantic checks every class of the model: an unknown key is an error."""

TAG: Final = "\0"
"""What the tag of a union starts with; pydantic puts it into the place of an error."""

KEYS_AT: Final[dict[str, tuple[str, ...]]] = {}
"""The keys that belong in a mapping, by the tag or the key that leads to it."""

_MAX_SHOWN: Final = 60


class Fault(NamedTuple):
    """One thing that is wrong with what a prompt says.

    Attributes:
        path: The keys and indexes that lead to it.
        kind: What kind of fault it is.
        message: What is wrong and what to do, as a sentence.
    """

    path: KeyPath
    kind: FaultKind
    message: str


def fail(message: str, kind: FaultKind = "wrong_value") -> PydanticCustomError:
    """Return the error that a validator of the model raises.

    Args:
        message: The sentence; ``{where}`` stands for the place.
        kind: What kind of fault it is.
    """
    return PydanticCustomError(kind, "{sentence}", {"sentence": message})


def faults_of(error: ValidationError, keys: Iterable[str]) -> list[Fault]:
    """Return what pydantic found, in our sentences.

    Args:
        error: What pydantic raised.
        keys: The keys that belong at the top, for hints.
    """
    known = tuple(keys)
    return [_fault(found, known) for found in error.errors(include_url=False) if not _echoes(found)]


def unknown_key(path: KeyPath, known: Iterable[str]) -> Fault:
    """Return the fault of a key that nothing knows, with a near match where there is one."""
    from difflib import get_close_matches  # only errors need it

    key = str(path[-1])
    choices = list(known)
    near = get_close_matches(shown(key), choices, n=1, cutoff=0.65)
    hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(choices)}."
    return Fault(path, "unknown_key", f"The key {shown(key)!r} is not known; {hint}")


def refuse(faults: Iterable[Fault] | Iterable[Problem]) -> InvalidArgumentError:
    """Return the error for a value of Python that is no valid prompt."""
    sentences = " ".join(fault.message for fault in faults)
    return InvalidArgumentError(message=f"This is no valid prompt: {sentences}")


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    if isinstance(value, Mapping):
        return "a mapping"
    return _KINDS.get(type(value), f"a {type(value).__name__}")


_KINDS: Final = {
    type(None): "null", bool: "a boolean", int: "an integer", float: "a number", str: "a string",
    list: "a list", tuple: "a list",
}  # fmt: skip


def named(path: KeyPath) -> str:
    """Return a place as a person writes it, such as ```messages[0].role```."""
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return f"`{''.join(words).removeprefix('.')}`" if words else "it"


def shown(text: str) -> str:
    """Return a string as an error shows it: not longer than a line."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _fault(found: ErrorDetails, top: tuple[str, ...]) -> Fault:
    place, value, what = found["loc"], found["input"], found["type"]
    path = tuple(step for step in place if not _is_tag(step))
    context = found.get("ctx", {})
    if what == "missing":
        return Fault(path[:-1], "missing_key", f"{_subject(path[:-1])} needs `{path[-1]}:`.")
    if what in ("unexpected_keyword_argument", "extra_forbidden"):
        return unknown_key(path, _keys_in(place[:-1], top))
    if "sentence" in context:
        kind: Any = what
        return Fault(path, kind, str(context["sentence"]).replace("{where}", named(path)))
    if what == "value_error":
        return Fault(path, "wrong_value", f"{named(path)} {context['error']}.")
    if what == "literal_error":
        return Fault(path, "wrong_value", _not_among(path, value, str(context["expected"])))
    sentence = f"{named(path)} {_requirement(path, what, value)}."
    return Fault(path, "bad_variable" if _is_enum(path) else "wrong_value", sentence)


def _echoes(found: ErrorDetails) -> bool:
    """Return whether a list is called too short only because pydantic left its wrong items out."""
    return found["type"] == "too_short" and len(found["input"]) > 0


def _is_tag(step: str | int) -> bool:
    return isinstance(step, str) and (step.startswith(TAG) or step == "[key]")


def _keys_in(place: KeyPath, top: tuple[str, ...]) -> tuple[str, ...]:
    if not place:
        return top
    step = place[0] if len(place) == 2 and place[0] == "variables" else place[-1]
    return KEYS_AT.get(str(step), top)


def _is_enum(path: KeyPath) -> bool:
    return len(path) == 3 and path[0] == "variables" and path[2] == "enum"


def _subject(path: KeyPath) -> str:
    return named(path) if path else "This"


def _not_among(path: KeyPath, value: Any, expected: str) -> str:
    from difflib import get_close_matches  # only errors need it

    choices = _QUOTED.findall(expected)
    near = get_close_matches(shown(str(value)), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; it is one of {', '.join(choices)}."
    return f"{named(path)} cannot be {shown(repr(value))}{hint}"


_QUOTED: Final = re.compile(r"'([^']*)'")
_WANTED: Final = {
    "bool_type": "true or false",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "dataclass_type": "a mapping of keys",
    "tuple_type": "a list",
    "list_type": "a list",
    "int_type": "a number",
    "float_type": "a number",
    "model_type": "a mapping of keys",
}
_PATTERNS: Final = {
    "id": "must be a UUID in lower case, such as 497f6eca-6276-4993-bfeb-53cbbbba6f08",
    "replaced_by": "must be the name of a prompt, such as support/triage",
    "tags": "is empty; remove it or write a word",
}


def _requirement(path: KeyPath, what: str, value: Any) -> str:
    if what == "string_type":
        return f"must be a string, not {kind_of(value)}{_quotes(value)}"
    if what == "union_tag_not_found":
        return f"must be a string or a list of parts, not {kind_of(value)}{_quotes(value)}"
    if what in ("string_pattern_mismatch", "string_too_long"):
        key = next((step for step in reversed(path) if isinstance(step, str)), "")
        return _PATTERNS[key]
    if what == "too_short":
        return "must be a list of at least one item, not an empty list"
    wanted = _WANTED.get(what, "something else")
    return f"must be {wanted}{_such_as(path)}, not {kind_of(value)}"


def _such_as(path: KeyPath) -> str:
    """Return an example of what is often written too short."""
    if path[:1] != ("variables",) or len(path) > 2:
        return ""
    example = "{type: string}" if len(path) == 2 else "{name: {type: string}}"
    return f" such as {example}"


def _quotes(value: Any) -> str:
    if value is None:
        return '; write "" for an empty string'
    if isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if isinstance(value, (list, tuple, Mapping)):
        return "; a string that starts with a bracket or a brace needs quotes"
    return ""
