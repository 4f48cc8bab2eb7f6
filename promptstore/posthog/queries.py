"""The queries of PostHog's API, and the requests that change no prompt."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from promptstore.history.labels import is_label
from promptstore.posthog.models import example
from promptstore.posthog.requests import (
    FORMAT,
    INTEGER_BOUND,
    Boolean,
    Count,
    Event,
    Format,
    fault,
    read_integer,
    read_text,
    read_uuid,
)

MAX_LABEL_LENGTH: Final = 128


def _label(value: Any) -> str:
    label = read_text(value)
    if not 0 < len(label) <= MAX_LABEL_LENGTH:
        raise fault("invalid_label_name", "Label names must be between 1 and 128 characters.")
    if label.casefold() == "latest":
        detail = "'latest' is a reserved label. It always points to the newest version."
        raise fault("reserved_label_name", detail)
    if label.isdigit():
        detail = "Label names cannot be numbers only, to avoid confusion with version numbers."
        raise fault("invalid_label_name", detail)
    if not is_label(label):
        detail = (
            "Use lowercase letters, numbers, dots (.), hyphens (-) and underscores (_), starting "
            "and ending with a letter or number."
        )
        raise fault("invalid_label_name", detail)
    return label


def _queried_label(value: Any) -> str:
    if len(read_text(value)) > MAX_LABEL_LENGTH:
        detail = f"Ensure this field has no more than {MAX_LABEL_LENGTH} characters."
        raise fault("max_length", detail)
    return _label(value)


def _uuid(text: Any) -> str:
    found = read_uuid(str(text))
    if found is None:
        raise fault("invalid_input", "Must be a valid UUID.")
    return found


def _page_number(least: int, default: int) -> Any:
    """Return what reads ``limit`` or ``offset`` of a list, where anything odd is the default."""

    def read(value: Any) -> int:
        with suppress(ValueError):
            number = int(value)
            return number if least <= number < INTEGER_BOUND else default
        return default

    return BeforeValidator(read, int | str)


def _absent_where_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


_LABEL_PATTERN: Final = r"^(?!latest$)(?![0-9]+$)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$"
_LabelInput = Annotated[str, Field(pattern=_LABEL_PATTERN, max_length=MAX_LABEL_LENGTH)]
_PageSizeInput = Annotated[int, Field(ge=1, le=100)]

PageSize = Annotated[int, Field(ge=1, le=100), BeforeValidator(read_integer, _PageSizeInput)]
"""How many rows a page has."""

Position = Annotated[int, Field(ge=0), BeforeValidator(read_integer, Annotated[int, Field(ge=0)])]
"""How many rows come before a page."""

Integer = Annotated[int, BeforeValidator(read_integer, int)]
"""An integer; the digits of one are taken too."""

Label = Annotated[str, BeforeValidator(_label, _LabelInput)]
"""The name of a label."""

QueriedLabel = Annotated[str, BeforeValidator(_queried_label, _LabelInput)]
"""The name of a label in a query."""

Uuid = Annotated[str, BeforeValidator(_uuid, str)]
"""A UUID in any letter case, with or without dashes."""


class _Blankable:
    """Tells in a JSON schema that a blank string is taken for null."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        value = handler(schema)["anyOf"]
        return {"anyOf": [*value[:-1], {"type": "string", "maxLength": 0}]}


_Value = TypeVar("_Value")

Queried = Annotated[_Value | None, BeforeValidator(_absent_where_blank), _Blankable()]
"""A value of a query, where a blank one counts as none."""

Limit = Annotated[int, _page_number(1, 100)]
"""How many rows a page of a list has; 100 where that is odd."""

Offset = Annotated[int, _page_number(0, 0)]
"""How many rows come before a page of a list; 0 where that is odd."""

ContentMode: TypeAlias = Literal["full", "preview", "none", ""]
"""How much of a prompt's content an answer holds: all, its beginning, nothing."""

EventType: TypeAlias = Literal["$ai_generation", "$ai_span", "$ai_embedding", "$ai_trace"]
"""The kinds of events that ``text_repr`` reads."""

ORDERS: tuple[str, ...] = (
    "name",
    "created_at",
    "updated_at",
    "version",
    "latest_version",
    "version_count",
    "first_version_created_at",
    "prompt_size_bytes",
)
"""What a list may be ordered by; with ``-`` in front the other way round."""


class RenderRequest(BaseModel):
    """Fill a prompt with values."""

    model_config = example({"variables": {"text": "All is well."}, "label": "production"})

    variables: dict[str, Any] = Field(default_factory=dict)
    version: Count | None = Field(None, description="A version; not with a label.")
    label: QueriedLabel | None = Field(None, description="A label; not with a version.")


class TextReprOptions(BaseModel):
    """How an event is written; what is left out has its default."""

    truncated: Boolean = True
    include_markers: Boolean = True
    include_line_numbers: Boolean = False
    collapsed: Boolean = False
    include_metadata: Boolean = False
    include_hierarchy: Boolean = True
    truncate_buffer: Integer = 1_000
    tools_collapse_threshold: Integer = 5
    max_length: Integer = 2_000_000
    max_depth: Integer | None = None


class TextReprRequest(BaseModel):
    """Turn an event, or a trace with its events, into text."""

    model_config = example(
        {
            "event_type": "$ai_generation",
            "data": {"id": "g1", "event": "$ai_generation", "properties": {"$ai_input": "Hi"}},
        }
    )

    event_type: EventType
    data: Event
    options: TextReprOptions = Field(default_factory=TextReprOptions)


class ReadQuery(BaseModel):
    """Which version is read, and how it is given."""

    version: Queried[Count] = Field(None, description="A version; not with a label.", examples=[2])
    label: Queried[QueriedLabel] = Field(
        None, description="A label; not with a version.", examples=["production"]
    )
    content: ContentMode = Field("full", description="How much of the content is given.")
    format: Format = FORMAT


class ListQuery(BaseModel):
    """Which prompts are listed, in which order, and how they are given."""

    limit: Limit = Field(100, description="How many rows; 100 where it is odd.")
    offset: Offset = Field(0, description="How many rows come before; 0 where it is odd.")
    search: str = Field("", description="A part of the name or the content, letter case aside.")
    order_by: str = Field(
        "-created_at",
        description="The order; `-` turns it round. By default what was published last is first.",
        json_schema_extra={"enum": ["", *ORDERS, *(f"-{order}" for order in ORDERS)]},
    )
    label: Queried[QueriedLabel] = Field(
        None, description="Only prompts with this label, as it points.", examples=["production"]
    )
    created_by_id: Queried[Integer] = Field(
        None, description="Only what this user published; 0 counts as left out."
    )
    content: ContentMode = Field("full", description="How much of the content is given.")
    format: Format = FORMAT

    @field_validator("order_by")
    @classmethod
    def _check_order(cls, order: str) -> str:
        if order and order.removeprefix("-") not in ORDERS:
            raise fault("invalid_choice", f'"{order}" is not a valid choice.')
        return order or "-created_at"


class ResolveQuery(BaseModel):
    """Which version is read, and which page of its history."""

    version: Queried[Count] = Field(None, description="A version; else the newest.")
    version_id: Queried[Uuid] = Field(None, description="The id of a version.")
    limit: Queried[PageSize] = Field(None, description="How many versions; else 50.")
    offset: Queried[Position] = Field(None, description="How many newer versions are left out.")
    before_version: Queried[Count] = Field(
        None, description="Only older versions than this; not with an offset."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.offset is not None and self.before_version is not None:
            raise fault("invalid_input", "Use either offset or before_version, not both.")
        return self


class DiffQuery(BaseModel):
    """Which two versions are compared."""

    before: Queried[Count] = Field(
        None, alias="from", description="The older version; else the one before."
    )
    after: Queried[Count] = Field(
        None, alias="to", description="The newer version; else the newest."
    )
