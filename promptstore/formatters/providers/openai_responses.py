"""OpenAI's Responses API: items and their contents."""

from __future__ import annotations

from promptstore.formatters.media import encrypted, from_bytes, from_url
from promptstore.formatters.messages import Call, Fields, Media, Part, Reader, Result, Text


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read an item of the Responses API, or a part of a message's content.

    Args:
        fields: The item or the part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of these.
    """
    kind = fields.kind
    if kind in ("function_call", "custom_tool_call", "mcp_call") and fields.has("name"):
        arguments = fields.any("arguments", "input")
        call_id = fields.text("id" if kind == "mcp_call" else "call_id")
        call = Call(fields.text("name"), arguments, call_id)
        return [call, *_outcome(fields, call_id, inner)]
    if kind.endswith("_call_output") and fields.has("output"):
        return [Result(fields.text("call_id"), inner(fields.any("output")))]
    if kind == "reasoning" and fields.has("summary", "encrypted_content"):
        return _reasoning(fields, [*inner(fields.any("summary")), *inner(fields.list("content"))])
    if kind in ("input_image", "computer_screenshot"):
        fields.text("type")
        return [from_url("image", fields.text("image_url", "file_id"))]
    if kind == "input_file":
        fields.text("type")
        name = fields.text("filename")
        if data := fields.binary("file_data"):
            return [from_bytes("file", data, name=name)]
        return [Media("file", source=fields.text("file_url", "file_id"), name=name)]
    if kind == "image_generation_call" and (data := fields.binary("result")):
        form = fields.text("output_format")
        return [from_bytes("image", data, media_type=f"image/{form}" if form else "")]
    return []


def _outcome(fields: Fields, call_id: str, inner: Reader) -> list[Part]:
    """Read what a call gave that the provider made itself."""
    parts: list[Part] = []
    if (output := fields.any("output")) is not None:
        parts.append(Result(call_id, inner(output)))
    if error := fields.any("error"):
        parts.append(Result(call_id, inner(error), is_error=True))
    return parts


def _reasoning(fields: Fields, said: list[Part]) -> list[Part]:
    parts: list[Part] = [
        Text(part.text, part.label or "thinking") if isinstance(part, Text) else part
        for part in said
    ]
    if data := fields.text("encrypted_content"):
        parts.append(encrypted(data))
    return parts
