"""Questions to the model of the server: by which prompt, within a deadline, and what fails.

A prompt of the server is the store's own where it has one of that name, else the package's.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from fastapi import Security
from starlette.requests import Request

from promptstore.errors import (
    LabelNotFoundError,
    ModelError,
    PromptNotFoundError,
    TemplateError,
)
from promptstore.model.prompt import Prompt, identified
from promptstore.model.rendering import RenderedPrompt
from promptstore.promptfile.reader import loads
from promptstore.server.errors import ApiError, api_error, forbidden
from promptstore.server.models import ChatModel
from promptstore.server.projects import Caller, Project, authorize

LABEL: Final = "production"
"""The label that is preferred to the newest version."""

_INCLUDED: Final = "shared/untrusted"

_log: Final = logging.getLogger("promptstore.server")


def consenting(caller: Annotated[Caller, Security(authorize)]) -> Caller:
    """Return the caller where the texts of the project may go to a model.

    Raises:
        ApiError: They may not (403).
    """
    if not caller.project.settings.ai_consent:
        raise forbidden("AI data processing is not approved: `ai_consent` of the project is false.")
    return caller


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


def render_own(project: Project, name: str, values: Mapping[str, str]) -> RenderedPrompt:
    """Render a prompt of the server's, with foreign values that cannot leave their places.

    The prompt writes its tags with the variable ``boundary``, a word that no value holds.

    Args:
        project: The project whose store is asked first.
        name: The prompt's name.
        values: What is filled in.

    Raises:
        ApiError: The store's prompt has no boundary, or takes other variables (500).
        PromptFileError: The store's prompt cannot be read.
    """
    prompt = find_own(project, name)
    if "boundary" not in prompt.contract:
        raise _unfit(name, "it declares no variable 'boundary', which keeps values in their tags")
    try:
        return prompt.render({**values, "boundary": _boundary(values)})
    except TemplateError as error:
        raise _unfit(name, str(error)) from error


def find_own(project: Project, name: str) -> Prompt:
    """Return the store's prompt, at the label `LABEL` where that is set, else the package's."""
    store = project.store
    try:
        try:
            return store.get(name, label=LABEL)
        except LabelNotFoundError:
            return store.get(name)
    except PromptNotFoundError:
        return packaged(name)


def headers_of(rendered: RenderedPrompt) -> dict[str, str]:
    """Return the headers that say which prompt ran."""
    version = "packaged" if rendered.version is None else str(rendered.version)
    return {
        "X-Prompt-Name": str(rendered.name),
        "X-Prompt-Version": version,
        "X-Prompt-Digest": rendered.digest,
    }


@cache
def packaged(name: str) -> Prompt:
    """Return a prompt that comes with the package."""
    return identified(_read(name), name=name, includes={_INCLUDED: _read(_INCLUDED)})


def _read(name: str) -> Prompt:
    return loads(files("promptstore.server").joinpath(f"prompts/{name}.yaml").read_bytes())


def _boundary(values: Mapping[str, str]) -> str:
    while True:
        word = secrets.token_hex(8)
        if not any(word in value for value in values.values()):
            return word


def _unfit(name: str, reason: str) -> Exception:
    detail = f"The server's prompt '{name}' cannot be used: {reason}"
    return api_error(500, "unfit_prompt", detail, kind="server_error")
