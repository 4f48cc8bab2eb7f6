"""Google's Gemini API: messages whose `parts` have one key each, in camel or snake case."""

from __future__ import annotations

from promptstore.formatters.media import from_base64, from_url
from promptstore.formatters.messages import Call, Fields, Part, Reader, Result, Text


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a part of Gemini.

    Args:
        fields: The part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of Gemini's.
    """
    parts: list[Part] = []
    if fields.has("thought") and fields.has("text") and fields.flag("thought"):
        parts.append(Text(fields.text("text"), "thinking"))
    if (given := fields.object("functionCall", "function_call")) is not None:
        call = Fields(given)
        arguments = call.any("args", "arguments")
        parts.append(Call(call.text("name"), arguments, call.text("id")))
        parts += call.rest()
    if (given := fields.object("functionResponse", "function_response")) is not None:
        answer = Fields(given)
        content = inner(answer.any("response"))
        parts.append(Result(answer.text("id"), content, answer.text("name")))
        parts += answer.rest()
    if (given := fields.object("inlineData", "inline_data")) is not None:
        blob = Fields(given)
        media_type = blob.text("mimeType", "mime_type")
        name = blob.text("displayName", "display_name")
        data = blob.any("data")
        parts += [from_base64(_kind(media_type), data, media_type=media_type, name=name)]
        parts += blob.rest()
    if (given := fields.object("fileData", "file_data")) is not None:
        file = Fields(given)
        media_type = file.text("mimeType", "mime_type")
        uri = file.text("fileUri", "file_uri")
        parts += [from_url(_kind(media_type), uri, media_type=media_type), *file.rest()]
    return parts


def _kind(media_type: str) -> str:
    kind = media_type.split("/", 1)[0]
    return kind if kind in ("image", "audio", "video") else "file"
