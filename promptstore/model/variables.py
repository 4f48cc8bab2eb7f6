"""A variable of a prompt: how it is declared, and what its values may be."""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, TypeAlias, get_args

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool

from promptstore.errors import InvalidArgumentError, VariableError
from promptstore.model.faults import CONFIG, KEYS_AT, Fault, KeyPath, kind_of, shown
from promptstore.model.parts import messages_fault
from promptstore.model.values import (
    Json,
    String,
    UnfitValueError,
    near_matches,
    null_faults,
    plain_json,
    validated,
)
from promptstore.template import TemplateKind, is_variable_name

VariableType: TypeAlias = Literal[
    "string", "integer", "number", "boolean", "array", "object", "messages", "any"
]
VARIABLE_TYPES: Final[tuple[VariableType, ...]] = get_args(VariableType)
VARIABLE_KEYS: Final = ("type", "description", "enum", "default", "required")
"""The keys of a declaration, in the order of a file."""


class _Missing(enum.Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"

    def __deepcopy__(self, _memo: object) -> _Missing:
        return self


MISSING: Final = _Missing.MISSING
"""Stands where there is no default; None would be a default of null."""


def _default(value: Any) -> Any:
    return value if value is MISSING else plain_json(value)


KEYS_AT["variables"] = VARIABLE_KEYS
_NEVER_BOTH: Final[dict[str, Any]] = {
    "not": {"required": ["default", "required"], "properties": {"required": {"const": True}}}
}


@validated()
@dataclass(frozen=True, slots=True)
class Variable:
    """A declared input of a prompt.

    Attributes:
        type: What its values are.
        description: What it is for, or None.
        enum: The values allowed, or None for any of the type.
        default: The value when none is given, or `MISSING`.
        required: False when a render may leave it out although it has no default; it then counts
            as false in a condition, and printing it is an error. None means: required unless
            there is a default.
    """

    __pydantic_config__: ClassVar = ConfigDict(**CONFIG, json_schema_extra=_NEVER_BOTH)

    type: VariableType = "any"
    description: String | None = None
    enum: Annotated[tuple[Json, ...], Field(min_length=1)] | None = None
    default: Annotated[Any, BeforeValidator(_default)] = field(default_factory=lambda: MISSING)
    required: StrictBool | None = None

    @property
    def has_default(self) -> bool:
        """Whether there is a default, be it null."""
        return self.default is not MISSING

    @property
    def needs_value(self) -> bool:
        """Whether a render must give a value."""
        return not self.has_default and self.required is not False


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
_MAX_NEAR: Final = 20


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
    if kind == "messages" and (fault := messages_fault(plain)):
        raise UnfitValueError(f"is not a list of messages: {fault}")
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


def variable_faults(declared: dict[str, Any], template: Any) -> Iterator[Fault]:
    """Find what is wrong between the keys of declared variables.

    Args:
        declared: The declarations by name, as plain JSON; wrong types are left to pydantic.
        template: The language of the prompt's texts.

    Yields:
        Each fault.
    """
    if template == "none":
        message = "A prompt with `template: none` has no variables."
        yield Fault(("variables",), "bad_variable", message)
    for name, declaration in declared.items():
        path = ("variables", name)
        yield from _variable_name(name, template, path)
        if isinstance(declaration, dict):
            yield from null_faults(declaration, path, ("default",))
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


def insert_faults(name: str, path: KeyPath, declared: Any, template: Any) -> Iterator[Fault]:
    """Find what is wrong with the variable of an insert.

    Args:
        name: The variable's name.
        path: The place of the insert's key.
        declared: The declared variables of the prompt, as plain JSON, or anything else for none.
        template: The language of the prompt's texts.

    Yields:
        Each fault.
    """
    if not isinstance(declared, dict):
        yield from _variable_name(name, template, path)
    elif name not in declared:
        add = f"add `{shown(name)}: {{type: messages}}`"
        message = f"{shown(name)!r} is not declared in `variables:`; {add}."
        yield Fault(path, "bad_insert", message)
    elif (kind := _type(declared[name])) != "messages":
        message = f"{shown(name)!r} has the type {kind}; an insert needs the type messages."
        yield Fault(path, "bad_insert", message)


def _type(declaration: Any) -> VariableType:
    kind = declaration.get("type") if isinstance(declaration, dict) else None
    return kind if kind in VARIABLE_TYPES else "any"
