"""The parts of a message's content and its tool calls: plain dicts, checked by their type."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    TypeAdapter,
)
from pydantic_core import CoreSchema, core_schema

from promptstore.model.faults import fail, kind_of
from promptstore.model.values import plain_json, unicode_string

String: TypeAlias = Annotated[str, Strict(), AfterValidator(unicode_string)]
"""A string that can be written as UTF-8."""

Json: TypeAlias = Annotated[Any, BeforeValidator(plain_json)]
"""Any JSON value, as a plain copy."""

JsonObject: TypeAlias = Annotated[dict[str, Any], BeforeValidator(plain_json)]
"""A JSON object, as a plain copy."""


class _ByType:
    """Checks a dict by the type that it names, and keeps it the plain dict that it is.

    Args:
        what: ``parts`` or ``tool_calls``: what of `promptstore.model.knownparts` checks it.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic check by `_check`."""
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the JSON Schema of everything that is known."""
        return handler(self._adapter().core_schema)

    def _check(self, value: Any) -> dict[str, Any]:
        plain = plain_json(value)
        if not isinstance(plain, dict):
            raise fail("{where} must be a mapping of keys, not " + kind_of(value) + ".")
        self._adapter().validate_python(plain)
        return plain

    def _adapter(self) -> TypeAdapter[Any]:
        # Most prompts have neither: who has none need not wait until the classes are built.
        from promptstore.model import knownparts

        return knownparts.ADAPTERS[self._what]


Part: TypeAlias = Annotated[dict[str, Any], _ByType("parts")]
"""One part of a content: ``{"type": "text", "text": …}`` and the like; strings are templates."""

ToolCall: TypeAlias = Annotated[dict[str, Any], _ByType("tool_calls")]
"""A call of a tool by the model; strings in its arguments are templates."""

ARGUMENTS: Final = {"function": "arguments", "custom": "input"}
"""Where the arguments of a tool call are, by the key that they are under."""
