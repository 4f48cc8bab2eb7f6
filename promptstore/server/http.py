"""Requests and answers as HTTP: paths, the access log, ETags, and answers that are kept."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Concatenate, Final, NamedTuple, ParamSpec, TypeAlias

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptstore import __version__
from promptstore.server.errors import api_error

if TYPE_CHECKING:
    from promptstore.server.projects import Project
    from promptstore.store.store import Position

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

_Given = ParamSpec("_Given")
_Key: TypeAlias = tuple[str, bytes, str]


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
                if all(name.lower() != _POLICY[0] for name, _ in headers):
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


class Shown(NamedTuple):
    """What is answered.

    Attributes:
        model: The answer.
        etag: The state that it shows, or None where the answer itself tells that.
    """

    model: BaseModel
    etag: str | None = None


class AnswerCache:
    """The answers to reads, as long as the branch and the labels stay where they are."""

    def __init__(self) -> None:
        self._kept: tuple[Position | None, dict[_Key, Response]] = (None, {})
        self._bytes = 0

    def at(self, position: Position) -> dict[_Key, Response]:
        """Return the answers by what was asked; all are forgotten when something has moved."""
        before, answers = self._kept
        if before != position or self._bytes > _MAX_KEPT_BYTES:
            answers = {}
            self._kept, self._bytes = (position, answers), 0
        return answers

    def count(self, answer: Response) -> None:
        """Count an answer that is kept."""
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


async def answer_read(
    request: Request,
    project: Project,
    read: Callable[Concatenate[Project, _Given], Shown],
    *arguments: _Given.args,
    **named: _Given.kwargs,
) -> Response:
    """Return the answer to a read: 304 where the client has it, else its JSON.

    Args:
        request: The request.
        project: Its project.
        read: Reads what is answered; called in a thread, and only where it was not answered yet.
        arguments: What else it is given.
        named: What it is given by name.
    """
    scope = request.scope
    key = (scope["promptstore.path"], scope["query_string"], origin(request))
    answers = project.answers.at(project.store.position())
    kept = answers.get(key)
    if kept is None:
        shown = await run_in_threadpool(read, project, *arguments, **named)
        body = _to_json(shown.model)
        etag = shown.etag or f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        kept = answers[key] = Response(body, 200, {**_HEADERS, "ETag": etag}, _JSON)
        project.answers.count(kept)
    known = request.headers.get("if-none-match")
    if known is not None and _has(known, kept.headers["etag"]):
        return Response(None, 304, {**_HEADERS, "ETag": kept.headers["etag"]})
    return kept


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


def _has(header: str, etag: str) -> bool:
    """Return whether ``If-None-Match`` names a state (weak comparison, RFC 9110)."""
    return header.strip() == "*" or etag in {tag.removeprefix("W/") for tag in _TAG.findall(header)}


def _to_json(model: BaseModel) -> bytes:
    return model.model_dump_json(exclude_unset=True, by_alias=True).encode()
