"""Anthropic's Messages API: content blocks."""

from __future__ import annotations

from typing import Final

from promptstore.formatters.jsontext import load_json
from promptstore.formatters.media import encrypted, from_bytes, from_url
from promptstore.formatters.messages import Call, Fields, Kind, Media, Part, Reader, Result, Text

_CALLS: Final = ("tool_use", "server_tool_use", "mcp_tool_use")


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a block of the Messages API.

    Args:
        fields: The block.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of these blocks.
    """
    kind = fields.kind
    if kind in _CALLS and fields.has("name"):
        fields.choice("type", *_CALLS)
        return [Call(fields.text("name"), _arguments(fields), fields.text("id"))]
    if kind.endswith("tool_result") and fields.has("tool_use_id"):
        fields.choice("type", "tool_result")
        parts = inner(fields.any("content"))
        return [Result(fields.text("tool_use_id"), parts, is_error=fields.flag("is_error"))]
    if kind == "thinking" and fields.has("thinking"):
        fields.text("type")
        return [Text(fields.text("thinking"), "thinking")]
    if kind == "redacted_thinking" and fields.has("data"):
        fields.text("type")
        return [encrypted(fields.text("data"))]
    if kind in ("image", "document") and (source := fields.object("source")) is not None:
        fields.text("type")
        return _media("image" if kind == "image" else "document", Fields(source), fields, inner)
    return []


def _arguments(fields: Fields) -> object:
    """Get the arguments, which stand in pieces of JSON where the answer was streamed."""
    if fields.peek("input") in (None, "", {}) and (partial := fields.text("partial_json")):
        return load_json(partial)
    return fields.any("input")


def _media(kind: Kind, source: Fields, fields: Fields, inner: Reader) -> list[Part]:
    media_type, name = source.text("media_type"), fields.text("title")
    how = source.choice("type", "base64", "url", "file", "text", "content")
    if how in ("url", "file"):
        url = source.text("url", "file_id")
        return [from_url(kind, url, media_type=media_type, name=name), *source.rest()]
    if how == "base64":
        data = source.binary("data")
        return [from_bytes(kind, data, media_type=media_type, name=name), *source.rest()]
    parts = inner(
        source.any("data", "content")
    )  # a document that is text, or has blocks of its own
    return [Media(kind, media_type, name=name), *parts, *source.rest()]
