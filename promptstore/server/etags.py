"""Strong ETags: what a read shows, named without reading it."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_FORMAT: Final = "1"
"""Goes up when the same prompt is answered by other bytes than before."""

_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')


def make_etag(*facts: object) -> str:
    """Make the ETag of what is shown, from the facts that it depends on."""
    text = "\0".join([_FORMAT, *map(str, facts)])
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


def is_unchanged(header: str | None, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names the present state (weak comparison, RFC 9110)."""
    return header is not None and etag in {tag.removeprefix("W/") for tag in _TAG.findall(header)}


def is_expected(header: str | None, etag: str) -> bool:
    """Tell whether ``If-Match`` allows a write (strong comparison); without it every write is."""
    return header is None or header.strip() == "*" or etag in _TAG.findall(header)
