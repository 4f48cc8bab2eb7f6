"""OpenTelemetry's semantic conventions for generative AI: messages with typed `parts`."""

from __future__ import annotations

from promptstore.formatters.media import from_bytes, from_url
from promptstore.formatters.messages import KINDS, Call, Fields, Kind, Part, Reader, Result, Text


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a part as the conventions define it.

    Args:
        fields: The part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of these.
    """
    kind = fields.kind
    if kind == "tool_call" and fields.has("arguments"):
        fields.text("type")
        return [Call(fields.text("name"), fields.any("arguments"), fields.text("id"))]
    if kind == "tool_call_response":
        fields.text("type")
        parts = inner(fields.any("response", "result"))
        return [Result(fields.text("id"), parts, fields.text("name"))]
    if kind == "reasoning" and (content := fields.text("content")):
        fields.text("type")
        return [Text(content, "thinking")]
    if kind in ("blob", "uri", "file") and fields.has("modality"):
        fields.text("type")
        return [_media(fields, is_blob=kind == "blob")]
    return []


def _media(fields: Fields, *, is_blob: bool) -> Part:
    kind: Kind = KINDS.get(fields.choice("modality", *KINDS), "file")
    media_type = fields.text("mime_type")
    if is_blob:
        return from_bytes(kind, fields.binary("content", "data"), media_type=media_type)
    return from_url(kind, fields.text("uri", "file_id"), media_type=media_type)
