"""The messages of a prompt, and the parts of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeAlias, get_args

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    GetPydanticSchema,
    Tag,
    TypeAdapter,
)
from pydantic_core import core_schema

from promptstore.model.faults import (
    CONFIG,
    KEYS_AT,
    TAG,
    Fault,
    KeyPath,
    fail,
    kind_of,
    named,
    shown,
)
from promptstore.model.values import JsonObject, String, null_faults, plain_json, validated


def _by_type(what: str) -> GetPydanticSchema:
    """Return what checks a dict by the type that it names, and keeps it the plain dict that it is.

    Args:
        what: ``parts`` or ``tool_calls``: what of `promptstore.model.knownparts` checks it.
    """

    def adapter() -> TypeAdapter[Any]:
        # Most prompts have neither: who has none need not wait until the classes are built.
        from promptstore.model import knownparts

        return knownparts.ADAPTERS[what]

    def check(value: Any) -> dict[str, Any]:
        plain = plain_json(value)
        if not isinstance(plain, dict):
            raise fail("{where} must be a mapping of keys, not " + kind_of(value) + ".")
        adapter().validate_python(plain)
        return plain

    return GetPydanticSchema(
        lambda _source, _handler: core_schema.no_info_plain_validator_function(check),
        lambda _schema, handler: handler(adapter().core_schema),
    )


Part: TypeAlias = Annotated[dict[str, Any], _by_type("parts")]
"""One part of a content: ``{"type": "text", "text": …}`` and the like; strings are templates."""

ToolCall: TypeAlias = Annotated[dict[str, Any], _by_type("tool_calls")]
"""A call of a tool by the model; strings in its arguments are templates."""

_ARGUMENTS: Final = (("function", "arguments"), ("custom", "input"))
"""The ways from a tool call to what is a template in it."""

_LITERAL_KEYS: Final = frozenset({"type", "id", "tool_use_id", "cache_control"})
"""Keys in a part whose strings are no templates."""

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


@validated()
@dataclass(frozen=True, slots=True)
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

    __pydantic_config__: ClassVar = ConfigDict(**CONFIG, json_schema_extra=_SAYS_SOMETHING)

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


@validated()
@dataclass(frozen=True, slots=True)
class Insert:
    """The place in a chat prompt where a list of messages goes.

    Attributes:
        insert: The variable, of type ``messages``, that holds the list.
    """

    __pydantic_config__: ClassVar = CONFIG

    insert: String


Item: TypeAlias = Annotated[
    Annotated[Message, Tag(f"{TAG}message")] | Annotated[Insert, Tag(f"{TAG}insert")],
    Discriminator(_item_tag),
]
"""What a chat prompt is a list of."""


def map_templates(message: Message, change: Callable[[KeyPath, str], Any]) -> dict[str, Any]:
    """Return a message as the chat APIs take it, with something in the place of each template.

    In parts and in the arguments of tool calls, every string is a template but types and ids.

    Args:
        message: The message.
        change: What to put there, by the path of the template in the message, and its text.
    """
    fields = {key: getattr(message, key) for key in MESSAGE_KEYS}
    return {
        key: _mapped(value, (key,), change)
        for key, value in fields.items()
        if value is not None or key == "content"
    }


def templates_of(message: Message) -> list[tuple[KeyPath, str]]:
    """Return every template of a message with its path in the message."""
    found: list[tuple[KeyPath, str]] = []
    map_templates(message, lambda path, text: found.append((path, text)))
    return found


def _mapped(value: Any, path: KeyPath, change: Callable[[KeyPath, str], Any]) -> Any:
    if isinstance(value, str):
        return change(path, value) if _is_template(path) else value
    if isinstance(value, Mapping):
        return {key: _mapped(item, (*path, key), change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, (*path, index), change) for index, item in enumerate(value)]
    return value


def _is_template(path: KeyPath) -> bool:
    if path[0] == "tool_calls":
        return path[2:] in _ARGUMENTS
    # What a tool was called with may have any keys.
    return path[0] == "content" and ("input" in path or _LITERAL_KEYS.isdisjoint(path))


def message_faults(message: Mapping[str, Any], path: KeyPath) -> Iterator[Fault]:
    """Find what is wrong between the keys of a message of a prompt.

    Args:
        message: The message as plain JSON. What has a wrong type is left to pydantic.
        path: Its place.

    Yields:
        Each fault.
    """
    yield from null_faults(message, path, ("content",))
    if message.get("content") is None and not ("tool_calls" in message or "refusal" in message):
        needs = "`content:`, or `tool_calls:` or `refusal:` instead"
        yield Fault(path, "missing_key", f"{named(path)} needs {needs}.")


_INSTEAD: Final = ("tool_calls", "function_call", "refusal", "audio")
"""What a message of the assistant may have in place of a content."""


def messages_fault(messages: Any) -> str:
    """Return what keeps a list from being messages of a chat API, or an empty string.

    Args:
        messages: The list as plain JSON: any valid history of the chat APIs is taken.
    """
    for number, message in enumerate(messages, 1):
        if fault := _message_fault(message):
            return f"message {number} {fault}"
    return ""


def _message_fault(message: Any) -> str:
    """Return what keeps an object from being a message of a chat API, or an empty string."""
    if not isinstance(message, dict):
        return f"is {kind_of(message)}, but must be a mapping with role and content"
    role = message.get("role")
    if role not in ROLES:
        return f"has the role {shown(repr(role))}; the roles are {', '.join(ROLES)}"
    content = message.get("content")
    if isinstance(content, str):
        return ""
    if isinstance(content, list):
        faults = [number for number, part in enumerate(content, 1) if not _is_part(part)]
        return (
            f"must have a content of parts with a type; part {faults[0]} is none" if faults else ""
        )
    if content is None:
        if role == "function" or (role == "assistant" and any(map(message.get, _INSTEAD))):
            return ""
        instead = f", or one of {', '.join(_INSTEAD)}" if role == "assistant" else ""
        return f"must have a content{instead}"
    return f"must have a content that is a string or a list of parts, not {kind_of(content)}"


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)
