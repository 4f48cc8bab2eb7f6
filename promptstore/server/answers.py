"""Answers: JSON with an ETag, and reads that were answered before without reading anything."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Final, NamedTuple, ParamSpec, TypeAlias

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server.errors import api_error

if TYPE_CHECKING:
    from promptstore.server.projects import Project
    from promptstore.store.store import Position

_MAX_KEPT_BYTES: Final = 32 * 1024 * 1024
_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_JSON: Final = "application/json"
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')

_Given = ParamSpec("_Given")
_Key: TypeAlias = tuple[str, bytes, str]


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


def answer(shown: Shown, status: int = 200) -> Response:
    """Return an answer that nobody may keep, such as to a write."""
    headers = {"Cache-Control": "no-store"} | ({"ETag": shown.etag} if shown.etag else {})
    return Response(_to_json(shown.model), status, headers, _JSON)


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
