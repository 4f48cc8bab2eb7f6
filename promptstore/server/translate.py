"""``llm_analytics/translate``: a text in another language, by the server's model."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Security
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from promptstore.posthog.logmodels import TranslateRequest, Translation
from promptstore.server.asking import ask, consenting, headers_of, model_of, render_own
from promptstore.server.errors import ApiError, api_error
from promptstore.server.http import answer_json
from promptstore.server.projects import Caller, make_router

router: Final = make_router("texts")

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


@router.post("/llm_analytics/translate", response_model=Translation)
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
    failed = _failure(500, "translation_error", "Translation failed. Please try again.")
    detail = f"The translation took longer than {MAX_SECONDS:g} seconds; the text may be too long."
    late = _failure(504, "translation_timeout", detail)
    text = await ask(model, rendered, MAX_SECONDS, failed=failed, late=late)
    translation = Translation(translation=text.strip())
    return answer_json(translation.model_dump(), headers=headers_of(rendered))


def _failure(status: int, code: str, detail: str) -> ApiError:
    return api_error(status, code, detail, kind="server_error")
