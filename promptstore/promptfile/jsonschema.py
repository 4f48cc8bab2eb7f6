"""The JSON Schema of a prompt file, for editors; made from what the reader goes by."""

from __future__ import annotations

from typing import Any, Final

from promptstore.model.messages import ROLES
from promptstore.model.variables import VARIABLE_TYPES
from promptstore.promptfile.schema import EXTENSION_PREFIX, KEYS, PART_FIELDS
from promptstore.template import TEMPLATE_KINDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Final = {"type": "string"}
_FREE: Final = {"type": "object"}
_NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
_UUID: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

_PROPERTIES: Final[dict[str, dict[str, Any]]] = {
    "id": {
        "type": "string",
        "pattern": _UUID,
        "description": "A UUID that stays when the file is renamed.",
    },
    "description": {**_TEXT, "description": "What the prompt is for."},
    "template": {
        "enum": list(TEMPLATE_KINDS),
        "default": "jinja2",
        "description": "The language of the texts.",
    },
    "variables": {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/variable"},
        "description": "The inputs by name; a contract once it is there.",
    },
    "prompt": {**_TEXT, "description": "The text of a text prompt."},
    "messages": {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/message"},
        "description": "The messages of a chat prompt.",
    },
    "config": {**_FREE, "description": "Free JSON passed through: model, parameters, tools."},
    "tags": {
        "type": "array",
        "items": {"type": "string", "pattern": r"\S"},
        "uniqueItems": True,
        "description": "Words to find it by.",
    },
    "metadata": {**_FREE, "description": "Free JSON for people and tools."},
    "deleted": {"type": "boolean", "description": "Whether the prompt is tombstoned."},
    "deleted_reason": {**_TEXT, "description": "Why it was deleted."},
    "replaced_by": {
        "type": "string",
        "pattern": _NAME,
        "maxLength": 255,
        "description": "The name of the prompt to use instead.",
    },
}

_VARIABLE: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": list(VARIABLE_TYPES), "default": "any"},
        "description": _TEXT,
        "enum": {"type": "array", "minItems": 1, "description": "The values allowed."},
        "default": {"description": "The value when none is given."},
        "required": {"type": "boolean", "description": "Whether a render must give it."},
    },
    "not": {"required": ["default", "required"], "properties": {"required": {"const": True}}},
}


def file_schema() -> dict[str, Any]:
    """Make the JSON Schema of a prompt file.

    It holds everything that a schema can say; `promptstore check` finds more, such as a default
    that does not fit its type.

    Returns:
        The schema as plain JSON.
    """
    assert tuple(_PROPERTIES) == KEYS
    return {
        "$schema": DIALECT,
        "title": "A prompt of promptstore",
        "type": "object",
        "properties": _PROPERTIES,
        "patternProperties": {f"^{EXTENSION_PREFIX}": True},
        "additionalProperties": False,
        "oneOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
        "dependentSchemas": {
            key: {"required": ["deleted"], "properties": {"deleted": {"const": True}}}
            for key in ("deleted_reason", "replaced_by")
        },
        "$defs": {
            "variable": _VARIABLE,
            "message": {"oneOf": [_message(), _insert()]},
            "part": {"oneOf": [_text_part(), *map(_part, PART_FIELDS)]},
        },
    }


def _message() -> dict[str, Any]:
    content = [_TEXT, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/part"}}]
    return _closed({"role": {"enum": list(ROLES)}, "content": {"oneOf": content}})


def _insert() -> dict[str, Any]:
    return _closed({"insert": {**_TEXT, "description": "A variable of the type messages."}})


def _text_part() -> dict[str, Any]:
    return _closed({"type": {"const": "text"}, "text": _TEXT})


def _part(kind: str) -> dict[str, Any]:
    needed, known = PART_FIELDS[kind]
    fields = {
        "type": "object",
        "properties": dict.fromkeys(known, _TEXT),
        "required": list(needed),
        "additionalProperties": False,
    }
    if not needed:
        fields["anyOf"] = [{"required": ["file_id"]}, {"required": ["file_data"]}]
    return _closed({"type": {"const": kind}, kind: fields})


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
