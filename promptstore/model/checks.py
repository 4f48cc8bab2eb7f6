"""What pydantic cannot say of a prompt: what is wrong between its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptstore.model.binding import fit
from promptstore.model.faults import Fault, KeyPath, named, shown
from promptstore.model.values import UnfitValueError
from promptstore.model.variables import VARIABLE_TYPES, Variable, VariableType
from promptstore.template import TemplateKind, is_variable_name

_NAME_RULES: Final[dict[TemplateKind, str]] = {
    "simple": "letters, digits, '_', '.' and '-'",
    "jinja2": "a letter or '_', then letters, digits and '_'",
}
_OF_TYPE: Final = {kind: Variable(type=kind) for kind in VARIABLE_TYPES}


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
    if kind == "string" and isinstance(value, str) and (allowed is None or value in allowed):
        return ""  # as most are
    variable = _OF_TYPE[kind] if allowed is None else Variable(type=kind, enum=allowed)
    try:
        fit(variable, value)
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
