"""Declared variables."""

from __future__ import annotations

import enum
from dataclasses import field
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.dataclasses import dataclass

from promptstore.model.faults import CONFIG, KEYS_AT, with_own_errors
from promptstore.model.parts import Json, String
from promptstore.model.values import plain_json

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


@with_own_errors()
@dataclass(frozen=True, slots=True, config=ConfigDict(**CONFIG, json_schema_extra=_NEVER_BOTH))
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
