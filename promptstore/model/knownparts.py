"""What belongs in a part, and in a tool call, of a type that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    create_model,
)

from promptstore.model.faults import CONFIG, KEYS_AT, TAG, fail
from promptstore.model.parts import Part
from promptstore.model.values import Json, JsonObject, String

_Fields: TypeAlias = Mapping[str, Any]
"""What a mapping may hold, by key: the type, or a pair of the type and the default."""

_Text: Final = (String | None, None)
_Nothing: Final = (Json, None)


def _mapping(key: str, extra: _Fields | None = None, /, **fields: Any) -> type[BaseModel]:
    """Return the model of a mapping in a part, by the key that leads to it."""
    config = ConfigDict(**CONFIG, json_schema_extra=dict(extra or {}))
    KEYS_AT[key] = tuple(fields)
    return create_model(key, __config__=config, **fields)


def _needs_one(file: Any) -> Any:
    if file.file_id is None and file.file_data is None:
        raise fail("{where} needs `file_id:` or `file_data:`.", "missing_key")
    return file


_nested: Final = TypeAdapter(tuple[Part, ...])


def _result(value: Any) -> Any:
    # A schema that holds itself has no end for pydantic's generator of JSON Schema.
    if not isinstance(value, str):
        _nested.validate_python(value)
    return value


_ONE_OF_TWO: Final = {"anyOf": [{"required": ["file_id"]}, {"required": ["file_data"]}]}
_File: Final = _mapping("file", _ONE_OF_TWO, file_id=_Text, file_data=_Text, filename=_Text)
_Source: Final = create_model("source", __config__=ConfigDict(extra="allow"), type=String)
_Function: Final = _mapping("function", name=String, arguments=String)

_PARTS: Final[Mapping[str, _Fields]] = {
    "text": {"text": String, "citations": _Nothing},
    "image_url": {"image_url": _mapping("image_url", url=String, detail=_Text)},
    "input_audio": {"input_audio": _mapping("input_audio", data=String, format=String)},
    "file": {"file": Annotated[_File, AfterValidator(_needs_one)]},
    "image": {"source": _Source},
    "document": {"source": _Source, "title": _Text, "context": _Text, "citations": _Nothing},
    "tool_use": {"id": String, "name": String, "input": JsonObject},
    "tool_result": {
        "tool_use_id": String,
        "content": (
            Annotated[Any, AfterValidator(_result), WithJsonSchema({"type": ["string", "array"]})],
            "",
        ),
        "is_error": (StrictBool | None, None),
    },
}
"""The parts of OpenAI's and Anthropic's APIs; each may have ``cache_control`` besides."""

_CALLS: Final[Mapping[str, _Fields]] = {"function": {"id": String, "function": _Function}}
_ANY_PART: Final[_Fields] = {"cache_control": (JsonObject | None, None)}


def _adapter(
    what: str, known: Mapping[str, _Fields], shared: _Fields, default: str | None = None
) -> TypeAdapter[Any]:
    """Return what checks a dict by the type that it names.

    Args:
        what: What the dict is, for the names of the models.
        known: What belongs into a dict, by the types that are known.
        shared: What belongs into each of these besides.
        default: The type where none is named, or None where one must be.
    """

    def tag(value: Mapping[str, Any]) -> str:
        name = value.get("type", default)
        return f"{TAG}{name}" if isinstance(name, str) and name in known else TAG

    unknown = Annotated[String, Field(json_schema_extra={"not": {"enum": [*known]}})]
    other = create_model(f"other_{what}", __config__=ConfigDict(extra="allow"), type=unknown)
    members: Any = Annotated[other, Tag(TAG)]
    for name, own in known.items():
        literal: Any = Literal[name]
        fields = {"type": (literal, name) if name == default else literal, **own, **shared}
        KEYS_AT[TAG + name] = tuple(sorted(fields))
        made = create_model(f"{name}_{what}", __config__=CONFIG, **fields)
        members |= Annotated[made, Tag(TAG + name)]
    return TypeAdapter(Annotated[members, Discriminator(tag)])


ADAPTERS: Final = {
    "parts": _adapter("part", _PARTS, _ANY_PART),
    "tool_calls": _adapter("call", _CALLS, {}, default="function"),
}
"""What checks a part of a content, and a call of a tool."""
