"""The JSON Schema of a prompt file, for editors; pydantic makes it of the model."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from promptstore.model.prompt import EXTENSION_PREFIX, KEYS, Prompt

_DESCRIPTIONS: Final = {
    "id": "A UUID that stays when the file is renamed.",
    "description": "What the prompt is for.",
    "template": "The language of the texts.",
    "variables": "The inputs by name; a contract once it is there.",
    "prompt": "The text of a text prompt.",
    "messages": "The messages of a chat prompt.",
    "config": "Free JSON passed through: model, parameters, tools.",
    "tags": "Words to find it by.",
    "metadata": "Free JSON for people and tools.",
    "deleted": "Whether the prompt is tombstoned.",
    "deleted_reason": "Why it was deleted.",
    "replaced_by": "The name of the prompt to use instead.",
}
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _FileSchema(GenerateJsonSchema):
    """Writes what may be None in Python as what may be left out of a file."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", "") in (None, [], ""):
            found.pop("default", None)
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema of a prompt file.

    It holds everything that a schema can say; `promptstore check` finds more, such as a default
    that does not fit its type.

    Returns:
        The schema as plain JSON.
    """
    made = TypeAdapter(Prompt).json_schema(schema_generator=_FileSchema)
    for definition in made["$defs"].values():
        definition.pop("description", None)
        definition.pop("title", None)
    properties = {
        key: made["properties"][key] | {"description": _DESCRIPTIONS[key]} for key in KEYS
    }
    properties["tags"]["uniqueItems"] = True
    variables = properties["variables"]
    variables["additionalProperties"] = {
        "anyOf": [variables["additionalProperties"], {"type": "null"}]
    }
    return {
        "$schema": DIALECT,
        "title": "A prompt of promptstore",
        "type": "object",
        "properties": properties,
        "patternProperties": {f"^{EXTENSION_PREFIX}": True},
        "additionalProperties": False,
        "oneOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
        "dependentSchemas": {
            key: {"required": ["deleted"], "properties": {"deleted": {"const": True}}}
            for key in ("deleted_reason", "replaced_by")
        },
        "$defs": made["$defs"],
    }
