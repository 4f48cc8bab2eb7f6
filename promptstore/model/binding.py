"""The values of a render, checked against the declared variables."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from promptstore.errors import InvalidArgumentError, VariableError
from promptstore.model.messages import ROLES
from promptstore.model.names import near_matches
from promptstore.model.values import UnfitValueError, plain_json
from promptstore.model.variables import MISSING, Variable, VariableType

_MAX_NEAR: Final = 20
_MAX_SHOWN: Final = 60
_WRITTEN: Final = {
    "integer": ("an integer", "3"),
    "number": ("a number", "0.5"),
    "boolean": ("a boolean", "true"),
    "array": ("an array in JSON", '["a", "b"]'),
    "object": ("an object in JSON", '{"a": 1}'),
    "messages": ("messages in JSON", '[{"role": "user", "content": "Hi"}]'),
}
"""What a variable of each type takes as a text, with an example."""


def fit(variable: Variable, value: Any) -> Any:
    """Check one value against a variable and copy it into plain JSON.

    Args:
        variable: The declaration.
        value: What a caller gave. Subclasses of str, int, float, list, tuple and mappings are
            taken for what they hold; any other object is refused, so that a template only ever
            sees data.

    Returns:
        A copy made of plain dict, list, str, int, float, bool and None.

    Raises:
        UnfitValueError: The value has another type, is none of the enum, or is not JSON.
    """
    plain = value if type(value) is str and value.isascii() else plain_json(value)
    wanted, types = _TYPES[variable.type]
    if type(plain) not in types:
        raise UnfitValueError(f"is {_kind(plain)}, but must be {wanted}")
    if variable.type == "messages":
        _check_messages(plain)
    if variable.enum is not None and not any(_same(plain, allowed) for allowed in variable.enum):
        choices = ", ".join(repr(allowed) for allowed in variable.enum)
        raise UnfitValueError(f"is {_shown(plain)}, which is none of {choices}")
    return plain


def read_value(name: str, text: str, variable: Variable) -> Any:
    """Return the value that a text stands for: a string as it is, anything else as JSON.

    Args:
        name: The variable's name, for the error.
        text: What a person typed, or a client that knows only strings sent.
        variable: The declaration.

    Raises:
        InvalidArgumentError: The text is not what a variable of this type takes.
    """
    if variable.type == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if variable.type == "any":
            return text
        kind, example = _WRITTEN[variable.type]
        given = repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")
        raise InvalidArgumentError(
            message=f"the variable {name!r} takes {kind}, such as {example}, not {given}"
        ) from None


def bind(
    values: Mapping[str, Any],
    variables: Mapping[str, Variable],
    *,
    undeclared: Collection[str] = (),
    name: str | None = None,
    ignore_unknown: bool = False,
) -> dict[str, Any]:
    """Return the values of a render as its templates see them.

    Args:
        values: The caller's values by variable name.
        variables: Every variable that a render takes, by name.
        undeclared: Names that the templates need although the prompt's declaration lacks them.
        name: The prompt's name, for the error.
        ignore_unknown: Whether values for other names are left out rather than refused.

    Returns:
        Plain JSON values by name, defaults filled in.

    Raises:
        VariableError: With every missing, unknown and wrong value at once.
    """
    bound: dict[str, Any] = {}
    missing: list[str] = []
    invalid = dict.fromkeys(undeclared, "is used by the template but not declared in `variables:`")
    for key, variable in variables.items():
        value = values.get(key, MISSING)
        if value is MISSING:
            value = variable.default
            if value is MISSING:
                if variable.required is not False:
                    missing.append(key)
                continue
        try:
            bound[key] = fit(variable, value)
        except UnfitValueError as unfit:
            invalid[key] = str(unfit)
    unknown: dict[str, list[str]] = {}
    if not ignore_unknown and not values.keys() <= variables.keys():
        unknown = _unknown(values, [*variables, *invalid])
    if missing or invalid or unknown:
        raise VariableError(name=name, missing=missing, unknown=unknown, invalid=invalid)
    return bound


def _unknown(values: Mapping[str, Any], known: Collection[str]) -> dict[str, list[str]]:
    """Return the names that are no variables, each of the first few with near matches."""
    names = [key for key in values if key not in known]
    near = {str(key): near_matches(str(key), known) for key in names[:_MAX_NEAR]}
    return {str(key): near.get(str(key), []) for key in names}


def _same(value: Any, allowed: Any) -> bool:
    # In Python 1 == True, in JSON they differ.
    return isinstance(value, bool) == isinstance(allowed, bool) and bool(value == allowed)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def _check_messages(value: Any) -> None:
    for number, message in enumerate(value, 1):
        fault = _message_fault(message)
        if fault:
            raise UnfitValueError(f"is not a list of messages: message {number} {fault}")


def _message_fault(message: Any) -> str:
    """Return what keeps an object from being a message of a chat API, or an empty string."""
    if not isinstance(message, dict):
        return f"is {_kind(message)}, but must be an object with role and content"
    role = message.get("role")
    if role not in ROLES:
        return f"has the role {_shown(role)}; the roles are {', '.join(ROLES)}"
    content = message.get("content")
    if isinstance(content, str):
        return ""
    if isinstance(content, list):
        faults = [number for number, part in enumerate(content, 1) if not _is_part(part)]
        return (
            f"must have a content of parts with a type; part {faults[0]} is none" if faults else ""
        )
    if content is None:
        if role == "function" or (role == "assistant" and any(map(message.get, _INSTEAD))):
            return ""
        instead = f", or one of {', '.join(_INSTEAD)}" if role == "assistant" else ""
        return f"must have a content{instead}"
    return f"must have a content that is a text or a list of parts, not {_kind(content)}"


_INSTEAD: Final = ("tool_calls", "function_call", "refusal", "audio")
"""What a message of the assistant may have in place of a content."""


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


_TYPES: Final[dict[VariableType, tuple[str, frozenset[type]]]] = {
    "string": ("a text", frozenset({str})),
    "integer": ("an integer", frozenset({int})),
    "number": ("a number", frozenset({int, float})),
    "boolean": ("a boolean", frozenset({bool})),
    "array": ("a list", frozenset({list})),
    "object": ("an object", frozenset({dict})),
    "messages": ("a list of messages", frozenset({list})),
    "any": ("JSON", frozenset({str, int, float, bool, list, dict, type(None)})),
}
"""What a value of each type must be, in words and in Python."""
