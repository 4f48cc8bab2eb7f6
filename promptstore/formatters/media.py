"""Images, sounds and files: what is told of them instead of their bytes."""

from __future__ import annotations

import re
from typing import Any, Final

from promptstore.formatters.binary import DATA_URL, base64_size, byte_count, is_base64
from promptstore.formatters.messages import Kind, Media, Text

_URL: Final = re.compile(r"data:|https?://|gs://|s3://|blob:|file:")


def from_url(kind: Kind, url: str, *, media_type: str = "", name: str = "") -> Media:
    """Describe what a URL leads to; of a data URL, its media type and size.

    Args:
        kind: What it is.
        url: The URL.
        media_type: Such as ``image/png``, where it is known.
        name: The file's name, where it is known.

    Returns:
        The description.
    """
    start = DATA_URL.match(url)
    if start is None or not is_base64(url, start.end()):
        return Media(kind, media_type, None, url, name)
    return Media(kind, media_type or start[1], base64_size(url, start.end()), "", name)


def from_bytes(kind: Kind, data: Any, *, media_type: str = "", name: str = "") -> Media:
    """Describe bytes as they stand in an event.

    Args:
        kind: What they are.
        data: Base64, a URL, a list of numbers as JavaScript writes it, or what a library has put
            in place of the bytes, such as ``[base64 image redacted]``, which is then shown.
        media_type: Such as ``image/png``, where it is known.
        name: The file's name, where it is known.

    Returns:
        The description.
    """
    if not isinstance(data, str):
        return Media(kind, media_type, byte_count(data), "", name)
    if _URL.match(data) or not is_base64(data):
        return from_url(kind, data, media_type=media_type, name=name)
    return Media(kind, media_type, base64_size(data), "", name)


def encrypted(data: Any) -> Text:
    """Describe thinking that only the provider can read."""
    if isinstance(data, str) and not is_base64(data):
        return Text(data, "redacted thinking")
    size = len(data) if isinstance(data, str) else byte_count(data)
    return Text(f"{size:,} characters, encrypted", "redacted thinking")


def kind_of(media_type: str) -> Kind:
    """Tell the kind of a media type, such as ``image`` of ``image/png``; else ``file``."""
    if media_type.startswith("image/"):
        return "image"
    if media_type.startswith("audio/"):
        return "audio"
    return "video" if media_type.startswith("video/") else "file"
