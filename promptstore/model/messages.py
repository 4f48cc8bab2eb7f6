"""The messages of a chat prompt, and the places where lists of messages go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from promptstore.model.faults import CONFIG, KEYS_AT, TAG, with_own_errors
from promptstore.model.parts import JsonObject, Part, String, ToolCall

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool", "function"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""The roles that a message may have."""

MESSAGE_KEYS: Final = (
    "role", "content", "name", "tool_calls", "tool_call_id", "refusal", "cache_control",
)  # fmt: skip
"""The keys of a message, in the order of a file."""

KEYS_AT[f"{TAG}message"] = MESSAGE_KEYS
KEYS_AT[f"{TAG}insert"] = ("insert",)


def without_nulls(messages: list[Any]) -> list[Any]:
    """Return plain messages as a prompt's content has them: without a content that is null."""
    return [
        {key: value for key, value in message.items() if key != "content" or value is not None}
        if isinstance(message, dict)
        else message
        for message in messages
    ]


def _content_tag(value: Any) -> str | None:
    if isinstance(value, str):
        return f"{TAG}string"
    if isinstance(value, (list, tuple)):
        return f"{TAG}parts"
    return f"{TAG}null" if value is None else None


def _item_tag(value: Any) -> str:
    is_insert = isinstance(value, Insert) or (isinstance(value, Mapping) and "insert" in value)
    return f"{TAG}insert" if is_insert else f"{TAG}message"


Content: TypeAlias = Annotated[
    Annotated[String, Tag(f"{TAG}string")]
    | Annotated[tuple[Part, ...], Field(min_length=1), Tag(f"{TAG}parts")]
    | Annotated[None, Tag(f"{TAG}null")],
    Discriminator(_content_tag),
]
"""A template, parts whose strings are templates, or nothing beside tool calls."""


_SAYS_SOMETHING: Final[dict[str, Any]] = {
    "anyOf": [
        {"required": ["content"], "properties": {"content": {"type": ["string", "array"]}}},
        {"required": ["tool_calls"]},
        {"required": ["refusal"]},
    ]
}


@with_own_errors()
@dataclass(frozen=True, slots=True, config=ConfigDict(**CONFIG, json_schema_extra=_SAYS_SOMETHING))
class Message:
    """One message of a chat prompt.

    Attributes:
        role: Who speaks: one of `ROLES`.
        content: A template, or parts (dicts with a ``type``) whose strings are templates. None
            where there are only tool calls or a refusal.
        name: Who of several of one role speaks.
        tool_calls: The calls that the model made; strings in their arguments are templates.
        tool_call_id: The call that a tool's message answers.
        refusal: What the model said instead of an answer.
        cache_control: Up to where the provider may cache the prompt.
    """

    role: Role
    content: Content = None
    name: String | None = None
    tool_calls: Annotated[tuple[ToolCall, ...], Field(min_length=1)] | None = None
    tool_call_id: String | None = None
    refusal: String | None = None
    cache_control: JsonObject | None = None

    if TYPE_CHECKING:  # what may stand for each field; pydantic makes it what the field is

        def __init__(
            self,
            role: Role,
            content: str | Sequence[Mapping[str, Any]] | None = None,
            name: str | None = None,
            tool_calls: Sequence[Mapping[str, Any]] | None = None,
            tool_call_id: str | None = None,
            refusal: str | None = None,
            cache_control: Mapping[str, Any] | None = None,
        ) -> None: ...


@with_own_errors()
@dataclass(frozen=True, slots=True, config=CONFIG)
class Insert:
    """The place in a chat prompt where a list of messages goes.

    Attributes:
        insert: The variable, of type ``messages``, that holds the list.
    """

    insert: String


Item: TypeAlias = Annotated[
    Annotated[Message, Tag(f"{TAG}message")] | Annotated[Insert, Tag(f"{TAG}insert")],
    Discriminator(_item_tag),
]
"""What a chat prompt is a list of."""
