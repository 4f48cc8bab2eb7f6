"""The Vercel AI SDK: content parts of model messages and of UI messages."""

from __future__ import annotations

from typing import Final

from promptstore.formatters.media import from_bytes, kind_of
from promptstore.formatters.messages import Call, Fields, Part, Reader, Result, Text

_MEDIA: Final = ("image", "file", "media", "image-data", "image-url", "file-data", "file-url")
_OUTPUTS: Final = ("text", "json", "content", "error-text", "error-json")


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a part of the AI SDK.

    Args:
        fields: The part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of the SDK's.
    """
    kind = fields.kind
    if kind == "tool-call" and fields.has("toolName"):
        fields.text("type")
        arguments = fields.any("input", "args")
        return [Call(fields.text("toolName"), arguments, fields.text("toolCallId"))]
    if kind == "tool-result" and fields.has("toolName"):
        fields.text("type")
        return [_result(fields, inner)]
    if kind.startswith(("tool-", "dynamic-tool")) and fields.has("toolCallId"):
        return _ui_tool(fields, inner) if fields.has("state", "input", "output") else []
    if kind == "reasoning" and fields.has("text"):
        fields.text("type")
        return [Text(fields.text("text"), "thinking")]
    if kind in _MEDIA and fields.has("image", "mediaType", "mimeType", "data", "url"):
        return [_media(fields)]
    return []


def _media(fields: Fields) -> Part:
    kind, media_type = fields.text("type"), fields.text("mediaType", "mimeType")
    data = fields.binary("image", "data", "url")
    what = "image" if kind.startswith("image") else kind_of(media_type)
    return from_bytes(what, data, media_type=media_type, name=fields.text("filename"))


def _result(fields: Fields, inner: Reader) -> Result:
    output = fields.any("output", "result")
    is_error = fields.flag("isError")
    parts = inner(output)
    if isinstance(output, dict) and "value" in output:
        wrapper = Fields(output)
        is_error = is_error or wrapper.choice("type", *_OUTPUTS).startswith("error")
        parts = inner(wrapper.any("value"))
        parts += wrapper.rest()
    return Result(fields.text("toolCallId"), parts, fields.text("toolName"), is_error)


def _ui_tool(fields: Fields, inner: Reader) -> list[Part]:
    kind, call_id = fields.text("type"), fields.text("toolCallId")
    name = fields.text("toolName") or kind.removeprefix("tool-")
    parts: list[Part] = [Call(name, fields.any("input"), call_id)]
    if fields.has("output"):
        parts.append(Result(call_id, inner(fields.any("output")), name))
    if error := fields.text("errorText"):
        parts.append(Result(call_id, [Text(error)], name, is_error=True))
    return parts
