"""Answers: JSON with an ETag, and reads that were answered before without reading anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.server.etags import is_unchanged
from promptstore.server.paging import Page
from promptstore.server.problems import invalid
from promptstore.server.projects import Kept, Project
from promptstore.server.reading import Draft

Read: TypeAlias = Callable[[Request, Project], Draft]
"""Looks up what a request asks of a project."""

_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
_FLEETING: Final = {"Cache-Control": "no-store"}
_JSON: Final = "application/json"
_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)


def reply(
    value: Any, status: int = 200, *, etag: str | None = None, headers: Mapping[str, str] = {}
) -> Response:
    """Answer with JSON that nobody may keep, such as an error or what a write made.

    Args:
        value: The JSON.
        status: The HTTP status.
        etag: The state of what was written, or None.
        headers: Further headers.
    """
    tagged = {} if etag is None else {"ETag": etag}
    return Response(to_bytes(value), status, {**_FLEETING, **headers, **tagged}, _JSON)


async def reply_read(request: Request, project: Project, read: Read) -> Response:
    """Answer a read: 304 where the client has it, else its JSON.

    An answer is kept until the branch or a label moves; then a file is read only when it is not
    what the client has.

    Args:
        request: The request.
        project: Its project.
        read: Looks the answer up.
    """
    moment = project.moment()
    question = (request.scope["promptstore.path"], request.scope["query_string"], _host(request))
    known = request.headers.get("if-none-match")
    kept = moment.find(question)
    if kept is None:
        kept = await run_in_threadpool(_read, request, project, read)
        if kept.answer is not None:
            moment.keep(question, kept)
    is_known = known is not None and (known.strip() == "*" or is_unchanged(known, kept.etag))
    if kept.answer is None or is_known:
        return Response(None, 304, {**_HEADERS, "ETag": kept.etag})
    return kept.answer


def _read(request: Request, project: Project, read: Read) -> Kept:
    draft = read(request, project)
    if is_unchanged(request.headers.get("if-none-match"), draft.etag):
        return Kept(draft.etag, None)
    headers = {**_HEADERS, "ETag": draft.etag}
    return Kept(draft.etag, Response(to_bytes(draft.write()), 200, headers, _JSON))


def _host(request: Request) -> str:
    """Give the host that was asked, which the links of a list begin with."""
    return f"{request.scope['scheme']}://{request.headers.get('host', '')}"


def page_of(request: Request, project: Project) -> Page:
    """Tell where a request was sent to, as clients see it.

    Raises:
        RefusedError: The request names its host in a way that no link could begin with.
    """
    base = project.settings.public_url
    if base is None:
        if not _HOST.fullmatch(request.headers.get("host", "")):
            raise invalid("invalid_host", "The Host header names no host.")
        base = _host(request)
    path = request.scope["promptstore.path"]
    return Page(base.rstrip("/") + path, tuple(request.query_params.multi_items()))


def to_bytes(value: Any) -> bytes:
    """Write JSON, letters as they are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # What stands alone as half of a surrogate pair is written as JSON escapes it.
    return text.encode(errors="backslashreplace")
