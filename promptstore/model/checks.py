"""What pydantic cannot check: the values of a render, and what is wrong between keys."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from promptstore.errors import InvalidArgumentError, VariableError
from promptstore.model.faults import Fault, KeyPath, named, shown
from promptstore.model.parts import MISSING, ROLES, VARIABLE_TYPES, Variable, VariableType
from promptstore.model.values import UnfitValueError, kind_of, near_matches, plain_json
from promptstore.template import TemplateKind, is_variable_name

_MAX_NEAR: Final = 20


class _Type(NamedTuple):
    """What a value of a type must be, in words and in Python, and an example as JSON."""

    words: str
    python: tuple[type, ...]
    example: str


_TYPES: Final[dict[VariableType, _Type]] = {
    "string": _Type("a string", (str,), '"a"'),
    "integer": _Type("an integer", (int,), "3"),
    "number": _Type("a number", (int, float), "0.5"),
    "boolean": _Type("a boolean", (bool,), "true"),
    "array": _Type("a list", (list,), '["a", "b"]'),
    "object": _Type("a mapping", (dict,), '{"a": 1}'),
    "messages": _Type("a list of messages", (list,), '[{"role": "user", "content": "Hi"}]'),
    "any": _Type("JSON", (str, int, float, bool, list, dict, type(None)), '"a"'),
}
_NAME_RULES: Final[dict[TemplateKind, str]] = {
    "simple": "letters, digits, '_', '.' and '-'",
    "jinja2": "a letter or '_', then letters, digits and '_'",
}
_INSTEAD: Final = ("tool_calls", "function_call", "refusal", "audio")
"""What a message of the assistant may have in place of a content."""


def fit(value: Any, kind: VariableType, enum: Sequence[Any] | None = None) -> Any:
    """Check a value of a variable and copy it into plain JSON.

    Args:
        value: What a caller gave. Subclasses of str, int, float, list, tuple and mappings are
            taken for what they hold; any other object is refused, so that a template only ever
            sees data.
        kind: The type of the variable.
        enum: The values allowed, or None for any of the type.

    Returns:
        A copy made of plain dict, list, str, int, float, bool and None.

    Raises:
        UnfitValueError: The value has another type, is none of the enum, or is not JSON.
    """
    plain = value if type(value) is str and value.isascii() else plain_json(value)
    words, types, _ = _TYPES[kind]
    if type(plain) not in types:
        raise UnfitValueError(f"is {kind_of(plain)}, but must be {words}")
    if kind == "messages":
        _check_messages(plain)
    if enum is not None and not any(_same(plain, allowed) for allowed in enum):
        choices = ", ".join(map(repr, enum))
        raise UnfitValueError(f"is {shown(repr(plain))}, which is none of {choices}")
    return plain


def read_value(name: str, text: str, variable: Variable) -> Any:
    """Return the value that a string stands for: itself, or what it says as JSON.

    Args:
        name: The variable's name, for the error.
        text: What a person typed, or a client that knows only strings sent.
        variable: The declaration.

    Raises:
        InvalidArgumentError: The string is not what a variable of this type takes.
    """
    if variable.type == "string":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if variable.type == "any":
            return text
        wanted = _TYPES[variable.type]
        raise InvalidArgumentError(
            message=f"the variable {name!r} takes {wanted.words} as JSON, "
            f"such as {wanted.example}, not {shown(text)!r}"
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
            bound[key] = fit(value, variable.type, variable.enum)
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


def _check_messages(value: Any) -> None:
    for number, message in enumerate(value, 1):
        fault = _message_fault(message)
        if fault:
            raise UnfitValueError(f"is not a list of messages: message {number} {fault}")


def _message_fault(message: Any) -> str:
    """Return what keeps an object from being a message of a chat API, or an empty string."""
    if not isinstance(message, dict):
        return f"is {kind_of(message)}, but must be a mapping with role and content"
    role = message.get("role")
    if role not in ROLES:
        return f"has the role {shown(repr(role))}; the roles are {', '.join(ROLES)}"
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
    return f"must have a content that is a string or a list of parts, not {kind_of(content)}"


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def between_keys(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong between the keys of a prompt.

    Args:
        value: What the prompt says, as plain JSON. It need not be valid: what has a wrong type is
            left to pydantic.

    Yields:
        Each fault.
    """
    yield from _nulls(value, (), ())
    yield from _one_text(value)
    yield from _tombstone(value)
    yield from _tags(value.get("tags"))
    template = value.get("template", "jinja2")
    declared = value.get("variables")
    if isinstance(declared, dict):
        yield from _variables(declared, template)
    messages = value.get("messages")
    if isinstance(messages, list):
        types = _types(declared) if isinstance(declared, dict) else None
        for index, message in enumerate(messages):
            if isinstance(message, dict):
                yield from _message(message, ("messages", index), types, template)


def _nulls(value: Mapping[str, Any], path: KeyPath, free: tuple[str, ...]) -> Iterator[Fault]:
    for key, item in value.items():
        if item is None and key not in free and not key.startswith("x-"):
            hint = 'write a value ("" is an empty string), or remove the key'
            yield Fault((*path, key), "wrong_value", f"{named((*path, key))} has no value; {hint}.")


def _one_text(value: Mapping[str, Any]) -> Iterator[Fault]:
    if "prompt" in value and "messages" in value:
        message = "`prompt` and `messages` exclude each other; keep one."
        yield Fault(("messages",), "missing_key", message)
    if "prompt" not in value and "messages" not in value:
        message = "Neither `prompt:` (a text prompt) nor `messages:` (a chat prompt) is here."
        yield Fault((), "missing_key", message)


def _tombstone(value: Mapping[str, Any]) -> Iterator[Fault]:
    if value.get("deleted") is True:
        return
    for key in ("deleted_reason", "replaced_by"):
        if key in value:
            message = f"`{key}` belongs to a deleted prompt; add `deleted: true` or remove it."
            yield Fault((key,), "missing_key", message)


def _tags(tags: Any) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if isinstance(tag, str):
            if tag in seen:
                message = f"The tag {shown(tag)!r} is here twice."
                yield Fault(("tags", index), "wrong_value", message)
            seen.add(tag)


def _variables(declared: dict[str, Any], template: Any) -> Iterator[Fault]:
    if template == "none":
        message = "A prompt with `template: none` has no variables."
        yield Fault(("variables",), "bad_variable", message)
    for name, declaration in declared.items():
        path = ("variables", name)
        yield from _variable_name(name, template, path)
        if isinstance(declaration, dict):
            yield from _nulls(declaration, path, ("default",))
            yield from _declaration(declaration, path)


def _variable_name(name: str, template: Any, path: KeyPath) -> Iterator[Fault]:
    kind: TemplateKind = "simple" if template == "simple" else "jinja2"
    if is_variable_name(kind, name):
        return
    if kind == "jinja2" and name.isidentifier():
        message = f"{name!r} cannot be a variable: the word means something else in a template."
    else:
        message = f"{shown(name)!r} cannot be a variable: its name is {_NAME_RULES[kind]}."
    yield Fault(path, "bad_variable", message)


def _declaration(declared: dict[str, Any], path: KeyPath) -> Iterator[Fault]:
    kind = _type(declared)
    allowed = declared.get("enum")
    if not isinstance(allowed, list):
        allowed = None
    for index, value in enumerate(allowed or ()):
        if fault := _misfit(value, kind):
            yield Fault((*path, "enum", index), "bad_variable", f"The value {fault}.")
    if "default" not in declared:
        return
    if declared.get("required") is True:
        message = "A variable with a default is never required; remove `required` or `default`."
        yield Fault((*path, "required"), "bad_variable", message)
    if fault := _misfit(declared["default"], kind, tuple(allowed) if allowed else None):
        yield Fault((*path, "default"), "bad_variable", f"The default {fault}.")


def _misfit(value: Any, kind: VariableType, allowed: tuple[Any, ...] | None = None) -> str:
    try:
        fit(value, kind, allowed)
    except UnfitValueError as unfit:
        return str(unfit)
    return ""


def _types(declared: dict[str, Any]) -> dict[str, str]:
    return {
        name: _type(declaration) if isinstance(declaration, dict) else "any"
        for name, declaration in declared.items()
    }


def _type(declaration: dict[str, Any]) -> VariableType:
    kind = declaration.get("type", "any")
    return kind if kind in VARIABLE_TYPES else "any"


def _message(
    message: dict[str, Any], path: KeyPath, types: dict[str, str] | None, template: Any
) -> Iterator[Fault]:
    if "insert" in message:
        name = message["insert"]
        if isinstance(name, str):
            yield from _insert(name, (*path, "insert"), types, template)
        return
    yield from _nulls(message, path, ("content",))
    if message.get("content") is None and not ("tool_calls" in message or "refusal" in message):
        needs = "`content:`, or `tool_calls:` or `refusal:` instead"
        yield Fault(path, "missing_key", f"{named(path)} needs {needs}.")


def _insert(
    name: str, path: KeyPath, types: dict[str, str] | None, template: Any
) -> Iterator[Fault]:
    if types is None:
        yield from _variable_name(name, template, path)
    elif name not in types:
        add = f"add `{shown(name)}: {{type: messages}}`"
        message = f"{shown(name)!r} is not declared in `variables:`; {add}."
        yield Fault(path, "bad_insert", message)
    elif types[name] != "messages":
        message = f"{shown(name)!r} has the type {types[name]}; an insert needs the type messages."
        yield Fault(path, "bad_insert", message)
