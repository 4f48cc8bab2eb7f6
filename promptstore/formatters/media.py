"""Images, sounds and files: what is told of them instead of their bytes."""

from __future__ import annotations

import re
from typing import Any, Final

from promptstore.formatters.messages import Media

_DATA_URL: Final = re.compile(r"data:([^;,]*)[^,]*;base64,")


def from_url(kind: str, url: str, *, media_type: str = "", name: str = "") -> Media:
    """Describe what a URL leads to; of a data URL, its media type and size.

    Args:
        kind: Such as ``image``.
        url: The URL.
        media_type: Such as ``image/png``, where it is known.
        name: The file's name, where it is known.

    Returns:
        The description.
    """
    start = _DATA_URL.match(url)
    if start is None:
        return Media(kind, media_type, None, url, name)
    size = base64_size(url, start.end())
    return Media(kind, media_type or start[1], size, "", name)


def from_base64(kind: str, data: Any, *, media_type: str = "", name: str = "") -> Media:
    """Describe bytes that are written as base64, as a data URL, or as a list of numbers.

    Args:
        kind: Such as ``image``.
        data: The bytes as they stand in the event.
        media_type: Such as ``image/png``, where it is known.
        name: The file's name, where it is known.

    Returns:
        The description.
    """
    if isinstance(data, str):
        if re.match(r"data:|https?://|gs://|s3://", data):
            return from_url(kind, data, media_type=media_type, name=name)
        return Media(kind, media_type, base64_size(data), "", name)
    return Media(kind, media_type, len(data) if isinstance(data, list | dict) else None, "", name)


def base64_size(text: str, start: int = 0) -> int:
    """Count the bytes that base64 stands for."""
    return (len(text) - start) * 3 // 4 - text.count("=", max(start, len(text) - 2))


def without_bytes(text: str) -> str:
    """Replace a data URL by its description; any other text stays."""
    start = _DATA_URL.match(text)
    if start is None:
        return text
    return f"[{start[1] or 'data'}, {base64_size(text, start.end()):,} bytes]"
