"""Messages of the chat APIs → turns made of neutral blocks."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from promptstore.errors import ProviderError

Role: TypeAlias = Literal["system", "developer", "user", "assistant"]
MediaKind: TypeAlias = Literal["image", "audio", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of a turn.

    Attributes:
        path: Where it stands in the rendered messages, such as ``messages[1].content[0]``.
        cache: The cache marker behind it, as Anthropic writes it, or None.
    """

    path: str
    cache: Mapping[str, Any] | None = None

    def refuse(self, provider: str, reason: str) -> ProviderError:
        """Make the error that says why a vendor cannot take it."""
        return ProviderError(provider=provider, path=self.path, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Block):
    """A piece of text.

    Attributes:
        text: The text.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media(Block):
    """An image, a sound or a document; exactly one of data, url, file_id and text is set.

    Attributes:
        kind: What it is.
        media_type: Its media type, such as ``image/png``, where it is known.
        data: Its bytes in base64.
        url: Where it is.
        file_id: Its id at the vendor.
        text: The text of a plain document.
        name: Its file name or title.
        context: What a document is about, as Anthropic takes it.
        detail: How closely an image is looked at, as OpenAI takes it.
    """

    kind: MediaKind
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    text: str | None = None
    name: str | None = None
    context: str | None = None
    detail: str | None = None

    @property
    def as_data_url(self) -> str:
        """The data as a ``data:`` URL."""
        return f"data:{self.media_type};base64,{self.data}"

    @property
    def as_bytes(self) -> bytes:
        """The data as bytes."""
        return base64.b64decode(self.data or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(Block):
    """A call of a tool by the model.

    Attributes:
        id: The call's id.
        name: The tool's name.
        arguments: The arguments as JSON text.
    """

    id: str
    name: str
    arguments: str

    def parsed_arguments(self, provider: str) -> dict[str, Any]:
        """Return the arguments as an object.

        Args:
            provider: Who wants them, for the error.

        Raises:
            ProviderError: They are no JSON object.
        """
        try:
            value = json.loads(self.arguments or "{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self.refuse(
                provider,
                f"wants the arguments of {self.name!r} as a JSON object, and these are none",
            )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(Block):
    """What a tool answered.

    Attributes:
        call_id: The id of the call.
        name: The tool's name, where it is known.
        content: The answer.
        is_error: Whether the tool failed.
    """

    call_id: str
    name: str | None
    content: tuple[Block, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Block):
    """A refusal of the model.

    Attributes:
        text: What it said.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign(Block):
    """A part that only one vendor knows.

    Attributes:
        part: The part as it was given.
    """

    part: Mapping[str, Any]


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


_ROLES: Final[Mapping[str, Role]] = {
    "system": "system", "developer": "developer", "user": "user", "assistant": "assistant",
    "tool": "user", "function": "user",
}  # fmt: skip


def read_conversation(provider: str, messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Read rendered messages.

    Args:
        provider: Who wants them, for errors.
        messages: Messages in the shape of OpenAI's or Anthropic's chat API.

    Returns:
        One turn for each message.

    Raises:
        ProviderError: A message is none of these.
    """
    reader = _Reader(provider)
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        try:
            turns.append(reader.turn(message, path))
        except (AttributeError, KeyError, TypeError) as error:
            raise ProviderError(
                provider=provider,
                path=path,
                reason=f"takes messages as the chat APIs do, and this one is none ({error!r})",
            ) from error
    return turns


def refuse_names(provider: str, turns: Sequence[Turn]) -> None:
    """Refuse names of speakers, for vendors that have none.

    Raises:
        ProviderError: A turn has a name.
    """
    for turn in turns:
        if turn.name is not None:
            raise ProviderError(
                provider=provider, path=f"{turn.path}.name", reason="has no names of speakers"
            )


def merge_turns(turns: Sequence[Turn]) -> list[Turn]:
    """Join turns of one role that follow each other, for vendors whose roles alternate."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role and merged[-1].name == turn.name:
            merged[-1] = replace(merged[-1], blocks=merged[-1].blocks + turn.blocks)
        else:
            merged.append(turn)
    return merged


def split_system(turns: Sequence[Turn]) -> tuple[list[Block], list[Turn]]:
    """Split off the blocks of the instructions at the beginning.

    Args:
        turns: The turns.

    Returns:
        The blocks of the leading system and developer turns, and the other turns.
    """
    count = next((i for i, t in enumerate(turns) if t.role in ("user", "assistant")), len(turns))
    return [block for turn in turns[:count] for block in turn.blocks], list(turns[count:])


class _Reader:
    """Reads messages one after the other; remembers which tool a call was for."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._tools: dict[str, str] = {}

    def turn(self, message: Mapping[str, Any], path: str) -> Turn:
        role = message["role"]
        if role not in _ROLES:
            raise self._error(path, f"has no place for the role {role!r}")
        blocks = [*self._content(message.get("content"), f"{path}.content")]
        if role in ("tool", "function"):
            blocks = [self._result(message, tuple(blocks), path)]
        elif refusal := message.get("refusal"):
            blocks.append(Refusal(path=f"{path}.refusal", text=refusal))
        if audio := message.get("audio"):
            blocks.append(Foreign(path=f"{path}.audio", part={"type": "audio", **audio}))
        blocks += self._calls(message, path)
        if blocks and (cache := message.get("cache_control")):
            blocks[-1] = replace(blocks[-1], cache=cache)
        name = message.get("name") if role not in ("tool", "function") else None
        return Turn(_ROLES[role], tuple(blocks), path, name)

    def _content(self, content: Any, path: str) -> Iterator[Block]:
        if isinstance(content, str):
            yield Text(path=path, text=content)
            return
        for index, part in enumerate(content or ()):
            yield self._part(part, f"{path}[{index}]")

    def _part(self, part: Mapping[str, Any], path: str) -> Block:
        read = _PARTS.get(part.get("type", ""))
        cache = part.get("cache_control")
        if read is not None:
            return replace(read(self, part, path), cache=cache)
        return Foreign(path=path, cache=cache, part=part)

    def _calls(self, message: Mapping[str, Any], path: str) -> Iterator[Block]:
        for index, call in enumerate(message.get("tool_calls") or ()):
            function = call.get("function")
            if not isinstance(function, Mapping):
                yield Foreign(path=f"{path}.tool_calls[{index}]", part=call)
                continue
            name, arguments = function["name"], function.get("arguments", "")
            yield self._call(f"{path}.tool_calls[{index}]", call["id"], name, arguments)
        if function := message.get("function_call"):
            # The older form has no ids; its answer names the function.
            name, arguments = function["name"], function.get("arguments", "")
            yield self._call(f"{path}.function_call", f"call_{name}", name, arguments)

    def _call(self, path: str, call_id: str, name: str, arguments: str) -> ToolCall:
        self._tools[call_id] = name
        return ToolCall(path=path, id=call_id, name=name, arguments=arguments)

    def _result(
        self, message: Mapping[str, Any], content: tuple[Block, ...], path: str
    ) -> ToolResult:
        name = message.get("name")
        call_id = message.get("tool_call_id") or f"call_{name}"
        return ToolResult(
            path=path, call_id=call_id, name=name or self._tools.get(call_id), content=content
        )

    def read_text(self, part: Mapping[str, Any], path: str) -> Block:
        return Text(path=path, text=part["text"])

    def read_refusal(self, part: Mapping[str, Any], path: str) -> Block:
        return Refusal(path=path, text=part["refusal"])

    def read_image_url(self, part: Mapping[str, Any], path: str) -> Block:
        image = part["image_url"]
        url, detail = (
            (image, None) if isinstance(image, str) else (image["url"], image.get("detail"))
        )
        return replace(self._from_url("image", url, path), detail=detail)

    def read_input_audio(self, part: Mapping[str, Any], path: str) -> Block:
        audio = part["input_audio"]
        media_type = f"audio/{audio.get('format', 'wav')}"
        return self._from_data("audio", audio["data"], media_type, path)

    def read_file(self, part: Mapping[str, Any], path: str) -> Block:
        file = part["file"]
        name, data, file_id = file.get("filename"), file.get("file_data"), file.get("file_id")
        if file_id is not None:
            return Media(path=path, kind="document", file_id=file_id, name=name)
        if data is None:
            raise self._error(path, "needs the file's file_id or file_data, and there is neither")
        return replace(self._from_url("document", data, path), name=name)

    def read_source(self, part: Mapping[str, Any], path: str) -> Block:
        source, kind = part["source"], part["type"]
        media = self._sourced(source, kind, path)
        return replace(media, name=part.get("title"), context=part.get("context"))

    def _sourced(self, source: Mapping[str, Any], kind: MediaKind, path: str) -> Media:
        match source.get("type"):
            case "base64":
                return self._from_data(kind, source["data"], source["media_type"], path)
            case "url":
                return self._from_url(kind, source["url"], path)
            case "file":
                return Media(path=path, kind=kind, file_id=source["file_id"])
            case "text":
                return Media(path=path, kind=kind, media_type="text/plain", text=source["data"])
        raise self._error(f"{path}.source", f"has no place for the type {source.get('type')!r}")

    def read_tool_use(self, part: Mapping[str, Any], path: str) -> Block:
        given = part.get("input", {})
        arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return self._call(path, part["id"], part["name"], arguments)

    def read_tool_result(self, part: Mapping[str, Any], path: str) -> Block:
        call_id = part["tool_use_id"]
        return ToolResult(
            path=path,
            call_id=call_id,
            name=self._tools.get(call_id),
            content=tuple(self._content(part.get("content"), f"{path}.content")),
            is_error=bool(part.get("is_error")),
        )

    def _from_url(self, kind: MediaKind, url: str, path: str) -> Media:
        if not url.startswith("data:"):
            return Media(path=path, kind=kind, url=url)
        head, _, data = url[5:].partition(",")
        media_type, *words = head.split(";")
        if "base64" not in words:
            raise self._error(path, "takes a data URL in base64 only")
        return self._from_data(kind, data, media_type, path)

    def _from_data(self, kind: MediaKind, data: str, media_type: str, path: str) -> Media:
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise self._error(path, "takes base64 data, and this is none") from None
        return Media(path=path, kind=kind, media_type=media_type, data=data)

    def _error(self, path: str, reason: str) -> ProviderError:
        return ProviderError(provider=self._provider, path=path, reason=reason)


_PARTS: Final[Mapping[str, Callable[[_Reader, Mapping[str, Any], str], Block]]] = {
    "text": _Reader.read_text,
    "refusal": _Reader.read_refusal,
    "image_url": _Reader.read_image_url,
    "input_audio": _Reader.read_input_audio,
    "file": _Reader.read_file,
    "image": _Reader.read_source,
    "document": _Reader.read_source,
    "tool_use": _Reader.read_tool_use,
    "tool_result": _Reader.read_tool_result,
}
