"""OpenTelemetry's semantic conventions for generative AI: messages with typed `parts`."""

from __future__ import annotations

from promptstore.formatters.media import from_base64, from_url
from promptstore.formatters.messages import Call, Fields, Part, Reader, Result, Text


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
        modality, media_type = fields.text("modality"), fields.text("mime_type")
        if kind == "blob":
            return [from_base64(modality, fields.any("content", "data"), media_type=media_type)]
        return [from_url(modality, fields.text("uri", "file_id"), media_type=media_type)]
    return []
