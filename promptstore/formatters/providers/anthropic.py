"""Anthropic's Messages API: content blocks."""

from __future__ import annotations

from promptstore.formatters.jsontext import load_json
from promptstore.formatters.media import from_base64, from_url
from promptstore.formatters.messages import Call, Fields, Media, Part, Reader, Result, Text


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a block of the Messages API.

    Args:
        fields: The block.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of these blocks.
    """
    kind = fields.kind
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use") and fields.has("name"):
        fields.text("type")
        partial = fields.text("partial_json")
        arguments = fields.any("input") or (load_json(partial) if partial else None)
        return [Call(fields.text("name"), arguments, fields.text("id"))]
    if kind.endswith("tool_result") and fields.has("tool_use_id"):
        parts = inner(fields.any("content"))
        if kind == "tool_result":
            fields.text("type")
        return [Result(fields.text("tool_use_id"), parts, is_error=fields.flag("is_error"))]
    if kind == "thinking" and fields.has("thinking"):
        fields.text("type")
        return [Text(fields.text("thinking"), "thinking")]
    if kind == "redacted_thinking" and fields.has("data"):
        fields.text("type")
        return [Text(f"{len(fields.text('data')):,} characters, encrypted", "redacted thinking")]
    if kind in ("image", "document") and (source := fields.object("source")) is not None:
        fields.text("type")
        return _media(kind, Fields(source), fields.text("title"), inner)
    return []


def _media(kind: str, source: Fields, name: str, inner: Reader) -> list[Part]:
    how, media_type = source.text("type"), source.text("media_type")
    if how == "base64":
        media = from_base64(kind, source.any("data"), media_type=media_type, name=name)
    elif how in ("url", "file"):
        media = from_url(kind, source.text("url", "file_id"), media_type=media_type, name=name)
    else:  # a document that is text, or content of its own
        parts = inner(source.any("data", "content"))
        return [Media(kind, media_type, name=name), *parts, *inner(source.left or None)]
    return [media, *inner(source.left or None)]
