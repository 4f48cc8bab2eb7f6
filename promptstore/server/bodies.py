"""The body of a request: read within limits, and understood as JSON or as a form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Callable, Coroutine
from contextlib import suppress
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from promptstore.posthog.content import MAX_BYTES
from promptstore.server.errors import ApiError, api_error, invalid

MAX_SECONDS: Final = 60.0
"""How long a body may take to arrive, in seconds."""

_BIG: Final = 64 * 1024
_LINGER_SECONDS: Final = 1.0
_MAX_DROPPED: Final = 16 * 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_JSON_FIELDS: Final = ("prompt", "config", "edits", "variables", "data", "options")
_MAX_FORM_FIELDS: Final = 100


class LimitedRequest(Request):
    """A request whose body may neither be too large nor take too long.

    FastAPI asks it for JSON, and gets that of a form too. A big body is parsed in a thread.
    """

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        super().__init__(scope, receive)
        self._limit = limit
        self._kind = self.headers.get("content-type", "")
        # FastAPI leaves a body of another content type to the route.
        self._headers = MutableHeaders(self.headers)
        self._headers["content-type"] = _JSON

    async def body(self) -> bytes:
        """Return the body; an empty one is an empty object."""
        return await self.sent() or b"{}"

    async def sent(self) -> bytes:
        """Return the body as it was sent.

        Raises:
            ApiError: 408 for one that does not arrive, 413 for one that is too large.
        """
        if not hasattr(self, "_body"):
            try:
                async with asyncio.timeout(MAX_SECONDS):
                    self._body = await self._read()
            except TimeoutError:
                detail = f"The body did not arrive within {MAX_SECONDS:g} seconds."
                raise _cut_off(408, "request_timeout", detail) from None
        return self._body

    async def json(self) -> Any:
        """Return what the body says; or a list of the error of one that cannot be understood.

        No route takes a list: the error is answered after the key was looked at.
        """
        data = await self.body()
        try:
            if len(data) > _BIG:
                return await run_in_threadpool(self._parse, data)
            return self._parse(data)
        except ApiError as error:
            return [error]

    async def _read(self) -> bytes:
        declared = self.headers.get("content-length", "")
        size = int(declared) if declared.isdigit() else 0
        pieces: list[bytes] = []
        stream = self.stream()
        if size <= self._limit:
            size = 0
            async for piece in stream:
                pieces.append(piece)
                size += len(piece)
                if size > self._limit:
                    break
        if size > self._limit:
            await _drop_rest(stream)
            raise _cut_off(413, "body_too_large", f"The body is larger than {self._limit} bytes.")
        return b"".join(pieces)

    def _parse(self, data: bytes) -> Any:
        bare = self._kind.partition(";")[0].strip().lower()
        if bare == _JSON or not self._body:
            return _parse_json(data)
        if bare == _FORM:
            return _parse_form(data)
        detail = f'Unsupported media type "{self._kind}" in request.'
        raise api_error(415, "unsupported_media_type", detail)


class ApiRoute(APIRoute):
    """A route whose body is limited: to a content and a config of a megabyte each.

    Attributes:
        max_body: How many bytes its body may have.
    """

    max_body: ClassVar[int] = 2 * MAX_BYTES + 64 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of FastAPI, which is given the limited request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def limited(request: Request) -> Response:
            return await handle(LimitedRequest(request.scope, request.receive, self.max_body))

        return limited


class EventRoute(ApiRoute):
    """A route that takes an event; it lists the errors of all fields at once."""

    max_body = 5 * 1024 * 1024


async def _drop_rest(stream: AsyncIterable[bytes]) -> None:
    """Take in what is under way for a moment: who still sends does not hear the answer."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            async for piece in stream:
                dropped += len(piece)
                if dropped > _MAX_DROPPED:
                    break


def _cut_off(status: int, code: str, detail: str) -> ApiError:
    # What is not read of the body would be taken for the next request.
    return api_error(status, code, detail, headers={"Connection": "close"})


def _parse_json(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise api_error(400, "parse_error", f"JSON parse error - {error}") from None


def _parse_form(data: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            data.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError as error:
        raise api_error(400, "parse_error", f"JSON parse error - {error}") from None
    fields: dict[str, Any] = dict(pairs)
    for name in fields.keys() & set(_JSON_FIELDS):
        try:
            fields[name] = json.loads(fields[name])
        except (ValueError, RecursionError):
            raise invalid("invalid_input", "Value must be valid JSON.", name) from None
    return fields
