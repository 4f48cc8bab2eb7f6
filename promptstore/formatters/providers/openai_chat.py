"""OpenAI's Chat Completions, which most others imitate: texts, parts and calls of tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from promptstore.formatters.media import from_base64, from_url
from promptstore.formatters.messages import Call, Data, Fields, Media, Part, Reader, Result, Text

_TEXTS: Final = ("", "text", "input_text", "output_text", "summary_text", "reasoning_text")


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a chat message, or a part of its content.

    Args:
        fields: The message or the part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts.
    """
    parts: list[Part] = _media(fields)
    if fields.kind in _TEXTS and fields.has("text") and (text := fields.text("text")):
        fields.text("type")
        parts.append(Text(text))
    for key in ("content", "parts"):
        if fields.has(key):
            if key == "content" and fields.kind in _TEXTS:
                fields.text("type")
            parts += inner(fields.any(key))
    if call_id := fields.text("tool_call_id"):
        is_error = fields.text("status") == "error" if fields.has("status") else False
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
    if not isinstance(value, Mapping):
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
    left = {**(call.left if wrapped is not None else {}), **outer.left}
    return [part, Data(left)] if left else [part]


def _media(fields: Fields) -> list[Part]:
    if (image := fields.object("image_url")) is not None:
        return _typed(fields, "image_url", image, lambda f: from_url("image", f.text("url")))
    if image_data := fields.text("b64_json"):
        return [from_base64("image", image_data)]
    if fields.kind == "image_url" and (url := fields.text("image_url")):
        fields.text("type")
        return [from_url("image", url)]
    if (audio := fields.object("input_audio", "audio")) is not None:
        return _typed(fields, "input_audio", audio, _audio)
    if fields.kind == "file" and (file := fields.object("file")) is not None:
        return _typed(fields, "file", file, _file)
    return []


def _typed(fields: Fields, kind: str, value: Mapping[str, Any], describe: Any) -> list[Part]:
    if fields.kind == kind:
        fields.text("type")
    inner = Fields(value)
    media = describe(inner)
    parts: list[Part] = [media]
    if transcript := inner.text("transcript"):
        parts.append(Text(transcript, "transcript"))
    return [*parts, *inner.rest()]


def _audio(fields: Fields) -> Media:
    form, source = fields.text("format"), fields.text("id")
    media_type = f"audio/{form}" if form else ""
    if not fields.has("data"):
        return Media("audio", media_type, None, source)
    media = from_base64("audio", fields.any("data"), media_type=media_type)
    return Media("audio", media.media_type, media.size, source or media.source)


def _file(fields: Fields) -> Media:
    name = fields.text("filename")
    if fields.has("file_data"):
        return from_base64("file", fields.any("file_data"), name=name)
    return Media("file", source=fields.text("file_id"), name=name)
