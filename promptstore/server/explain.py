"""``logs/explainLogWithAI``: one log entry explained by the server's model."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

from fastapi import Security
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.model.rendering import RenderedPrompt
from promptstore.posthog.logmodels import ExplainRequest, KeyField, LogEntry, LogExplanation
from promptstore.posthog.requests import read_uuid
from promptstore.server.asking import ask, consenting, headers_of, model_of, render_own
from promptstore.server.errors import ApiError, server_error
from promptstore.server.http import EventRoute, answer_json
from promptstore.server.logs.queries import to_utc
from promptstore.server.logs.routes import logs_of
from promptstore.server.logs.store import LogStore
from promptstore.server.projects import Caller, Project, make_router

router: Final = make_router("logs", EventRoute)

MAX_SECONDS: Final = 60.0
"""How long an explanation may take."""

_FAILED: Final = "Failed to generate log explanation"

MAX_ENTRY: Final = 16_000
"""How many characters of an entry the model is shown."""

MAX_CONTEXT: Final = 8_000
"""How many characters of the entries around it the model is shown."""

KEPT_SECONDS: Final = 3_600.0
MAX_KEPT: Final = 1_000
MAX_CAUSES: Final = 3
MAX_ACTIONS: Final = 5

_PRIORITIES: Final = ("now", "soon", "later")
_CONFIDENCES: Final = ("high", "medium", "low")
_CUT: Final = "…(cut)"
_SHORTEST: Final = 200
_MAPS: Final = ("attributes", "resource")


class Key(NamedTuple):
    """What an explanation depends on."""

    project: int
    uuid: str
    timestamp: str
    digest: str
    model: str


class ExplanationCache:
    """Explanations of the last hour; of one key that is asked for by several at once, one is made.

    It belongs to one event loop.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, LogExplanation]] = OrderedDict()
        self._running: dict[Key, asyncio.Future[LogExplanation]] = {}

    async def get(
        self, key: Key, make: Callable[[], Awaitable[LogExplanation]], *, refresh: bool
    ) -> tuple[LogExplanation, bool]:
        """Return an explanation, and whether it was kept; failures are not kept.

        Args:
            key: What it depends on.
            make: Makes it.
            refresh: Whether to make it anew even where it is kept.
        """
        kept = self._kept.get(key)
        if kept is not None and not refresh and self._clock() - kept[0] < KEPT_SECONDS:
            return kept[1], True
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(make())
            running.add_done_callback(lambda done: self._finish(key, done))
        # Who asked first may go away; the others still wait.
        return await asyncio.shield(running), False

    def _finish(self, key: Key, done: asyncio.Future[LogExplanation]) -> None:
        del self._running[key]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept[key] = (self._clock(), done.result())
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)


@router.post(
    "/logs/explainLogWithAI",
    response_model=LogExplanation,
    responses={
        400: {"model": dict[str, Any], "description": "What is wrong, by field."},
        404: {"model": dict[str, str], "description": "There is no such entry."},
    },
)
async def explain_log(
    request: Request,
    caller: Annotated[Caller, Security(consenting, scopes=["logs:write"])],
    body: ExplainRequest,
) -> Response:
    """Explain a log entry by the model of the server; `X-Prompt-…` says which prompt ran."""
    store = logs_of(request).store
    model = model_of(request)
    entry, rendered = await run_in_threadpool(_prepare, store, caller.project, body)
    # One instant is one key, in whatever time zone it was asked for.
    key = Key(caller.project.id, entry.uuid, entry.timestamp, rendered.digest, str(model))
    cache: ExplanationCache = request.app.state.explanations

    async def make() -> LogExplanation:
        failed = server_error(500, "explanation_error", _FAILED)
        late = server_error(504, "explanation_timeout", f"{_FAILED}: the model took too long")
        answer = await ask(model, rendered, MAX_SECONDS, failed=failed, late=late)
        if not answer.strip():
            raise ApiError(400, {"error": "The model answered nothing"})
        explanation = read_explanation(answer, entry)
        if explanation is None:
            raise failed
        return explanation

    explanation, is_kept = await cache.get(key, make, refresh=body.force_refresh)
    headers = {**headers_of(rendered), "X-Cache": "hit" if is_kept else "miss"}
    return answer_json(explanation.model_dump(), headers=headers)


def _prepare(
    store: LogStore, project: Project, body: ExplainRequest
) -> tuple[LogEntry, RenderedPrompt]:
    uuid = read_uuid(body.uuid)
    try:
        entry = None if uuid is None else store.find(project.id, UUID(uuid), to_utc(body.timestamp))
    except OverflowError:
        entry = None
    if entry is None:
        raise ApiError(404, {"error": "Log not found"})
    context = show_context(store.around(project.id, entry))
    values = {"entry": show_entry(entry), "context": context}
    return entry, render_own(project, "logs/explain", values)


def show_entry(entry: LogEntry) -> str:
    """Return an entry as JSON of at most `MAX_ENTRY` characters; what is cut says so.

    The longest attributes are cut first, then the body.
    """
    shown: dict[str, Any] = {
        "time": entry.timestamp,
        "severity": entry.severity_text,
        "service": entry.service,
        "event": entry.event_name,
        "trace_id": entry.trace_id,
        "body": entry.body,
        "attributes": dict(entry.attributes),
        "resource": dict(entry.resource_attributes),
    }
    for longest in (4_000, 1_000, _SHORTEST):
        if len(_dump(shown)) <= MAX_ENTRY:
            return _dump(shown)
        shown["body"] = _cut(entry.body, MAX_ENTRY)
        for place in _MAPS:
            shown[place] = {key: _cut(text, longest) for key, text in shown[place].items()}
    for place in _MAPS:
        if len(_dump(shown)) > MAX_ENTRY:
            # So many keys that even short values are too much.
            shown[place] = {_CUT: f"{len(shown[place])} keys"}
    size = len(shown["body"])
    while size and len(_dump(shown)) > MAX_ENTRY:
        # A character may be six in JSON.
        size = min(size - 1, max(0, size - (len(_dump(shown)) - MAX_ENTRY) // 6 - 1))
        shown["body"] = entry.body[:size] + _CUT
    return _dump(shown)


def show_context(entries: Sequence[LogEntry]) -> str:
    """Return entries as JSON, one on each line, in at most `MAX_CONTEXT` characters."""
    lines: list[str] = []
    left = MAX_CONTEXT
    for entry in entries:
        facts = {
            "time": entry.timestamp,
            "severity": entry.severity_text,
            "service": entry.service,
            "body": _cut(entry.body, _SHORTEST),
        }
        line = _dump(facts)
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(lines)


def read_explanation(answer: str, entry: LogEntry) -> LogExplanation | None:
    """Return what a model said about an entry, or None where that is no explanation.

    Counts and order are kept here, as no schema makes a model keep them; a key field counts only
    where the entry has it with this value.
    """
    try:
        found = LogExplanation.model_validate_json(answer)
    except ValidationError:
        return None
    if not found.probable_causes or not found.immediate_actions:
        return None
    causes = sorted(found.probable_causes, key=lambda one: _CONFIDENCES.index(one.confidence))
    actions = sorted(found.immediate_actions, key=lambda one: _PRIORITIES.index(one.priority))
    return found.model_copy(
        update={
            "probable_causes": causes[:MAX_CAUSES],
            "immediate_actions": actions[:MAX_ACTIONS],
            "key_fields": [one for one in found.key_fields if _stands(one, entry)],
        }
    )


def _stands(one: KeyField, entry: LogEntry) -> bool:
    if one.attribute_type == "resource":
        return entry.resource_attributes.get(one.field) == one.value
    fields: Mapping[str, str] = {
        "body": entry.body,
        "severity": entry.severity_text,
        "severity_text": entry.severity_text,
        "service": entry.service,
        "event": entry.event_name,
        "trace_id": entry.trace_id,
        "time": entry.timestamp,
    }
    return one.value in (entry.attributes.get(one.field), fields.get(one.field))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + _CUT


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
