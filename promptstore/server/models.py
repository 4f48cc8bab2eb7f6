"""Language models: what the server asks of one, and one reached over HTTP by the openai package."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from promptstore.errors import InvalidArgumentError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY_VARIABLE: Final = "PROMPTSTORE_MODEL_KEY"
"""The environment variable that holds the key of the model."""

_NO_KEY: Final = "none"
"""What is sent where there is no key: the package wants one, a local model does not."""

_NOT_PASSED: Final = frozenset({"model", "messages", "stream", "stream_options", "n"})
"""What of a prompt's config would change the shape of the answer, or is said otherwise."""


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
