"""Bytes that stand inside of JSON: base64, data URLs, and lists of numbers as JavaScript writes.

Only here is decided what bytes are. They are counted; all else is shown as it is.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Any, Final

from promptstore.formatters.complete.model import Kind, Media, Text

LONG: Final = 256
"""Characters of base64 that count as bytes wherever they stand."""

_DATA_URL: Final = re.compile(r"data:([^,\s]{0,500});base64,")
_INSIDE: Final = re.compile(
    rf"data:([^,\s]{{0,200}});base64,((?:[A-Za-z0-9_+/-]|%2[BbFf]){{{LONG},}}(?:=|%3[Dd]){{0,2}})"
)
_BASE64: Final = re.compile(
    r"(?:[A-Za-z0-9+/\r\n]*+|[A-Za-z0-9_\r\n-]*+)"
    r"(?:(?<=[AQgw])==|(?<=[AEIMQUYcgkosw048])=)?[\r\n]*"
)
_PIECE: Final = re.compile("[^=]+={0,2}")
_MOST_PIECES: Final = 10_000
_ESCAPES: Final = re.compile("%(2B|2F|3D|0A|0D)", re.IGNORECASE)
_FILLING: Final = ("\n", "\r", "=")
_MAGIC: Final = (  # what files start with
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF", b"PK\x03\x04", b"ID3", b"OggS", b"fLaC",
    b"\x1aE\xdf\xa3", b"II*\x00", b"MM\x00*", b"\x1f\x8b\x08", b"\xd0\xcf\x11\xe0",
)  # fmt: skip
_BOX: Final = b"ftyp"  # of films and newer images, behind a length of four bytes
_SAMPLE: Final = 1024
_MIXED: Final = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]")))


def media(kind: Kind, data: Any, *, media_type: str = "", name: str = "") -> Media:
    """Describe bytes, or what stands in their place.

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
    url = _DATA_URL.match(data)
    size = _size(data[url.end() :] if url else data, is_stated=True)
    if size is None:
        return Media(kind, media_type, None, data, name)
    told = url[1] if url else ""
    shown = ", ".join(dict.fromkeys(filter(None, (media_type, told))))
    return Media(kind, shown, size, "", name)


def encrypted(data: Any) -> Text:
    """Describe thinking that only the provider can read."""
    size = _size(data, is_stated=True) if isinstance(data, str) else byte_count(data)
    shown = str(data) if size is None else f"{size:,} bytes, encrypted"
    return Text(shown, "redacted thinking")


def is_binary(value: Any) -> bool:
    """Return whether it is a string, or a list of numbers or an object that stands for bytes."""
    return isinstance(value, str) or byte_count(value) is not None


def byte_count(value: Any) -> int | None:
    """Count the bytes that a list of numbers or an object stands for; None where it is neither."""
    if isinstance(value, dict):  # Node's `Buffer`, or a `Uint8Array`
        if value.keys() == {"type", "data"} and value["type"] == "Buffer":
            value = value["data"]
        elif value and all(isinstance(key, str) and key.isdecimal() for key in value):
            value = list(value.values())
    if not isinstance(value, list):
        return None
    is_bytes = all(type(item) is int and 0 <= item < 256 for item in value)
    return len(value) if is_bytes else None


def without_bytes(text: str) -> str:
    """Replace bytes by their description: a string of base64, and data URLs inside of a string."""
    if len(text) < LONG and not text.startswith("data:"):
        return text
    if (url := _DATA_URL.match(text)) and (size := _size(text[url.end() :], is_stated=True)):
        return f"[{url[1] or 'data'}, {size:,} bytes]"
    if "base64," in text:
        return _INSIDE.sub(_described, text)
    size = _size(text, is_stated=False)
    return text if size is None else f"[{size:,} bytes]"


def kind_of(media_type: str) -> Kind:
    """Return the kind of a media type, such as ``image`` of ``image/png``; else ``file``."""
    for kind in ("image", "audio", "video"):
        if media_type.startswith(f"{kind}/"):
            return kind
    return "file"


def _described(match: re.Match[str]) -> str:
    size = _size(match[2], is_stated=True)
    return match[0] if size is None else f"[{match[1] or 'data'}, {size:,} bytes]"


def _size(text: str, *, is_stated: bool) -> int | None:
    """Count the bytes of base64; None for all else.

    A word can look like base64. It is taken for bytes only if it starts as files do, if it is as
    long as no word is and, where nothing states that bytes stand here, as mixed as bytes are; or
    if it is filled up with ``=`` where bytes are stated.
    """
    if not is_stated and (len(text) < LONG or " " in text[:LONG]):
        return None
    if "%" in text:
        text = _ESCAPES.sub(lambda match: chr(int(match[1], 16)), text)
    is_long = len(text) >= LONG
    is_joined = is_long and 0 < text.count("=", 0, -4) < _MOST_PIECES
    pieces = _PIECE.findall(text) if is_joined else [text]
    sizes = [_piece_size(piece, is_long=is_long) for piece in pieces]
    if None in sizes or sum(map(len, pieces)) != len(text):
        return None
    sample = text[:_SAMPLE]
    is_long = is_long and not _is_path(sample)
    is_mixed = is_long and all(kind.search(sample) for kind in _MIXED)
    if is_mixed or (is_stated and (is_long or "=" in text[-4:])) or _is_file(sample):
        return sum(filter(None, sizes)) or None
    return None


def _piece_size(text: str, *, is_long: bool) -> int | None:
    """Count the bytes of base64 that is filled up once; None where it is none."""
    digits = len(text) - sum(map(text.count, _FILLING))
    filling = text.count("=", len(text) - 4)
    if digits % 4 == 1 or (filling and (digits + filling) % 4) or not _BASE64.fullmatch(text):
        return None
    return digits * 3 // 4 if filling or is_long or digits % 4 == 0 else None


def _is_path(sample: str) -> bool:
    return max(map(len, re.split("[/_+-]", sample))) < len(sample) // 16


def _is_file(sample: str) -> bool:
    digits = "".join(sample[:20].split())[:16].replace("-", "+").replace("_", "/")
    head = a2b_base64(digits + "==")
    return head.startswith(_MAGIC) or head[4:8] == _BOX
