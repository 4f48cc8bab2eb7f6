"""The requests of PostHog's API, in both of its generations: bodies and queries."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, field_validator, model_validator

from promptstore.posthog.fields import (
    MAX_EDITS,
    Boolean,
    Config,
    Content,
    Count,
    Description,
    Event,
    Integer,
    Limit,
    Name,
    NewName,
    Offset,
    PageSize,
    Position,
    Queried,
    QueriedLabel,
    Uuid,
    check_characters,
    fault,
)
from promptstore.posthog.models import example

ContentMode: TypeAlias = Literal["full", "preview", "none", ""]
"""How much of a prompt's content an answer holds: all, its beginning, nothing."""

Format: TypeAlias = Literal["json", "source", "native", ""]
"""How a content is given: as the API does, as the file writes it, or the whole file."""

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
_FORMAT: Any = Field(
    "json",
    description="`source`: templates as the file writes them. `native`: the whole file as JSON.",
)


class Edit(BaseModel):
    """One replacement in a content.

    Attributes:
        old: The text that must be there exactly once.
        new: What it becomes.
    """

    old: str = Field(pattern=r"\S", description="Must match exactly once.")
    new: str = Field(pattern=r"\S")

    @field_validator("old", "new")
    @classmethod
    def _strip(cls, text: str) -> str:
        return check_characters(text).strip()


class CreateRequest(BaseModel):
    """Make a prompt."""

    model_config = example(
        {
            "name": "summarise",
            "prompt": "Summarise: {{text}}",
            "version_description": "First words",
        }
    )

    name: NewName
    prompt: Content
    config: Config = Field(default_factory=dict)
    version_description: Description | None = None
    deleted: Boolean = Field(False, description="Whether it is made as a tombstone.")


class PublishRequest(BaseModel):
    """Make a new version of a prompt."""

    model_config = example(
        {
            "base_version": 1,
            "prompt": "Summarise: {{text}}",
            "version_description": "Shorter",
        }
    )

    prompt: Content = None
    edits: list[Edit] = Field([], max_length=MAX_EDITS)
    config: Config = Field(default_factory=dict)
    base_version: Count = Field(
        description="The version that the change was made for; it must be the newest one."
    )
    version_description: Description = ""

    @field_validator("edits")
    @classmethod
    def _not_empty(cls, edits: list[Edit]) -> list[Edit]:
        if not edits:
            raise fault("invalid_input", "At least one edit operation is required.")
        return edits

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_fields_set
        if {"prompt", "edits"} <= given:
            raise fault("invalid_input", "Provide either 'prompt' or 'edits', not both.")
        if not given & {"prompt", "edits", "config"}:
            raise fault("invalid_input", "Either 'prompt', 'edits' or 'config' is required.")
        return self


class UpdateRequest(BaseModel):
    """Change a prompt by its id; what is left out stays."""

    model_config = example({"prompt": "Summarise: {{text}}"})

    name: Name = ""
    prompt: Content = None
    deleted: Boolean = False


class ReplaceRequest(BaseModel):
    """Change the name and the content of a prompt by its id."""

    model_config = example({"name": "summarise", "prompt": "Summarise: {{text}}"})

    name: Name
    prompt: Content
    deleted: Boolean = False


class DuplicateRequest(BaseModel):
    """Make a prompt with the newest content of another one."""

    model_config = example({"new_name": "summarise-2"})

    new_name: NewName


class LabelRequest(BaseModel):
    """Point a label at a version."""

    model_config = example({"version": 2})

    version: Count


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
    format: Format = _FORMAT


class FormatQuery(BaseModel):
    """How a content is given, in a request and in an answer."""

    format: Format = _FORMAT


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
    format: Format = _FORMAT

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
