"""Google's Gemini API: messages whose `parts` have one key each, in camel or snake case."""

from __future__ import annotations

from typing import Final

from promptstore.formatters.media import from_bytes, from_url, kind_of
from promptstore.formatters.messages import Call, Fields, Part, Reader, Result, Text

_KEYS: Final = (
    "thought", "functionCall", "function_call", "functionResponse", "function_response",
    "inlineData", "inline_data", "fileData", "file_data",
)  # fmt: skip


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a part of Gemini.

    Args:
        fields: The part.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of Gemini's.
    """
    if not fields.has(*_KEYS):
        return []
    parts: list[Part] = []
    if fields.has("thought") and fields.has("text") and fields.flag("thought"):
        parts.append(Text(fields.text("text"), "thinking"))
    if (given := fields.object("functionCall", "function_call")) is not None:
        parts += _call(Fields(given))
    if (given := fields.object("functionResponse", "function_response")) is not None:
        answer = Fields(given)
        content = [*inner(answer.any("response")), *inner(answer.list("parts"))]
        parts.append(Result(answer.text("id"), content, answer.text("name")))
        parts += answer.rest()
    if (given := fields.object("inlineData", "inline_data")) is not None:
        parts += _blob(fields, Fields(given))
    if (given := fields.object("fileData", "file_data")) is not None:
        file = Fields(given)
        media_type, name = _named(file)
        uri = file.text("fileUri", "file_uri")
        media = from_url(kind_of(media_type), uri, media_type=media_type, name=name)
        parts += [media, *file.rest()]
    return parts


def _call(call: Fields) -> list[Part]:
    arguments = call.any("args", "arguments")
    return [Call(call.text("name"), arguments, call.text("id")), *call.rest()]


def _blob(fields: Fields, blob: Fields) -> list[Part]:
    media_type, name = _named(blob)
    kind = kind_of(media_type)
    fields.choice("type", kind)  # PostHog's library writes it beside the data
    media = from_bytes(kind, blob.binary("data"), media_type=media_type, name=name)
    return [media, *blob.rest()]


def _named(fields: Fields) -> tuple[str, str]:
    media_type = fields.text("mimeType", "mime_type")
    return media_type, fields.text("displayName", "display_name")
