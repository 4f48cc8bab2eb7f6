"""LangChain: messages keyed by `type`, and its own content blocks."""

from __future__ import annotations

from promptstore.formatters.media import from_bytes, from_url
from promptstore.formatters.messages import KINDS, Call, Fields, Kind, Part, Reader, Result, Text


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a block of LangChain, or what its messages add to a chat message.

    Args:
        fields: The block or the message.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of LangChain's.
    """
    kind = fields.kind
    if kind in ("tool_call", "invalid_tool_call", "server_tool_call") and fields.has("args"):
        fields.choice("type", "tool_call", "server_tool_call")
        return [Call(fields.text("name"), fields.any("args"), fields.text("id"))]
    if kind == "server_tool_result" and (call_id := fields.text("tool_call_id")):
        fields.text("type")
        is_error = fields.choice("status", "success", "error") == "error"
        return [Result(call_id, inner(fields.any("output")), is_error=is_error)]
    if kind == "reasoning" and fields.has("reasoning"):
        fields.text("type")
        return [Text(fields.text("reasoning"), "thinking")]
    is_media = fields.has("source_type", "base64") or (
        fields.has("mime_type") and fields.has("url", "file_id")
    )
    if is_media and not fields.has("modality") and (media := KINDS.get(kind)):
        return [_media(media, fields)]
    if fields.has("additional_kwargs"):
        return inner(fields.any("additional_kwargs"))
    return []


def _media(kind: Kind, fields: Fields) -> Part:
    fields.text("type")
    how, media_type = fields.choice("source_type", "base64", "url", "id"), fields.text("mime_type")
    if fields.has("base64") or how == "base64":
        return from_bytes(kind, fields.binary("base64", "data"), media_type=media_type)
    return from_url(kind, fields.text("url", "file_id", "id"), media_type=media_type)
