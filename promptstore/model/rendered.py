"""What a render made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promptstore.errors import InvalidArgumentError
from promptstore.model.values import plain_json

if TYPE_CHECKING:
    from promptstore.model.prompt import Prompt
    from promptstore.providers.anthropic import AnthropicArguments
    from promptstore.providers.gemini import GeminiArguments
    from promptstore.providers.openai_chat import OpenAIChatArguments
    from promptstore.providers.openai_responses import OpenAIResponsesArguments
    from promptstore.providers.tracing import TraceFormat


@dataclass(slots=True)
class RenderedPrompt:
    """What a render made, and which prompt it was made from.

    Attributes:
        messages: The messages, as the chat APIs take them: dicts with ``role`` and ``content``. A
            text prompt gives one message of the user. The list belongs to the caller.
        prompt: The prompt that was rendered.
    """

    messages: list[dict[str, Any]]
    prompt: Prompt = field(repr=False)
    _config: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def config(self) -> dict[str, Any]:
        """The prompt's config, passed through: a copy that belongs to the caller."""
        if self._config is None:
            self._config = plain_json(self.prompt.config)
        return self._config

    @property
    def name(self) -> str | None:
        """The prompt's name."""
        return self.prompt.name

    @property
    def version(self) -> int | None:
        """The prompt's version, or None where history is not known."""
        return self.prompt.version

    @property
    def label(self) -> str | None:
        """The label that was asked for, or None."""
        return self.prompt.label

    @property
    def commit(self) -> str | None:
        """The commit that made this version, or None where history is not known."""
        return self.prompt.commit

    @property
    def snapshot_commit(self) -> str | None:
        """The commit whose tree the prompt and its includes were read from."""
        return self.prompt.snapshot_commit

    @property
    def digest(self) -> str:
        """The identity of meaning of what was rendered."""
        return self.prompt.digest

    @property
    def is_fallback(self) -> bool:
        """Whether the caller's own fallback was rendered."""
        return self.prompt.is_fallback

    @property
    def is_chat(self) -> bool:
        """Whether it was a chat prompt."""
        return self.prompt.is_chat

    @property
    def text(self) -> str:
        """The text of a rendered text prompt.

        Raises:
            InvalidArgumentError: It was a chat prompt.
        """
        if self.is_chat:
            subject = f"{self.name!r} is" if self.name else "This is"
            raise InvalidArgumentError(
                message=f"{subject} a chat prompt, which has no single text; use .messages"
            )
        text: str = self.messages[0]["content"]
        return text

    def __str__(self) -> str:
        if not self.is_chat:
            return self.text
        return "\n".join(_shown(message) for message in self.messages)

    def openai_chat(self, **overrides: Any) -> OpenAIChatArguments:
        """Return the arguments of ``client.chat.completions.create``, for OpenAI's chat API.

        Args:
            **overrides: Parameters that replace those of the config; None takes one away.

        Returns:
            The arguments by name, which belong to the caller.

        Raises:
            ProviderError: The API cannot take something.
        """
        from promptstore.providers.openai_chat import openai_chat

        return openai_chat(*self._copies(), overrides)

    def openai_responses(self, **overrides: Any) -> OpenAIResponsesArguments:
        """Return the arguments of ``client.responses.create``, for OpenAI's Responses API.

        Args:
            **overrides: Parameters that replace those of the config; None takes one away.

        Returns:
            The arguments by name, which belong to the caller.

        Raises:
            ProviderError: The API cannot take something.
        """
        from promptstore.providers.openai_responses import openai_responses

        return openai_responses(*self._copies(), overrides)

    def anthropic(self, **overrides: Any) -> AnthropicArguments:
        """Return the arguments of ``client.messages.create``, for Anthropic's Messages API.

        Args:
            **overrides: Parameters that replace those of the config; None takes one away.

        Returns:
            The arguments by name, which belong to the caller.

        Raises:
            ProviderError: The API cannot take something.
        """
        from promptstore.providers.anthropic import anthropic

        return anthropic(*self._copies(), overrides)

    def gemini(self, **overrides: Any) -> GeminiArguments:
        """Return the arguments of ``client.models.generate_content``, for Gemini's API.

        Args:
            **overrides: Parameters that replace those of the config; None takes one away.

        Returns:
            The arguments by name, which belong to the caller.

        Raises:
            ProviderError: The API cannot take something.
        """
        from promptstore.providers.gemini import gemini

        return gemini(*self._copies(), overrides)

    def bedrock(self, **overrides: Any) -> dict[str, Any]:
        """Return the arguments of ``client.converse``, for Amazon Bedrock's Converse API.

        Args:
            **overrides: Parameters that replace those of the config; None takes one away.

        Returns:
            The arguments by name, which belong to the caller.

        Raises:
            ProviderError: The API cannot take something.
        """
        from promptstore.providers.bedrock import bedrock

        return bedrock(*self._copies(), overrides)

    def trace_attributes(self, form: TraceFormat) -> dict[str, str | int | bool]:
        """Return which prompt ran, as the attributes of a trace.

        Args:
            form: ``otel`` for OpenTelemetry's conventions for generative AI, ``posthog`` for the
                properties of PostHog's events, ``langfuse`` for a span that Langfuse reads.

        Returns:
            The attributes by name; what is not known is left out.

        Raises:
            InvalidArgumentError: There is no such form.
        """
        from promptstore.providers.tracing import PromptIdentity, trace_attributes

        identity = PromptIdentity(
            self.name, self.version, self.digest, self.label, self.is_fallback
        )
        return trace_attributes(identity, form)

    def _copies(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return deepcopy(self.messages), deepcopy(self.config)


def _shown(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"[{message.get('role')}]\n{text}"
