"""What belongs in a part, and in a tool call, of a type that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Final, Literal, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic.dataclasses import dataclass

from promptstore.model.faults import CONFIG, KEYS_AT, TAG, fail
from promptstore.model.parts import Json, JsonObject, Part, String

PART_TYPES: Final[list[Any]] = [
    "text", "image_url", "input_audio", "file", "image", "document", "tool_use", "tool_result",
]  # fmt: skip
"""The types of parts that are checked."""


@dataclass(kw_only=True, config=CONFIG)
class _Known:
    """What a part of any known type may have."""

    cache_control: JsonObject | None = None


@dataclass(kw_only=True, config=CONFIG)
class TextPart(_Known):
    """Text."""

    type: Literal["text"]
    text: String
    citations: Json = None


@dataclass(kw_only=True, config=CONFIG)
class ImageUrl:
    """Where an image is."""

    url: String
    detail: String | None = None


@dataclass(kw_only=True, config=CONFIG)
class ImageUrlPart(_Known):
    """An image, as OpenAI's API takes it."""

    type: Literal["image_url"]
    image_url: ImageUrl


@dataclass(kw_only=True, config=CONFIG)
class InputAudio:
    """A sound."""

    data: String
    format: String


@dataclass(kw_only=True, config=CONFIG)
class InputAudioPart(_Known):
    """A sound, as OpenAI's API takes it."""

    type: Literal["input_audio"]
    input_audio: InputAudio


_ONE_OF_TWO: Final[dict[str, Any]] = {
    "anyOf": [{"required": ["file_id"]}, {"required": ["file_data"]}]
}


@dataclass(kw_only=True, config=ConfigDict(**CONFIG, json_schema_extra=_ONE_OF_TWO))
class File:
    """A file, by its id or with its data."""

    file_id: String | None = None
    file_data: String | None = None
    filename: String | None = None

    def __post_init__(self) -> None:
        if self.file_id is None and self.file_data is None:
            raise fail("{where} needs `file_id:` or `file_data:`.", "missing_key")


@dataclass(kw_only=True, config=CONFIG)
class FilePart(_Known):
    """A file, as OpenAI's API takes it."""

    type: Literal["file"]
    file: File


@dataclass(kw_only=True, config=ConfigDict(extra="allow"))
class Source:
    """Where an image or a document is: a URL, data, or the id of a file."""

    type: String


@dataclass(kw_only=True, config=CONFIG)
class ImagePart(_Known):
    """An image, as Anthropic's API takes it."""

    type: Literal["image"]
    source: Source


@dataclass(kw_only=True, config=CONFIG)
class DocumentPart(_Known):
    """A document, as Anthropic's API takes it."""

    type: Literal["document"]
    source: Source
    title: String | None = None
    context: String | None = None
    citations: Json = None


@dataclass(kw_only=True, config=CONFIG)
class ToolUsePart(_Known):
    """A call of a tool, as Anthropic's API takes it."""

    type: Literal["tool_use"]
    id: String
    name: String
    input: JsonObject


_NESTED: Final = TypeAdapter(tuple[Part, ...])


def _result(value: Any) -> Any:
    # A schema that holds itself has no end for pydantic's generator of JSON Schema.
    if not isinstance(value, str):
        _NESTED.validate_python(value)
    return value


@dataclass(kw_only=True, config=CONFIG)
class ToolResultPart(_Known):
    """What a tool answered, as Anthropic's API takes it."""

    type: Literal["tool_result"]
    tool_use_id: String
    content: Annotated[
        Any, AfterValidator(_result), WithJsonSchema({"type": ["string", "array"]})
    ] = ""
    is_error: StrictBool | None = None


@dataclass(kw_only=True, config=CONFIG)
class Function:
    """The call of a function."""

    name: String
    arguments: String


@dataclass(kw_only=True, config=CONFIG)
class FunctionCall:
    """A call of a function that the caller has declared."""

    id: String
    type: Literal["function"] = "function"
    function: Function


@dataclass(kw_only=True, config=ConfigDict(extra="allow"))
class OtherPart:
    """A part of a type that is not known."""

    type: Annotated[String, Field(json_schema_extra={"not": {"enum": PART_TYPES}})]


@dataclass(kw_only=True, config=ConfigDict(extra="allow"))
class OtherCall:
    """A call of anything but a function."""

    type: Annotated[String, Field(json_schema_extra={"not": {"enum": ["function"]}})]


def _type_of(cls: type[Any]) -> str:
    name: str = get_args(get_type_hints(cls)["type"])[0]
    return name


def _adapter(other: type[Any], *known: type[Any], default: str | None = None) -> TypeAdapter[Any]:
    """Return what checks a dict by the type that it names.

    Args:
        other: The class of a type that is not known.
        known: The classes of the types that are known.
        default: The type where none is named, or None where one must be.
    """
    by_type = {_type_of(cls): cls for cls in known}
    for name, cls in by_type.items():
        KEYS_AT[TAG + name] = tuple(sorted(field.name for field in fields(cls)))

    def tag(value: Mapping[str, Any]) -> str:
        name = value.get("type", default)
        return f"{TAG}{name}" if isinstance(name, str) and name in by_type else TAG

    members: Any = Annotated[other, Tag(TAG)]
    for name, cls in by_type.items():
        members |= Annotated[cls, Tag(TAG + name)]
    return TypeAdapter(Annotated[members, Discriminator(tag)])


for _key, _cls in {
    "image_url": ImageUrl, "input_audio": InputAudio, "file": File, "function": Function,
}.items():  # fmt: skip
    KEYS_AT[_key] = tuple(field.name for field in fields(_cls))

ADAPTERS: Final = {
    "parts": _adapter(
        OtherPart,
        TextPart,
        ImageUrlPart,
        InputAudioPart,
        FilePart,
        ImagePart,
        DocumentPart,
        ToolUsePart,
        ToolResultPart,
    ),
    "tool_calls": _adapter(OtherCall, FunctionCall, default="function"),
}
"""What checks a part of a content, and a call of a tool."""
