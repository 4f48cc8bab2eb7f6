"""Requests and answers as HTTP: paths, the access log, bodies within limits, and ETags."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias
from urllib.parse import parse_qsl

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptstore import __version__
from promptstore.posthog.content import MAX_BYTES
from promptstore.server.errors import ApiError, api_error, invalid

if TYPE_CHECKING:
    from promptstore.store.snapshot import Snapshot

_access = logging.getLogger("promptstore.access")

_ALIAS: Final = "/api/projects/"
_PREFIX: Final = "/api/environments/"
_JSON_SUFFIX: Final = "/llm_prompts.json"
_SENT: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"promptstore-version", __version__.encode()),
)
_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; frame-ancestors 'none'",
)
"""What holds for an answer that is no page, if a browser shows it all the same."""
SENT_HEADERS: Final = {name.decode(): value.decode() for name, value in (*_SENT, _POLICY)}
"""What every answer has; the one to an unexpected error passes no middleware of ours."""

_MAX_KEPT_BYTES: Final = 32 * 1024 * 1024
_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_JSON: Final = "application/json"
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')

MAX_SECONDS: Final = 60.0
"""How long a body may take to arrive, in seconds."""

_BIG: Final = 64 * 1024
_LINGER_SECONDS: Final = 1.0
_MAX_DROPPED: Final = 16 * 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_JSON_FIELDS: Final = ("prompt", "config", "edits", "variables", "data", "options")
_MAX_FORM_FIELDS: Final = 100

_Key: TypeAlias = tuple[str, bytes, str]
"""What a read was asked for: the path, the query, and the origin of the server."""


class PathMiddleware:
    """Gives each path its one form, answers HEAD like GET, and logs what was asked.

    A path is routed as it was sent, still percent-encoded: ``a%2Fb`` is one segment. Both prefixes,
    and a slash at the end or none, lead to one route.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
        inner = {**scope, "path": _routed_path(sent), "promptstore.path": sent}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        answered: dict[str, int] = {}

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                headers = [*message["headers"], *_SENT]
                if _POLICY[0] not in [name for name, _ in message["headers"]]:
                    headers.append(_POLICY)
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body" and scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(inner, receive, send_on)
        finally:
            if _access.isEnabledFor(logging.INFO):
                elapsed = time.perf_counter() - started
                _access.info(_line(inner, scope["method"], answered.get("status", 500), elapsed))


def _routed_path(path: str) -> str:
    if path.startswith(_ALIAS):
        path = _PREFIX + path[len(_ALIAS) :]
    if path.endswith("/") and len(path) > 1:
        path = path[:-1]
    if path.startswith(_PREFIX) and path.endswith(_JSON_SUFFIX):
        path = path.removesuffix(".json")
    return path


def _line(scope: Scope, method: str, status: int, elapsed: float) -> str:
    """Return in one line of JSON what was asked; neither query nor headers, which may hold keys."""
    client = scope.get("client")
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": method,
        "path": scope["promptstore.path"],
        "status": status,
        "ms": round(elapsed * 1000, 2),
        "client": client[0] if client else None,
        "user": scope.get("promptstore.user"),
    }
    return json.dumps(facts)


class ReadAnswer(Response):
    """The answer to a read.

    Args:
        model: What is answered.
        snapshot: What all of it was read from; None where it depends on more.
        etag: The state that it shows, or None where the answer itself tells that.
    """

    def __init__(
        self, model: BaseModel, snapshot: Snapshot | None, etag: str | None = None
    ) -> None:
        body = _to_json(model)
        etag = etag or make_etag(body.decode())
        super().__init__(body, 200, {**_HEADERS, "ETag": etag}, _JSON)
        self.snapshot = snapshot

    def for_client(self, known: str | None) -> Response:
        """Return 304 where ``If-None-Match`` names this state (weak comparison, RFC 9110)."""
        etag = self.headers["etag"]
        if known is None:
            return self
        tags = {tag.removeprefix("W/") for tag in _TAG.findall(known)}
        if known.strip() != "*" and etag not in tags:
            return self
        return Response(None, 304, {**_HEADERS, "ETag": etag})


class AnswerCache:
    """The answers to reads of one snapshot: a branch or a label that moves makes another one.

    It belongs to one event loop.
    """

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._answers: dict[_Key, ReadAnswer] = {}
        self._bytes = 0

    def find(self, snapshot: Snapshot, key: _Key) -> ReadAnswer | None:
        """Return the answer that was read from a snapshot; those of another one are forgotten."""
        if self._snapshot is not snapshot or self._bytes > _MAX_KEPT_BYTES:
            self._snapshot, self._answers, self._bytes = snapshot, {}, 0
        return self._answers.get(key)

    def keep(self, key: _Key, answer: ReadAnswer) -> None:
        """Keep an answer, unless it was read while the branch or a label was elsewhere."""
        if answer.snapshot is not None and answer.snapshot is self._snapshot:
            self._answers[key] = answer
            self._bytes += len(answer.body) + 500


def answer(model: BaseModel, status: int = 200, etag: str | None = None) -> Response:
    """Return an answer that nobody may keep, such as to a write."""
    headers = {"Cache-Control": "no-store"} | ({"ETag": etag} if etag else {})
    return Response(_to_json(model), status, headers, _JSON)


def answer_json(
    value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = {}
) -> Response:
    """Return an answer that may hold what the request held: half of a surrogate pair is escaped."""
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")
    return Response(text, status, {"Cache-Control": "no-store", **headers}, _JSON)


def origin(request: Request) -> str:
    """Return the origin that a request was sent to."""
    return f"{request.scope['scheme']}://{request.headers.get('host', '')}"


def make_etag(*facts: object) -> str:
    """Return the strong ETag of a state, from the facts that it depends on."""
    text = "\0".join(map(str, facts))
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


def check_match(request_etag: str | None, etag: str) -> None:
    """Refuse a write whose ``If-Match`` names another state (strong comparison, RFC 9110).

    Raises:
        ApiError: It does (412).
    """
    tags = _TAG.findall(request_etag or "")
    if request_etag is not None and request_etag.strip() != "*" and etag not in tags:
        detail = "The prompt is in another state than If-Match says. Read it again, then write."
        raise api_error(412, "precondition_failed", detail)


def _to_json(model: BaseModel) -> bytes:
    return model.model_dump_json(exclude_unset=True, by_alias=True).encode()


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
