"""OpenAI's Chat Completions, which most others imitate: texts, parts and calls of tools."""

from __future__ import annotations

from typing import Any, Final

from promptstore.formatters.media import from_bytes, from_url
from promptstore.formatters.messages import (
    Call,
    Data,
    Fields,
    Kind,
    Media,
    Part,
    Reader,
    Result,
    Text,
)

_TEXTS: Final = ("", "text", "input_text", "output_text", "summary_text", "reasoning_text")
_MEDIA_KEYS: Final = (
    "image_url", "video_url", "audio_url", "b64_json", "input_audio", "audio", "file", "data",
    "transcript",
)  # fmt: skip
_LINKS: Final[tuple[tuple[str, Kind], ...]] = (
    ("image_url", "image"),
    ("video_url", "video"),
    ("audio_url", "audio"),
)


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a chat message, or a part of its content.

    Args:
        fields: The message or the part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts.
    """
    parts: list[Part] = _media(fields) if fields.has(*_MEDIA_KEYS) else []
    if fields.kind in _TEXTS and fields.has("text") and (text := fields.text("text")):
        fields.text("type")
        parts.append(Text(text))
    for key in ("content", "parts"):
        if fields.has(key):
            if key == "content" and fields.kind in _TEXTS:
                fields.text("type")
            parts += inner(fields.any(key))
    if call_id := fields.text("tool_call_id"):
        is_error = fields.choice("status", "success", "error") == "error"  # of LangChain
        parts = [Result(call_id, parts, is_error=is_error)]
    if refusal := fields.text("refusal"):
        if fields.kind == "refusal":
            fields.text("type")
        parts.append(Text(refusal, "refusal"))
    for call in fields.list("tool_calls") or ():
        parts += _call(call)
    if (legacy := fields.object("function_call")) is not None:
        parts += _call({"function": legacy})
    if fields.kind == "function" and (function := fields.object("function")) is not None:
        fields.text("type")
        parts += _call({"function": function, "id": fields.text("id")})
    return parts


def _call(value: Any) -> list[Part]:
    if not isinstance(value, dict):
        return [Data(value)]
    outer = Fields(value)
    call_id = outer.text("id")
    wrapped = outer.object("function", "custom")
    call = Fields(wrapped) if wrapped is not None else outer
    if not call.has("name", "arguments", "args", "input"):
        return [Data(value)]
    if outer.kind in ("function", "custom", "tool_call"):
        outer.text("type")
    part = Call(call.text("name"), call.any("arguments", "args", "input"), call_id)
    return [part, *(call.rest() if wrapped is not None else []), *outer.rest()]


def _media(fields: Fields) -> list[Part]:
    for key, kind in _LINKS:
        if (link := fields.object(key)) is not None:
            fields.choice("type", key)
            inner = Fields(link)
            return [from_url(kind, inner.text("url")), *inner.rest()]
        if fields.kind == key and (url := fields.text(key)):
            fields.text("type")
            return [from_url(kind, url)]
    if fields.has("b64_json") and (data := fields.binary("b64_json")):
        return [from_bytes("image", data)]
    if (audio := fields.object("input_audio", "audio")) is not None:
        fields.choice("type", "input_audio")
        inner = Fields(audio)
        return [*_audio(inner), *inner.rest()]
    if fields.kind == "audio" and fields.has("data", "transcript"):  # of PostHog's library
        fields.text("type")
        return _audio(fields)
    if fields.kind == "file" and (file := fields.object("file")) is not None:
        fields.text("type")
        inner = Fields(file)
        return [_file(inner), *inner.rest()]
    return []


def _audio(fields: Fields) -> list[Part]:
    name, media_type = fields.text("id"), fields.text("mime_type")
    if not media_type and (form := fields.text("format")):
        media_type = f"audio/{form}"
    data = fields.binary("data")
    media = Media("audio", media_type, name=name)
    if data:
        media = from_bytes("audio", data, media_type=media_type, name=name)
    transcript = fields.text("transcript")
    return [media, Text(transcript, "transcript")] if transcript else [media]


def _file(fields: Fields) -> Media:
    name = fields.text("filename")
    if data := fields.binary("file_data"):
        return from_bytes("file", data, name=name)
    return Media("file", source=fields.text("file_id"), name=name)
