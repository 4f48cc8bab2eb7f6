"""The answers of PostHog's API, in both of its generations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictInt

Dialect: TypeAlias = Literal["legacy", "current"]
"""The generation of the API: ``legacy`` writes by id and counts no versions, ``current`` does."""

UUID: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
"""A UUID, as a string."""

_ID = "497f6eca-6276-4993-bfeb-53cbbbba6f08"
_TIME = "2026-08-24T14:15:22Z"
_LIST = "https://prompts.example.com/api/environments/1/llm_prompts/"
_USER = {
    "id": 81985529216486,
    "uuid": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f",
    "distinct_id": "095be615-a8ad-4c33-8e9c-c7612fbf6c9f",
    "first_name": "Ada",
    "last_name": "Example",
    "email": "ada@example.com",
    "is_email_verified": True,
    "hedgehog_config": {},
    "role_at_organization": "engineering",
}
_MADE = {"id": _ID, "version": 2, "created_by": _USER, "created_at": _TIME}
_BASE = {**_MADE, "name": "summarise", "updated_at": _TIME, "deleted": False}
_STATE = {
    "prompt": "Summarise: {{text}}",
    "config": {"model": "gpt-x"},
    "outline": [],
    "is_latest": True,
    "latest_version": 2,
    "version_count": 2,
    "first_version_created_at": _TIME,
}
_TOLD = {"version_description": "Shorter", "labels": ["production"]}
_FULL = {**_BASE, **_STATE, **_TOLD, "activity_item_id": "summarise"}
_LABELS = {"all_labels": [{"name": "production", "version": 2}]}
_ROW = {**_FULL, **_LABELS, "prompt_size_bytes": 21}
_NATIVE = {
    **_BASE,
    **_LABELS,
    "latest_version": 2,
    "version_description": "Shorter",
    "git_name": "summarise",
    "commit": "5f2b1c0e9d8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",
    "blob": "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    "content": {"prompt": "Summarise: {{ text }}", "config": {"model": "gpt-x"}},
}
_LABEL = {**_MADE, "name": "production", "prompt_name": "summarise", "updated_at": _TIME}
_VERSION = {**_MADE, **_TOLD, "is_latest": True}


def example(value: Any) -> ConfigDict:
    """Return the configuration of a model with an example for its documentation."""
    return ConfigDict(json_schema_extra={"examples": [value]})


class User(BaseModel):
    """A person."""

    id: int | None = None
    uuid: str = ""
    distinct_id: str | None = None
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    is_email_verified: bool | None = None
    hedgehog_config: dict[str, Any] | None = None
    role_at_organization: str | None = None

    @property
    def name(self) -> str:
        """The whole name; the address where there is none."""
        return " ".join(filter(None, (self.first_name, self.last_name))) or self.email


class Heading(BaseModel):
    """A heading of a markdown text."""

    level: int
    text: str


class LabelVersion(BaseModel):
    """Where a label points."""

    name: str
    version: StrictInt


class _AnyPrompt(BaseModel):
    """What every answer says of a prompt."""

    id: UUID = Field(description="Stays the same for all versions, and when it is renamed.")
    name: str
    version: StrictInt
    created_by: User | None
    created_at: datetime
    updated_at: datetime
    deleted: bool


class PromptById(_AnyPrompt):
    """A prompt as the generation of ids answers it."""

    model_config = example({**_BASE, "prompt": "Summarise: {{text}}"})

    prompt: Any = Field(description="The content; messages as JSON.")


class _VersionedPrompt(_AnyPrompt):
    prompt: str = Field("", description="The text; a list of messages as its JSON text.")
    prompt_preview: str = ""
    config: dict[str, Any] | None = None
    template: str = Field(
        "", description="Only where `prompt` is the source of a template: its language."
    )
    outline: list[Heading] = Field(description="The markdown headings of a text.")
    is_latest: bool
    latest_version: int
    version_count: int
    first_version_created_at: datetime


class PublicPrompt(_VersionedPrompt):
    """A version as a read by name answers it."""

    model_config = example({**_BASE, **_STATE})

    label: str = Field("", description="Only where it was asked for by a label.")


class FullPrompt(_VersionedPrompt):
    """A version as a write answers it."""

    model_config = example(_FULL)

    version_description: str | None
    labels: list[str]
    activity_item_id: str


class PromptRow(FullPrompt):
    """A row of the list."""

    model_config = example(_ROW)

    prompt_size_bytes: int
    all_labels: list[LabelVersion]


class NativePrompt(_AnyPrompt):
    """A version as its file says it."""

    model_config = example(_NATIVE)

    latest_version: int
    version_description: str | None
    all_labels: list[LabelVersion]
    git_name: str = Field(description="The name of its file under the root.")
    commit: str
    blob: str
    content: dict[str, Any] = Field(description="What its file says.")


class PromptList(BaseModel):
    """A page of prompts."""

    model_config = example(
        {
            "count": 123,
            "next": f"{_LIST}?limit=1&offset=2",
            "previous": f"{_LIST}?limit=1",
            "results": [_ROW],
        }
    )

    count: int
    next: str | None
    previous: str | None
    results: list[PromptRow | NativePrompt]


class LabelRow(BaseModel):
    """A label of a prompt."""

    model_config = example(_LABEL)

    id: UUID
    name: str
    prompt_name: str
    version: int
    created_by: User | None
    created_at: datetime | None
    updated_at: datetime | None


class VersionSummary(BaseModel):
    """One version in a prompt's history, without its content."""

    model_config = example(_VERSION)

    id: UUID = Field(description="The id of this version; for `version_id`.")
    version: StrictInt
    version_description: str | None = None
    created_by: User | None = None
    created_at: datetime | None = None
    is_latest: bool = False
    labels: list[str] = []


class Resolved(BaseModel):
    """A version with a page of its prompt's history."""

    model_config = example(
        {"prompt": _FULL, "versions": [_VERSION], "has_more": False, "labels": [_LABEL]}
    )

    prompt: FullPrompt
    versions: list[VersionSummary]
    has_more: bool
    labels: list[LabelRow]


class TextDiff(BaseModel):
    """A text that changed: what it is, and the unified diff of its lines."""

    title: str
    diff: str


class PromptDiff(BaseModel):
    """What changed between two versions."""

    model_config = example(
        {
            "name": "summarise",
            "from": 1,
            "to": 2,
            "changes": ['config.model: "gpt-w" → "gpt-x"'],
            "texts": [{"title": "the text", "diff": "@@ -1 +1 @@\n-Sum up\n+Summarise"}],
        }
    )

    name: str
    before: int = Field(alias="from")
    after: int = Field(alias="to")
    changes: list[str]
    texts: list[TextDiff]


class Rendered(BaseModel):
    """A prompt filled with values."""

    model_config = example(
        {
            "name": "summarise",
            "version": 2,
            "digest": "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab",
            "messages": [{"role": "user", "content": "Summarise: All is well."}],
            "text": "Summarise: All is well.",
            "config": {"model": "gpt-x"},
        }
    )

    name: str
    version: int
    digest: str
    messages: list[dict[str, Any]]
    text: str | None = Field(description="The text of a text prompt; null for a chat prompt.")
    config: dict[str, Any]


class TextRepresentation(BaseModel):
    """An event as readable text."""

    model_config = example(
        {
            "text": "INPUT:\n\n[1] USER\n\nHi",
            "metadata": {
                "event_type": "$ai_generation",
                "event_id": "g1",
                "trace_id": None,
                "rendering": "detailed",
                "char_count": 21,
                "truncated": False,
            },
        }
    )

    text: str
    metadata: dict[str, Any]


class ErrorBody(BaseModel):
    """A refusal."""

    type: str | None = None
    code: str | None = None
    detail: str
    attr: str | None = None


class Health(BaseModel):
    """Whether every repository can be read."""

    status: Literal["ok", "failing"]


class RemotePrompt(BaseModel):
    """One version of a prompt as a client reads it, from any answer of either generation.

    Attributes:
        id: The id of this version; in the dialect ``legacy`` that of the prompt.
        name: The prompt's name there.
        prompt: Its content: a text, or other JSON; None where only a preview was asked for.
        version: The version's number; always 1 in the dialect ``legacy``.
        config: Its config, or None where it has none.
        latest_version: The number of the newest version, or None in the dialect ``legacy``.
        version_description: What was said about the version, or None.
        created_by: Who made it, or None where it is not told.
        created_at: When it was made.
        updated_at: When it changed last.
        deleted: Whether it is archived.
        label: The label that it was asked for by, or None.
        own_labels: The labels that point at this version, where they are told.
        all_labels: The labels of all versions, where they are told.
        content: What the file says, where a promptstore server was asked for that.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    prompt: Any = None
    version: StrictInt
    config: dict[str, Any] | None = None
    latest_version: StrictInt | None = None
    version_description: str | None = None
    created_by: User | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted: bool = False
    label: str | None = None
    own_labels: list[str] = Field([], alias="labels")
    all_labels: list[LabelVersion] | None = None
    content: dict[str, Any] | None = None

    @property
    def labels(self) -> dict[str, int]:
        """The versions by label, over all versions of the prompt where a list tells them."""
        if self.all_labels is not None:
            return {label.name: label.version for label in self.all_labels}
        return dict.fromkeys(self.own_labels, self.version)


class PromptHistory(BaseModel):
    """A prompt and a page of its versions, newest first.

    Attributes:
        prompt: The version that was asked for.
        versions: The page.
        has_more: Whether there are older versions.
        labels: Where the labels of all versions point.
    """

    prompt: RemotePrompt
    versions: list[VersionSummary]
    has_more: bool
    labels: list[LabelVersion]


class PromptPage(BaseModel):
    """A page of the list.

    Attributes:
        next: The address of the next page, or None.
        results: The prompts.
    """

    next: str | None
    results: list[RemotePrompt]
