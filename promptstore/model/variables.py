"""Declared variables, and the check of a render's values against them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from promptstore.model.values import freeze

VariableType: TypeAlias = Literal[
    "string", "integer", "number", "boolean", "array", "object", "messages", "any"
]
VARIABLE_TYPES: Final[tuple[VariableType, ...]] = get_args(VariableType)


class _Missing(enum.Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing.MISSING
"""Stands where there is no default; None would be a default of null."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared input of a prompt.

    Attributes:
        type: What its values are.
        description: What it is for, or None.
        default: The value when none is given, or `MISSING`.
        enum: The values allowed, or None for any of the type.
        required: False when a render may leave it out although it has no default; it then counts
            as false in a condition, and printing it is an error. None means: required unless
            there is a default.
    """

    type: VariableType = "any"
    description: str | None = None
    default: Any = MISSING
    enum: tuple[Any, ...] | None = None
    required: bool | None = None

    def __post_init__(self) -> None:
        if self.default is not MISSING:
            object.__setattr__(self, "default", freeze(self.default))
        if self.enum is not None:
            object.__setattr__(self, "enum", tuple(freeze(value) for value in self.enum))

    @property
    def has_default(self) -> bool:
        """Tell whether there is a default, be it null."""
        return self.default is not MISSING

    @property
    def needs_value(self) -> bool:
        """Tell whether a render must give a value."""
        return not self.has_default and self.required is not False
