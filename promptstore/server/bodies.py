"""The body of a request: read within a limit, and understood as JSON or as a form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from promptstore.server.fields import read_object
from promptstore.server.problems import RefusedError, envelope, invalid, malformed

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
"""The largest body that is read: a content of a megabyte, escaped as clumsily as can be."""

MAX_BODY_SECONDS: Final = 60.0
"""How long a body may take to arrive, in seconds."""

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_JSON_FIELDS: Final = ("prompt", "config", "edits")
_MAX_FORM_FIELDS: Final = 100


async def read_body(request: Request) -> Mapping[str, Any]:
    """Read the body of a request, which is an object of JSON or a form.

    Raises:
        RefusedError: 408 for one that does not arrive, 413 for one that is too large, 415 for
            another content type, 400 for one that cannot be understood.
    """
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            data = await _read_bytes(request)
    except TimeoutError:
        detail = f"The body did not arrive within {MAX_BODY_SECONDS:g} seconds."
        raise _cut_off(408, "request_timeout", detail) from None
    if not data:
        return {}
    kind = request.headers.get("content-type", "")
    bare = kind.partition(";")[0].strip().lower()
    if bare == _JSON:
        return read_object(_parse_json(data))
    if bare == _FORM:
        return _parse_form(data)
    detail = f'Unsupported media type "{kind}" in request.'
    raise RefusedError(415, envelope("invalid_request", "unsupported_media_type", detail))


async def _read_bytes(request: Request) -> bytes:
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise _too_large()
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise _too_large()
    return b"".join(pieces)


def _too_large() -> RefusedError:
    detail = f"The body is larger than {MAX_BODY_BYTES} bytes."
    return _cut_off(413, "body_too_large", detail)


def _cut_off(status: int, code: str, detail: str) -> RefusedError:
    # What is not read of the body would be taken for the next request.
    body = envelope("invalid_request", code, detail)
    return RefusedError(status, body, {"Connection": "close"})


def _parse_json(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise malformed(str(error)) from None


def _parse_form(data: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            data.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise malformed(str(error)) from None
    fields: dict[str, Any] = dict(pairs)
    for name in _JSON_FIELDS:
        if name in fields:
            fields[name] = _json_field(fields[name], name)
    return fields


def _json_field(text: str, attr: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise invalid("invalid_input", "Value must be valid JSON.", attr) from None
