"""Questions to the model of the server: within a deadline, and what a failure answers."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.requests import Request

from promptstore.errors import ModelError
from promptstore.model.rendering import RenderedPrompt
from promptstore.server.errors import ApiError, api_error
from promptstore.server.models import ChatModel

_log: Final = logging.getLogger("promptstore.server")


def model_of(request: Request) -> ChatModel:
    """Return the model of the server.

    Raises:
        ApiError: It has none (503).
    """
    model: ChatModel | None = request.app.state.model
    if model is None:
        detail = (
            "This server has no language model. Start it with `promptstore serve --model-url URL "
            "--model NAME`."
        )
        raise api_error(503, "no_model", detail, kind="server_error")
    return model


async def ask(
    model: ChatModel, rendered: RenderedPrompt, seconds: float, *, failed: ApiError, late: ApiError
) -> str:
    """Return the answer of a model to a rendered prompt; it is asked once.

    Args:
        model: The model.
        rendered: The prompt.
        seconds: How long it may take.
        failed: What a failure answers.
        late: What a model that takes longer answers.

    Raises:
        ApiError: One of these two.
    """
    name, version, digest = rendered.name, rendered.version, rendered.digest
    try:
        async with asyncio.timeout(seconds):
            answer = await model.complete(rendered.messages, rendered.config)
    except TimeoutError:
        _log.error("%s: the model took longer than %g seconds", name, seconds)
        raise late from None
    except ModelError as error:
        _log.error("%s: %s", name, error)
        raise failed from error
    # The prompt is logged, never the text.
    _log.info("asked the model by %s, version %s, digest %s", name, version, digest)
    return answer
