"""Messages of the chat APIs → turns made of neutral blocks."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from promptstore.providers.blocks import (
    Block,
    Fields,
    Foreign,
    Media,
    MediaKind,
    PastAudio,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    guess_media_type,
    refusal,
    texts_only,
)

Role: TypeAlias = Literal["system", "developer", "user", "assistant"]

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system", "developer": "developer", "user": "user", "assistant": "assistant",
    "tool": "user", "function": "user",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """One message.

    Attributes:
        role: Who speaks.
        blocks: What is said. Results of tools stand in turns of the user.
        path: Where it stands, such as ``messages[1]``.
        name: The speaker's name, or None.
    """

    role: Role
    blocks: tuple[Block, ...]
    path: str
    name: str | None = None


def read_conversation(
    messages: Sequence[Mapping[str, Any]], own: frozenset[str] = frozenset()
) -> list[Turn]:
    """Read rendered messages.

    Args:
        messages: Messages in the shape of OpenAI's or Anthropic's chat API.
        own: Keys of parts that this vendor takes as they are.

    Returns:
        One turn for each message.

    Raises:
        ProviderError: A message is none of these, or says what nobody knows.
    """
    reader = _Reader(own)
    return [
        reader.turn(Fields(message, f"messages[{index}]")) for index, message in enumerate(messages)
    ]


def read_dialogue(
    messages: Sequence[Mapping[str, Any]], own: frozenset[str] = frozenset()
) -> tuple[list[Text], list[Turn]]:
    """Read rendered messages for a vendor that keeps instructions apart and whose roles alternate.

    Empty strings, which these vendors refuse, are left out; turns of one role are joined.

    Args:
        messages: Messages in the shape of OpenAI's or Anthropic's chat API.
        own: Keys of parts that this vendor takes as they are.

    Returns:
        The texts of the system and developer messages at the beginning, and the other turns, in
        which a developer is called system.

    Raises:
        ProviderError: There is nothing but instructions, a speaker has a name, or an empty text has
            a cache marker.
    """
    turns: list[Turn] = []
    for turn in read_conversation(messages, own):
        refuse_name(turn)
        role: Role = "system" if turn.role == "developer" else turn.role
        blocks = tuple(block for block in turn.blocks if not _is_empty(block))
        if role == "system":
            blocks = tuple(texts_only(blocks))
        if turns and turns[-1].role == role:
            turns[-1] = replace(turns[-1], blocks=turns[-1].blocks + blocks)
        elif blocks:
            turns.append(replace(turn, role=role, blocks=blocks))
    instructions = turns.pop(0).blocks if turns and turns[0].role == "system" else ()
    if not turns:
        raise refusal("messages", "needs a message of the user that says something")
    return texts_only(instructions), turns


def _is_empty(block: Block) -> bool:
    if not isinstance(block, Text) or block.text:
        return False
    if block.cache is not None:
        raise block.refuse("cannot set a cache marker on an empty text")
    return True


def refuse_name(turn: Turn) -> None:
    """Refuse the name of a speaker, for a vendor that has none.

    Raises:
        ProviderError: The turn has a name.
    """
    if turn.name is not None:
        reason = "has no names of speakers; say in the text who speaks"
        raise refusal(f"{turn.path}.name", reason)


class _Reader:
    """Reads messages one after the other; remembers the calls, which results answer."""

    def __init__(self, own: frozenset[str]) -> None:
        self._own = own
        self._calls: dict[str, ToolCall] = {}

    def turn(self, fields: Fields) -> Turn:
        role = fields.require("role")
        if role not in _ROLES:
            raise fields.error(f"has no place for the role {role!r}", "role")
        content = self._content(fields)
        if role in ("tool", "function"):
            return Turn("user", (self._result(fields, content),), fields.path)
        blocks = [*content]
        if (refusal := fields.string("refusal")) is not None:
            blocks.append(Refusal(path=f"{fields.path}.refusal", text=refusal))
        if "audio" in fields:
            audio = fields.inner("audio")
            blocks.append(PastAudio(path=audio.path, id=audio.require("id")))
            audio.finish()
        for item, path in fields.items("tool_calls"):
            blocks.append(self._tool_call(Fields(item, path)))
        if "function_call" in fields:
            # The older form has no ids; its answer names the function.
            function = fields.inner("function_call")
            blocks.append(self._function(function, function.path, f"call_{len(self._calls) + 1}"))
        _refuse_misplaced(role, blocks)
        name, cache = fields.string("name"), _cache(fields)
        if cache is not None and blocks:
            blocks[-1] = replace(blocks[-1], cache=cache)
        fields.finish()
        return Turn(_ROLES[role], tuple(blocks), fields.path, name)

    def _content(self, fields: Fields) -> tuple[Block, ...]:
        path = f"{fields.path}.content"
        content = fields.take("content")
        if isinstance(content, str):
            return (Text(path=path, text=content),)
        if content is not None and not isinstance(content, list | tuple):
            raise fields.error("needs a string or a list of parts here", "content")
        return tuple(
            self._part(Fields(part, f"{path}[{index}]"), part)
            for index, part in enumerate(content or ())
        )

    def _part(self, fields: Fields, part: Mapping[str, Any]) -> Block:
        kind, source = fields.require("type"), part.get("source")
        is_list = isinstance(source, Mapping) and source.get("type") == "content"
        match "" if is_list else kind:  # a list of parts as a source is Anthropic's alone
            case "text":
                block: Block = Text(path=fields.path, text=fields.require("text"))
            case "refusal":
                block = Refusal(path=fields.path, text=fields.require("refusal"))
            case "image_url":
                block = _image_url(fields)
            case "input_audio":
                block = _input_audio(fields)
            case "file":
                block = _file(fields)
            case "image":
                block = _sourced(fields, "image")
            case "document":
                title, context = fields.string("title"), fields.string("context")
                block = replace(_sourced(fields, "document"), name=title, context=context)
            case "tool_use":
                block = self._tool_use(fields)
            case "tool_result":
                block = self._tool_result(fields)
            case _:
                return Foreign(path=fields.path, kind=kind, part=part)
        return replace(block, cache=_cache(fields), own=fields.finish(self._own))

    def _tool_call(self, fields: Fields) -> ToolCall:
        kind, call_id = fields.string("type") or "function", fields.require("id")
        if kind not in ("function", "custom"):
            raise fields.error(f"has no call of the type {kind!r}", "type")
        call = self._function(fields.inner(kind), fields.path, call_id, is_custom=kind == "custom")
        fields.finish()
        return call

    def _function(
        self, fields: Fields, path: str, call_id: str, *, is_custom: bool = False
    ) -> ToolCall:
        name = fields.require("name")
        arguments = fields.string("input" if is_custom else "arguments") or ""
        fields.finish()
        call = ToolCall(path=path, id=call_id, name=name, arguments=arguments, is_custom=is_custom)
        self._calls[call_id] = call
        return call

    def _result(self, fields: Fields, content: tuple[Block, ...]) -> ToolResult:
        name, call_id, cache = fields.string("name"), fields.string("tool_call_id"), _cache(fields)
        fields.finish()
        _refuse_misplaced("tool", content)
        if call_id is None:
            ids = [key for key, call in self._calls.items() if call.name == name]
            if not ids:
                raise fields.error("needs the `tool_call_id` of a result, or its call before it")
            call_id = ids[-1]
        call = self._answered(fields.path, call_id, name or "")
        if name is not None and call.name != name:
            raise fields.error(f"needs the name of the call, which is {call.name!r}", "name")
        return ToolResult(path=fields.path, call=call, content=content, cache=cache)

    def _answered(self, path: str, call_id: str, name: str = "") -> ToolCall:
        unknown = ToolCall(path=path, id=call_id, name=name, arguments="")
        return self._calls.get(call_id, unknown)

    def _tool_use(self, fields: Fields) -> Block:
        given = fields.take("input") or {}
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        call_id, name = fields.require("id"), fields.require("name")
        call = ToolCall(path=fields.path, id=call_id, name=name, arguments=arguments)
        self._calls[call_id] = call
        return call

    def _tool_result(self, fields: Fields) -> Block:
        content = self._content(fields)
        _refuse_misplaced("tool", content)
        return ToolResult(
            path=fields.path,
            call=self._answered(fields.path, fields.require("tool_use_id")),
            content=content,
            is_error=bool(fields.take("is_error")),
        )


def _refuse_misplaced(role: str, blocks: Sequence[Block]) -> None:
    for block in blocks:
        if isinstance(block, ToolCall | Refusal | PastAudio) and role != "assistant":
            raise block.refuse("takes this from the assistant only")
        if isinstance(block, ToolResult) and role != "user":
            raise block.refuse("takes the result of a tool from the user only")


def _cache(fields: Fields) -> Mapping[str, Any] | None:
    if "cache_control" not in fields:
        return None
    marker = fields.inner("cache_control")
    kind, lifetime = marker.require("type"), marker.string("ttl")
    marker.finish()
    if kind != "ephemeral" or lifetime not in (None, "5m", "1h"):
        raise marker.error("takes {type: ephemeral} with a `ttl` of 5m or 1h, or none")
    return {"type": kind} if lifetime is None else {"type": kind, "ttl": lifetime}


def _image_url(fields: Fields) -> Media:
    image = fields.inner("image_url")
    url, detail = image.require("url"), image.string("detail")
    image.finish()
    return replace(_from_url(fields, "image", url), detail=detail)


def _input_audio(fields: Fields) -> Media:
    audio = fields.inner("input_audio")
    data, form = audio.require("data"), audio.require("format")
    audio.finish()
    return _from_data(fields, "audio", data, f"audio/{form}")


def _file(fields: Fields) -> Media:
    file = fields.inner("file")
    name, file_id = file.string("filename"), file.string("file_id")
    if file_id is not None:
        file.finish()
        return Media(path=fields.path, kind="document", file_id=file_id, name=name)
    data = file.require("file_data")
    file.finish()
    if data.startswith("data:"):
        return replace(_from_url(fields, "document", data), name=name)
    media_type = guess_media_type(name or "")
    if media_type is None:
        raise file.error("needs a data URL, or a `filename` that ends in its type")
    return replace(_from_data(fields, "document", data, media_type), name=name)


def _sourced(fields: Fields, kind: MediaKind) -> Media:
    source = fields.inner("source")
    form = source.require("type")
    match form:
        case "base64":
            media = _from_data(fields, kind, source.require("data"), source.require("media_type"))
        case "url":
            media = _from_url(fields, kind, source.require("url"))
        case "file":
            media = Media(path=fields.path, kind=kind, file_id=source.require("file_id"))
        case "text" if kind == "document":
            media_type = source.string("media_type")
            text = source.require("data")
            media = Media(path=fields.path, kind=kind, media_type=media_type, text=text)
        case _:
            raise source.error(f"has no place for the type {form!r}")
    source.finish()
    return media


def _from_url(fields: Fields, kind: MediaKind, url: str) -> Media:
    if not url.startswith("data:"):
        return Media(path=fields.path, kind=kind, url=url)
    head, _, data = url[5:].partition(",")
    media_type, *words = head.split(";")
    if words != ["base64"]:
        raise fields.error("takes a data URL in base64 only, as data:TYPE;base64,DATA")
    return _from_data(fields, kind, data, media_type)


def _from_data(fields: Fields, kind: MediaKind, data: str, media_type: str) -> Media:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise fields.error("takes data in base64 only") from None
    return Media(path=fields.path, kind=kind, media_type=media_type, data=data)
