"""A prompt and values → text or messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from promptstore.errors import IncludeError, InvalidArgumentError
from promptstore.model.parts import Insert, map_templates
from promptstore.model.values import plain_json
from promptstore.model.variables import MISSING, Variable, bind
from promptstore.template import Budget, Source, Template, compile_template

if TYPE_CHECKING:
    from promptstore.model.prompt import Prompt
    from promptstore.providers.anthropic import AnthropicArguments
    from promptstore.providers.gemini import GeminiArguments
    from promptstore.providers.openai import OpenAIChatArguments, OpenAIResponsesArguments
    from promptstore.providers.parameters import Call
    from promptstore.providers.tracing import TraceFormat


def merge_values(given: Mapping[str, Any] | None, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a render that were given as one mapping, by keyword, or both.

    Args:
        given: The mapping, or None.
        named: The values given by keyword.

    Returns:
        All of them by variable name.

    Raises:
        InvalidArgumentError: The first is no mapping, or a value is given twice.
    """
    if given is None:
        return named
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(
            message=f"The values of a render are a dict by variable name, or keywords, "
            f"not a {type(given).__name__}."
        )
    twice = [name for name in named if name in given]
    if twice:
        names = ", ".join(map(repr, twice))
        raise InvalidArgumentError(
            message=f"The dict and the keywords both have a value for {names}; give it once."
        )
    return {**given, **named}


def render_prompt(prompt: Prompt, values: Mapping[str, Any]) -> RenderedPrompt:
    """Fill a prompt with values from a mapping; see `Prompt.render`."""
    program = _program(prompt)
    bound = bind(
        values,
        program.variables,
        undeclared=program.undeclared,
        name=prompt.name,
        ignore_unknown=prompt.is_fallback,
    )
    budget = Budget(prompt.limits)

    def fill(template: Template) -> str:
        return template.render(bound, program.optional, budget)

    messages: list[dict[str, Any]] = []
    for item in program.items:
        if isinstance(item, Insert):
            messages += bound.get(item.insert, ())
        else:
            messages.append(_fill(item, fill))
    return RenderedPrompt(messages, prompt)


class Signature(NamedTuple):
    """How a prompt is called.

    Attributes:
        variables: What a render takes, by name: the declared variables, those of its includes, and
            for a prompt that declares none every name that its texts use.
        required: The names that a render cannot do without.
        undeclared: The names that its texts need and nobody declares, so that every render fails.
    """

    variables: Mapping[str, Variable]
    required: tuple[str, ...]
    undeclared: tuple[str, ...] = ()


def signature(prompt: Prompt) -> Signature:
    """Return how a prompt is called.

    Args:
        prompt: The prompt, with what it includes.

    Returns:
        The values that it takes and needs.

    Raises:
        TemplateSyntaxError: A text is not a template of its language.
        IncludeError: An include is missing, deleted, cyclic or too deep.
    """
    program = _program(prompt)
    needed = [name for name, variable in program.variables.items() if variable.needs_value]
    return Signature(program.variables, tuple(needed), program.undeclared)


class Program(NamedTuple):
    """A prompt made ready to render: everything that does not depend on the values."""

    items: tuple[Any, ...]
    variables: Mapping[str, Variable]
    undeclared: tuple[str, ...]
    optional: frozenset[str]


def _program(prompt: Prompt) -> Program:
    # The copies that callers are given share the program of the prompt that is kept.
    kept = prompt._kept or prompt  # noqa: SLF001 - both memos belong to this module
    program = kept._program  # noqa: SLF001
    if program is None:
        program = _prepare(kept)
        object.__setattr__(kept, "_program", program)
    return program


def _prepare(prompt: Prompt) -> Program:
    _refuse_unfit_includes(prompt)
    sources = {
        name: Source(text=included.prompt or "", kind=included.template, name=name)
        for name, included in prompt.includes.items()
    }
    templates: list[Template] = []

    def compiled(text: str) -> Template:
        source = Source(text=text, kind=prompt.template, name=prompt.name)
        templates.append(compile_template(source, sources, prompt.limits))
        return templates[-1]

    items = _compile_items(prompt, compiled)
    contract = contract_of(prompt)
    required = sorted({name for template in templates for name in template.required})
    variables = dict(contract)
    undeclared: tuple[str, ...] = ()
    if prompt.variables is None:
        others = sorted({name for template in templates for name in template.variables})
        for name in others:
            variables.setdefault(name, _NEEDED if name in required else _NOT_NEEDED)
    else:
        undeclared = tuple(name for name in required if name not in contract)
    optional = (
        name
        for name, variable in contract.items()
        if variable.required is False and variable.default is MISSING
    )
    return Program(items, variables, undeclared, frozenset(optional))


_NEEDED: Final = Variable()
_NOT_NEEDED: Final = Variable(required=False)


def _compile_items(prompt: Prompt, compiled: Callable[[str], Template]) -> tuple[Any, ...]:
    if prompt.prompt is not None:
        return ({"role": "user", "content": compiled(prompt.prompt)},)
    return tuple(
        item if isinstance(item, Insert) else map_templates(item, lambda _, text: compiled(text))
        for item in prompt.messages or ()
    )


def _fill(value: Any, fill: Callable[[Template], str]) -> Any:
    """Copy what `map_templates` made, with the text of each template in its place."""
    if isinstance(value, dict):
        return {
            key: item if isinstance(item, str) else _fill(item, fill) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, fill) for item in value]
    return fill(value) if hasattr(value, "render") else value


def contract_of(prompt: Prompt) -> Mapping[str, Variable]:
    """Return every declared variable by name: the prompt's own, then those of its includes."""
    contract: dict[str, Variable] = dict(prompt.variables or {})
    for included in prompt.includes.values():
        for name, variable in (included.variables or {}).items():
            contract.setdefault(name, variable)
    for item in prompt.messages or ():
        if isinstance(item, Insert):
            contract.setdefault(item.insert, Variable(type="messages"))
    return contract


def _refuse_unfit_includes(prompt: Prompt) -> None:
    for name, included in prompt.includes.items():
        if included.is_chat:
            reason, code = "it is a chat prompt, and only a text prompt can be included", "PS305"
        elif included.deleted:
            why = f" ({included.deleted_reason})" if included.deleted_reason else ""
            instead = f"; use {included.replaced_by!r}" if included.replaced_by else ""
            reason, code = f"it is deleted{why}{instead}", "PS302"
        else:
            continue
        raise IncludeError(
            target=name, chain=[prompt.name or "this prompt"], reason=reason, code=code
        )


@dataclass(slots=True)
class RenderedPrompt:
    """What a render made, and which prompt it was made from.

    A method that is called as an API returns the arguments of its client by name, which belong to
    the caller. Keywords replace parameters of the config, and None takes one away; what the API
    cannot take raises a `ProviderError`.

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
        """Return the arguments of ``client.chat.completions.create``, for OpenAI's chat API."""
        from promptstore.providers.openai import openai_chat

        return openai_chat(self._call(overrides))

    def openai_responses(self, **overrides: Any) -> OpenAIResponsesArguments:
        """Return the arguments of ``client.responses.create``, for OpenAI's Responses API."""
        from promptstore.providers.openai import openai_responses

        return openai_responses(self._call(overrides))

    def anthropic(self, **overrides: Any) -> AnthropicArguments:
        """Return the arguments of ``client.messages.create``, for Anthropic's Messages API."""
        from promptstore.providers.anthropic import anthropic

        return anthropic(self._call(overrides))

    def gemini(self, **overrides: Any) -> GeminiArguments:
        """Return the arguments of ``client.models.generate_content``, for Gemini's API."""
        from promptstore.providers.gemini import gemini

        return gemini(self._call(overrides))

    def bedrock(self, **overrides: Any) -> dict[str, Any]:
        """Return the arguments of ``client.converse``, for Amazon Bedrock's Converse API."""
        from promptstore.providers.bedrock import bedrock

        return bedrock(self._call(overrides))

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
        from promptstore.providers.tracing import trace_attributes

        return trace_attributes(
            form,
            name=self.name,
            version=self.version,
            digest=self.digest,
            label=self.label,
            is_fallback=self.is_fallback,
        )

    def _call(self, overrides: Mapping[str, Any]) -> Call:
        from promptstore.providers.parameters import Call

        return Call(deepcopy(self.messages), deepcopy(self.config), overrides)


def _shown(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"[{message.get('role')}]\n{text}"
