"""The language model of a server, and how it is asked: by which prompt, within which time.

A prompt of the server is the store's own where it has one of that name, else the package's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol
from urllib.parse import urlsplit

from fastapi import Security
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from promptstore.errors import (
    InvalidArgumentError,
    LabelNotFoundError,
    MissingExtraError,
    ModelError,
    PromptNotFoundError,
    TemplateError,
)
from promptstore.model.prompt import Prompt, identified
from promptstore.model.rendering import RenderedPrompt
from promptstore.promptfile.reader import loads
from promptstore.server.errors import ApiError, forbidden, server_error
from promptstore.server.projects import Caller, Project, authorize

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY_VARIABLE: Final = "PROMPTSTORE_MODEL_KEY"
"""The environment variable that holds the key of the model."""

_NO_KEY: Final = "none"
"""What is sent where there is no key: the package wants one, a local model does not."""

_NOT_PASSED: Final = frozenset({"model", "messages", "stream", "stream_options", "n"})
"""What of a prompt's config would change the shape of the answer, or is said otherwise."""

LABEL: Final = "production"
"""The label that is preferred to the newest version."""

_INCLUDED: Final = "shared/untrusted"

_log: Final = logging.getLogger("promptstore.server")


class ChatModel(Protocol):
    """A language model that answers a chat."""

    async def complete(
        self, messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
    ) -> str:
        """Return the whole answer of the model; an empty one is ``""``.

        The caller sets the deadline by cancelling, so nothing is tried twice in secret.

        Args:
            messages: The messages, with ``role`` and ``content``.
            config: Parameters such as ``temperature`` and ``response_format``.

        Raises:
            ModelError: It cannot be reached, refuses, or its answer is cut.
        """
        ...


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class HttpModel:
    """A model behind an API that is compatible with OpenAI's ``/chat/completions``.

    Args:
        url: The API's base URL, such as ``http://127.0.0.1:8080/v1``.
        name: The model's name, or None for ``model`` in the prompt's config.
        key: The key, or None where none is needed.

    Raises:
        InvalidArgumentError: The URL is none.
        MissingExtraError: The openai package is not installed.
    """

    def __init__(self, url: str, name: str | None = None, key: str | None = None) -> None:
        _check_url(url)
        if find_spec("openai") is None:
            raise MissingExtraError(extra="models", purpose="Asking a model")
        self.url = url
        self.name = name
        self._key = key

    def __str__(self) -> str:
        return f"{self.name or 'the model of each prompt'} at {self.url}"

    async def complete(
        self, messages: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
    ) -> str:
        """Return the whole answer of the model."""
        name = self.name or config.get("model")
        if not isinstance(name, str):
            raise self._error("was not asked: name a model by --model, or in the prompt's config")
        # To load the package takes a second, in which others are served.
        client = await run_in_threadpool(lambda: self._client)
        data = await self._send(client, name, messages, config)
        try:
            choice = _Completion.model_validate_json(data).choices[0]
        except ValidationError:
            raise self._error("answered with something else than a completion") from None
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise self._error("refused to answer")
        if choice.finish_reason == "length":
            raise self._error("answered too long and was cut; allow more by max_tokens")
        return choice.message.content or ""

    async def _send(
        self,
        client: AsyncOpenAI,
        name: str,
        messages: Sequence[Mapping[str, Any]],
        config: Mapping[str, Any],
    ) -> bytes:
        from openai import APIStatusError, OpenAIError

        given: Any = list(messages)
        rest = {key: value for key, value in config.items() if key not in _NOT_PASSED}
        try:
            answer = await client.chat.completions.with_raw_response.create(
                model=name, messages=given, extra_body=rest
            )
        except APIStatusError as error:
            raise self._error(f"answered with status {error.status_code}") from error
        except OpenAIError as error:
            raise self._error("cannot be reached") from error
        return answer.content

    @cached_property
    def _client(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        return AsyncOpenAI(base_url=self.url, api_key=self._key or _NO_KEY, max_retries=0)

    def _error(self, reason: str) -> ModelError:
        return ModelError(model=str(self), reason=reason)


def model_from_environment(url: str, name: str | None) -> HttpModel:
    """Return the model behind a URL, with the key that the environment holds."""
    return HttpModel(url, name, os.environ.get(KEY_VARIABLE) or None)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise InvalidArgumentError(
            message=f"--model-url: a model's URL is written like http://127.0.0.1:8080/v1, not "
            f"{url!r}; its key comes from the environment variable {KEY_VARIABLE}"
        )


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
        raise server_error(503, "no_model", detail)
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
    return server_error(500, "unfit_prompt", detail)
