"""``llm_analytics/…``: an event as readable text, and a text in another language."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Final

from fastapi import Security
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.formatters import text_repr
from promptstore.model.values import is_deep
from promptstore.posthog.logmodels import TranslateRequest, Translation
from promptstore.posthog.models import TextRepresentation
from promptstore.posthog.queries import TextReprRequest
from promptstore.server.asking import ask, consenting, headers_of, model_of, render_own
from promptstore.server.errors import ApiError, invalid, server_error
from promptstore.server.http import EventRoute, answer_json
from promptstore.server.projects import Caller, authorize, make_router

router: Final = make_router("events", EventRoute)
text_router: Final = make_router("texts")

MAX_SECONDS: Final = 45.0
"""How long a translation may take."""

_LANGUAGES: Final = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "pt": "Portuguese",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "it": "Italian",
    "nl": "Dutch",
    "ru": "Russian",
    "ar": "Arabic",
}


@router.post(
    "/llm_analytics/text_repr",
    name="text_repr",
    response_model=TextRepresentation,
    responses={400: {"model": dict[str, Any], "description": "What is wrong, by field."}},
)
def show_event(
    _caller: Annotated[Caller, Security(authorize, scopes=["llm_analytics:write"])],
    body: TextReprRequest,
) -> Response:
    """Turn an event, or a trace with its events, into readable text."""
    _check_data(body.event_type, body.data)
    options = body.options.model_dump(exclude_unset=True)
    shown = text_repr(body.data, event_type=body.event_type, **options)
    metadata = {field.name: getattr(shown.metadata, field.name) for field in fields(shown.metadata)}
    if is_deep(metadata):
        raise _invalid("The IDs of an event must not be nested deeply")
    return answer_json({"text": shown.text, "metadata": metadata})


def _check_data(kind: str, data: Any) -> None:
    if kind == "$ai_trace":
        _check_trace(data)
    elif not isinstance(data, dict) or "properties" not in data:
        raise _invalid(f"{kind} events require 'properties' object in data field")
    elif not data.get("id"):
        raise _invalid(f"{kind} events require an 'id' field")


def _check_trace(data: Any) -> None:
    trace = data.get("trace") if isinstance(data, dict) else None
    if not trace or not isinstance(trace, dict) or not isinstance(data.get("hierarchy"), list):
        raise _invalid("Trace events require 'trace' object and 'hierarchy' array in data field")
    properties = trace.get("properties")
    named = isinstance(properties, dict) and properties.get("$ai_trace_id")
    if not named and not trace.get("id"):
        raise _invalid("Trace events require an ID (trace.id or trace.properties.$ai_trace_id)")


def _invalid(detail: str) -> ApiError:
    return invalid("invalid_input", detail)


@text_router.post("/llm_analytics/translate", response_model=Translation)
async def translate(
    request: Request,
    caller: Annotated[Caller, Security(consenting, scopes=["llm_analytics:write"])],
    body: TranslateRequest,
) -> Response:
    """Translate a text by the model of the server; `X-Prompt-…` says which prompt ran."""
    model = model_of(request)
    # A code that is not known goes to the model as it is, on one line.
    language = " ".join(_LANGUAGES.get(body.target_language, body.target_language).split())
    values = {"text": body.text, "language": language}
    rendered = await run_in_threadpool(render_own, caller.project, "translate", values)
    failed = server_error(500, "translation_error", "Translation failed. Please try again.")
    detail = f"The translation took longer than {MAX_SECONDS:g} seconds; the text may be too long."
    late = server_error(504, "translation_timeout", detail)
    text = await ask(model, rendered, MAX_SECONDS, failed=failed, late=late)
    translation = Translation(translation=text.strip())
    return answer_json(translation.model_dump(), headers=headers_of(rendered))
