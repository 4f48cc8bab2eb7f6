"""LangChain: messages keyed by `type`, and its own content blocks."""

from __future__ import annotations

from promptstore.formatters.media import from_base64, from_url
from promptstore.formatters.messages import Call, Fields, Part, Reader


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a block of LangChain, or what its messages add to a chat message.

    Args:
        fields: The block or the message.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of LangChain's.
    """
    kind = fields.kind
    if kind in ("tool_call", "invalid_tool_call") and fields.has("args"):
        if kind == "tool_call":
            fields.text("type")
        return [Call(fields.text("name"), fields.any("args"), fields.text("id"))]
    if kind in ("image", "audio", "video", "file") and fields.has("source_type", "base64"):
        return [_media(kind, fields)]
    if fields.has("additional_kwargs"):
        return inner(fields.any("additional_kwargs"))
    return []


def _media(kind: str, fields: Fields) -> Part:
    fields.text("type")
    how, media_type = fields.text("source_type"), fields.text("mime_type")
    if fields.has("base64") or how == "base64":
        return from_base64(kind, fields.any("base64", "data"), media_type=media_type)
    return from_url(kind, fields.text("url", "id"), media_type=media_type)
