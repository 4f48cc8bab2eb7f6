"""Amazon Bedrock's Converse API: content blocks with one key each."""

from __future__ import annotations

from typing import Any, Final

from promptstore.formatters.media import encrypted, from_bytes, from_url
from promptstore.formatters.messages import Call, Fields, Kind, Media, Part, Reader, Result, Text

_KEYS: Final = ("toolUse", "toolResult", "reasoningContent")
_MEDIA: Final[tuple[Kind, ...]] = ("image", "document", "video", "audio")


def read(fields: Fields, inner: Reader) -> list[Part]:
    """Read a content block of Converse.

    Args:
        fields: The block.
        inner: Reads the contents inside of it.

    Returns:
        Its parts; none where it is not one of these blocks.
    """
    if not fields.has(*_KEYS, *_MEDIA):
        return []
    parts: list[Part] = []
    if (use := fields.object("toolUse")) is not None:
        call = Fields(use)
        parts.append(Call(call.text("name"), call.any("input"), call.text("toolUseId")))
        parts += call.rest()
    if (given := fields.object("toolResult")) is not None:
        result = Fields(given)
        is_error = result.choice("status", "success", "error") == "error"
        content = [_result_part(item) for item in result.list("content") or ()]
        parts.append(Result(result.text("toolUseId"), inner(content), is_error=is_error))
        parts += result.rest()
    if (reasoning := fields.object("reasoningContent")) is not None:
        parts += _reasoning(Fields(reasoning))
    for kind in _MEDIA:
        value = fields.peek(kind)
        if isinstance(value, dict) and isinstance(value.get("source"), dict):
            fields.object(kind)
            parts += _media(kind, Fields(value), inner)
    return parts


def _result_part(item: Any) -> Any:
    """Take the JSON out of its wrapper, which is the result itself."""
    is_json = isinstance(item, dict) and set(item) == {"json"}
    return item["json"] if is_json else item


def _reasoning(fields: Fields) -> list[Part]:
    parts: list[Part] = []
    if (text := fields.object("reasoningText")) is not None:
        inner = Fields(text)
        parts.append(Text(inner.text("text"), "thinking"))
        parts += inner.rest()
    if redacted := fields.binary("redactedContent"):
        parts.append(encrypted(redacted))
    return [*parts, *fields.rest()]


def _media(kind: Kind, fields: Fields, inner: Reader) -> list[Part]:
    source = Fields(fields.object("source") or {})
    name, form = fields.text("name"), fields.text("format")
    media_type = f"{kind}/{form}" if form and kind != "document" else form
    location = Fields(source.object("s3Location") or {})
    if source.has("bytes"):
        data = source.binary("bytes")
        media: Media = from_bytes(kind, data, media_type=media_type, name=name)
    else:
        media = from_url(kind, location.text("uri"), media_type=media_type, name=name)
    texts = inner([source.any("text"), source.any("content")])  # a document may be text
    return [media, *texts, *location.rest(), *source.rest(), *fields.rest()]
