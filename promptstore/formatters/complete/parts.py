"""Every provider's shapes → parts of messages, in one walk.

What a provider calls a part says what it is; which keys say what is the same for all of them, since
one event mixes shapes: a proxy rewrites some of them and not others. What is not known is shown as
it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from promptstore.formatters.complete.binary import encrypted, is_binary, kind_of, media
from promptstore.formatters.complete.model import (
    KINDS,
    Call,
    Data,
    Fields,
    Kind,
    Part,
    Result,
    Text,
)
from promptstore.formatters.jsontext import is_numbers, load_exact

_DEEPEST: Final = 20
_ROOM: Final = 200_000  # what is read part by part; what comes then is shown as it is
_OBJECT: Final = 8  # how many strings take as long as an object

TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
THINKING: Final = frozenset(
    {"thinking", "reasoning", "thought", "reasoning.text", "reasoning.summary", "reasoning_content"}
)
_REDACTED: Final = frozenset({"redacted_thinking", "reasoning.encrypted"})
_CALLS: Final = frozenset({
    "tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "invalid_tool_call",
    "server_tool_call", "tool_call_chunk", "tool-call", "builtin-tool-call", "tool-input-available",
    "tool-input-error", "function_call", "custom_tool_call", "mcp_call",
})  # fmt: skip
_KEPT: Final = frozenset(  # kinds that say more than what they are
    {"invalid_tool_call", "tool-input-error", "tool-error", "retry-prompt"}
)
_RESULTS: Final = (
    "server_tool_result", "tool_result", "tool-result", "tool-return", "tool_call_response",
    "_call_output",
    "tool-output-available", "tool-output-error", "tool-error", "retry-prompt",
)  # fmt: skip
_FAILED: Final = ("tool-output-error", "tool-error", "retry-prompt")
_STREAMED: Final = ("tool-input-", "tool-output-", "tool-call", "tool-approval", "tool-error")
_OUTPUTS: Final = ("text", "json", "content", "error-text", "error-json")
_CALL_IDS: Final = ("call_id", "toolCallId", "toolUseId", "tool_call_id", "id")
_RESULT_IDS: Final = ("tool_use_id", *_CALL_IDS)
_NAMES: Final = ("name", "toolName", "tool_name")
_ARGUMENTS: Final = ("input", "arguments", "args")
_CONTENTS: Final = ("content", "output", "response", "result")
_THOUGHTS: Final = ("thinking", "reasoning", "reasoning_content")

_MEDIA: Final = frozenset({
    "image", "audio", "video", "document", "file", "media", "binary", "blob", "uri", "resource",
    "image-data", "image-url", "file-data", "file-url", "audio-url", "video-url", "document-url",
    "image_url", "video_url", "audio_url", "input_audio", "input_image", "input_file",
    "input_video", "computer_screenshot",
})  # fmt: skip
_HOLDERS: Final = (
    "source", "image_url", "video_url", "audio_url", "input_audio", "audio", "file", "image",
    "document", "video", "resource", "inlineData", "inline_data", "fileData", "file_data",
)  # fmt: skip
_BYTES: Final = ("data", "base64", "bytes", "b64_json", "blob", "image", "file_data", "file")
_LINKS: Final = (
    "url", "uri", "fileUri", "file_uri", "file_url", "image_url", "video_url", "audio_url",
    "file_id", "fileId",
)  # fmt: skip
_MEDIA_TYPES: Final = ("media_type", "mediaType", "mimeType", "mime_type")
_TITLES: Final = ("filename", "name", "displayName", "display_name", "title")
_SOURCES: Final = ("base64", "url", "file", "text", "content", "id")
_INLINE: Final = ("inlineData", "inline_data", "fileData", "file_data")
_THOUGHT_KEYS: Final = frozenset(
    {*_THOUGHTS, "thought", "reasoningContent", "thinking_blocks", "reasoning_details"}
)
_WRAPPERS: Final = frozenset(
    {"toolUse", "functionCall", "toolResult", "functionResponse", "function_response"}
)
_MEDIA_KEYS: Final = frozenset({*_INLINE, *KINDS, "b64_json", "images", "result"})
_TEXT_BLOCK: Final = {"type", "text"}
_HAVING: Final = (*_BYTES, *_LINKS, *_HOLDERS, "content", "s3Location", "transcript", "id")


class PartReader:
    """Reads the contents of messages, as much of them as is worth to be laid out."""

    def __init__(self) -> None:
        self._room = _ROOM
        self._depth = 0

    def read(self, value: Any) -> list[Part]:
        """Read a content.

        Args:
            value: A string, a part, or a list of them.

        Returns:
            Its parts.
        """
        self._room -= 1
        if value is None or value == "":
            return []
        if isinstance(value, str):
            return [Text(value)]
        if not isinstance(value, dict | list) or not self.has_room or is_numbers(value):
            return [Data(value)]
        self._depth += 1
        try:
            return self._read_list(value) if isinstance(value, list) else self._read_object(value)
        finally:
            self._depth -= 1

    def spend(self, amount: int = _OBJECT) -> None:
        """Take note of something else that was read."""
        self._room -= amount

    @property
    def has_room(self) -> bool:
        """Whether more may be read part by part, and not only shown as it is."""
        return self._room > 0 and self._depth <= _DEEPEST

    def taken(self, fields: Fields) -> list[Part]:
        """Take what is known out of a message or a part.

        Args:
            fields: The message or the part; what is not known stays in it.

        Returns:
            Its parts.
        """
        self._room -= _OBJECT
        kind = fields.kind
        return [
            *self._thoughts(fields, kind),
            *self._tools(fields, kind),
            *self._wrapped(fields),
            *self._media(fields, kind),
            *self._said(fields),
        ]

    def _read_list(self, values: Sequence[Any]) -> list[Part]:
        parts: list[Part] = []
        for index, value in enumerate(values):
            if self._room <= 0:
                return [*parts, Data(values[index:])]
            parts += self.read(value)
        return parts

    def _read_object(self, value: dict[str, Any]) -> list[Part]:
        if value.keys() == _TEXT_BLOCK and value["type"] == "text" and value["text"]:
            return self.read(value["text"])  # most are, so it is fast
        fields = Fields(value)
        return [*self.taken(fields), *fields.rest()]

    def _thoughts(self, fields: Fields, kind: str) -> list[Part]:
        parts: list[Part] = []
        if kind not in THINKING and kind not in _REDACTED and fields.lacks(_THOUGHT_KEYS):
            return parts
        if kind in THINKING:
            keys = (*_THOUGHTS, "text", "content", "summary")
            if "" in (fields.peek("text"), fields.peek("thinking")):
                parts.append(Text("", "thinking"))
            if parts or fields.has(*keys, "encrypted_content"):
                fields.take_kind()
            for key in keys:
                if isinstance(fields.peek(key), str | list):
                    parts += map(_as_thought, self.read(fields.any(key)))
        elif kind in _REDACTED and fields.has("data"):
            fields.take_kind()
            parts.append(encrypted(fields.any("data")))
        if fields.has("thought") and fields.has("text") and fields.flag("thought"):
            parts.append(Text(fields.text("text"), "thinking"))
        parts += [Text(text, "thinking") for key in _THOUGHTS if (text := fields.text(key))]
        if kind in THINKING and (data := fields.text("encrypted_content")):
            parts.append(encrypted(data))
        if (thought := fields.object("reasoningContent")) is not None:
            inner = Fields(thought)
            said = Fields(inner.object("reasoningText") or {})
            parts += map(_as_thought, self.read(said.text("text")))
            if (data := inner.any("redactedContent")) is not None:
                parts.append(encrypted(data) if is_binary(data) else Data(data))
            parts += [*said.rest(), *inner.rest()]
        for key in ("thinking_blocks", "reasoning_details"):
            parts += self.read(fields.list(key))
        return parts

    def _tools(self, fields: Fields, kind: str) -> list[Part]:
        if not kind:
            return []
        if kind in _CALLS and fields.has(*_NAMES, *_ARGUMENTS):
            _take_kind(fields)
            call = self._call(fields)
            output, error = fields.any("output"), fields.any("errorText")
            if kind == "mcp_call":
                error = error or fields.any("error")
            return [
                call,
                *([Result(call.id, self.read(output))] if output is not None else []),
                *([Result(call.id, self.read(error), is_error=True)] if error else []),
            ]
        if kind.endswith(_RESULTS) and fields.has(*_CONTENTS, "errorText", "error", *_RESULT_IDS):
            if kind in _RESULTS:
                _take_kind(fields)
            return [self._result(fields, is_error=kind in _FAILED)]
        if kind.startswith(_STREAMED) or not kind.startswith(("tool-", "dynamic-tool")):
            return []
        if not fields.has("toolCallId") or not fields.has("state", "input", "output", "errorText"):
            return []
        fields.choice("type", "dynamic-tool")
        name = fields.text("toolName") or fields.take_kind().removeprefix(
            "tool-"
        )  # of a UI message
        parts: list[Part] = [call := Call(name, fields.any("input"), fields.text("toolCallId"))]
        if fields.has("output"):
            parts.append(Result(call.id, self.read(fields.any("output")), name))
        if error := fields.text("errorText"):
            parts.append(Result(call.id, [Text(error)], name, is_error=True))
        return parts

    def _call(self, fields: Fields) -> Call:
        name, call_id = fields.text(*_NAMES), fields.text(*_CALL_IDS)
        arguments = fields.any(*_ARGUMENTS)
        if arguments in (None, "", {}) and (partial := fields.text("partial_json")):
            arguments = load_exact(partial)
        return Call(name, arguments, call_id)

    def _result(self, fields: Fields, *, is_error: bool = False) -> Result:
        output = fields.any(*_CONTENTS)
        if isinstance(output, dict) and "value" in output and output.get("type") in _OUTPUTS:
            wrapper = Fields(output)
            is_error = wrapper.text("type").startswith("error") or is_error
            parts = [*self.read(wrapper.any("value")), *wrapper.rest()]
        elif isinstance(output, list):  # Bedrock wraps JSON, which is the result itself
            parts = self.read([_unwrapped(item) for item in output])
        else:
            parts = self.read(output)
        parts += self.read(fields.list("parts"))
        for key in ("errorText", "error"):
            parts += self.read(fields.any(key))
        is_error = fields.flag("is_error", "isError") or is_error
        is_error = fields.choice("status", "success", "error") == "error" or is_error
        return Result(fields.text(*_RESULT_IDS), parts, fields.text(*_NAMES), is_error)

    def _wrapped(self, fields: Fields) -> list[Part]:
        """Read calls and results that stand under a key each."""
        parts: list[Part] = []
        if fields.lacks(_WRAPPERS):
            return parts
        for key in ("toolUse", "functionCall"):
            if (value := fields.object(key)) is not None:
                inner = Fields(value)
                parts += [self._call(inner), *inner.rest()]
        for key in ("toolResult", "functionResponse", "function_response"):
            if (value := fields.object(key)) is not None:
                inner = Fields(value)
                parts += [self._result(inner), *inner.rest()]
        return parts

    def _media(self, fields: Fields, kind: str) -> list[Part]:
        parts: list[Part] = []
        if kind not in _MEDIA and fields.lacks(_MEDIA_KEYS):
            return parts
        for key in _INLINE:
            if (value := fields.object(key)) is not None:
                parts += self._described(kind, fields, Fields(value))
        for key in KINDS:
            value = fields.peek(key)
            if isinstance(value, dict) and isinstance(value.get("source"), dict):
                parts += self._described(key, Fields(fields.object(key) or {}))
        if kind in _MEDIA and fields.has(*_HAVING):
            fields.take_kind()
            parts += self._described(kind, fields)
        elif isinstance(fields.peek("audio"), dict) or fields.has("b64_json"):
            parts += self._described("audio" if fields.has("audio") else "image", fields)
        if kind == "image_generation_call" and isinstance(fields.peek("result"), str):
            form = fields.text("output_format")
            media_type = f"image/{form}" if form else ""
            parts.append(media("image", fields.text("result"), media_type=media_type))
        for image in fields.list("images") or ():
            parts += [media("image", image)] if isinstance(image, str) else self.read(image)
        return parts

    def _described(self, kind: str, outer: Fields, found: Fields | None = None) -> list[Part]:
        """Describe a file; what is told of it may stand in objects inside of each other."""
        layers = [outer] if found is None else [outer, found]
        while (value := _held(layers[-1])) is not None:
            layers.append(Fields(value))
        source = layers[-1]
        how = (layers[-1] if len(layers) > 1 else Fields({})).choice("type", *_SOURCES)
        how = outer.choice("source_type", *_SOURCES) or how
        media_type, name = _first(layers, _MEDIA_TYPES), _first(layers, _TITLES)
        what = _kind(kind, outer.choice("modality", *KINDS), media_type)
        if not media_type and (form := _first(layers, ("format",))):
            media_type = form if what in ("document", "file") else f"{what}/{form}"
        said: list[Part] = []
        data = None
        if how in ("text", "content"):
            said = self.read(source.any("data", "content", "text"))
        else:
            keys = (*_BYTES, "content") if kind in ("blob", "binary") else _BYTES
            links = ("id", *_LINKS) if how == "id" else _LINKS
            data = next((key for key in keys if is_binary(source.peek(key) or None)), None)
            data = source.any(data) if data else source.text(*links)
        if location := source.object("s3Location"):
            layers.append(where := Fields(location))
            data = data or where.text("uri")
        if len(layers) > 1 and source is not outer:
            said += self.read([source.any("text"), source.any("content")])
        said += [Text(text, "transcript") for text in [_first(layers, ("transcript",))] if text]
        if kind == "audio" and not name:
            name = _first(layers, ("id",))
        rest = [part for layer in reversed(layers[1:]) for part in layer.rest()]
        return [media(what, data or "", media_type=media_type, name=name), *said, *rest]

    def _said(self, fields: Fields) -> list[Part]:
        """Read what a chat message holds, or a part of its text."""
        parts: list[Part] = []
        is_text = not fields.kind or fields.kind in TEXTS
        if is_text and fields.has("text") and (text := fields.text("text")):
            fields.take_kind()
            parts.append(Text(text))
        for key in ("content", "parts"):
            if fields.has(key):
                if key == "content" and is_text:
                    fields.take_kind()
                parts += self.read(fields.any(key))
        if call_id := fields.text("tool_call_id"):
            is_error = fields.choice("status", "success", "error") == "error"
            parts = [Result(call_id, parts, is_error=is_error)]
        if refusal := fields.text("refusal"):
            fields.choice("type", "refusal")
            parts.append(Text(refusal, "refusal"))
        for call in fields.list("tool_calls") or ():
            parts += self._chat_call(call)
        if (legacy := fields.object("function_call")) is not None:
            parts += self._chat_call({"function": legacy})
        if fields.kind == "function" and (function := fields.object("function")) is not None:
            fields.take_kind()
            parts += self._chat_call({"function": function, "id": fields.text("id")})
        parts += self.read(fields.any("additional_kwargs"))
        return parts

    def _chat_call(self, value: Any) -> list[Part]:
        if not isinstance(value, dict):
            return [Data(value)]
        self._room -= _OBJECT
        outer = Fields(value)
        wrapped = outer.object("function", "custom")
        inner = Fields(wrapped) if wrapped is not None else outer
        if not inner.has(*_NAMES, *_ARGUMENTS):
            return [Data(value)]
        outer.choice("type", "function", "custom", "tool_call")
        call_id = outer.text("id")
        call = self._call(inner)
        if call_id and call.id:
            inner = Fields({**inner.left, "id": call.id})
        part = Call(call.name, call.arguments, call_id or call.id)
        return [part, *(inner.rest() if wrapped is not None else []), *outer.rest()]


def _take_kind(fields: Fields) -> None:
    if fields.kind not in _KEPT:
        fields.take_kind()


def _as_thought(part: Part) -> Part:
    return Text(part.text, part.label or "thinking") if isinstance(part, Text) else part


def _unwrapped(item: Any) -> Any:
    return item["json"] if isinstance(item, dict) and item.keys() == {"json"} else item


def _held(fields: Fields) -> dict[str, Any] | None:
    """Take the object that a file is described in; not one that stands for its bytes."""
    held = [key for key in _HOLDERS if isinstance(value := fields.peek(key), dict) and value]
    return fields.object(*[key for key in held if not is_binary(fields.peek(key))][:1])


def _first(layers: Sequence[Fields], keys: Sequence[str]) -> str:
    """Take a string from the innermost object that has one of these keys."""
    return next((text for layer in reversed(layers) if (text := layer.text(*keys))), "")


def _kind(kind: str, modality: str, media_type: str) -> Kind:
    word = modality or kind.removeprefix("input_").removesuffix("_screenshot")
    word = word.replace("_", "-").split("-", 1)[0].replace("computer", "image")
    found = KINDS.get(word)
    return kind_of(media_type) if found in (None, "file") else found
