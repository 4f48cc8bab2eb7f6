"""Prompts of a store as prompts of the protocol."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal

from mcp import types

from promptstore.errors import (
    IncludeError,
    InvalidArgumentError,
    PromptFileError,
    TemplateSyntaxError,
)
from promptstore.mcp.access import Access, page
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import signature
from promptstore.model.variables import Variable, read_value
from promptstore.store.store import PromptStore

META: Final = "promptstore/"
"""What the keys of our own facts in a ``_meta`` begin with."""

_log = logging.getLogger("promptstore.mcp")
_JSON_TYPES: Final = frozenset({"array", "object", "messages", "any"})
_MAX_VALUES: Final = 100
"""How many values the protocol lets one completion have."""


def list_prompts(
    access: Access, params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    """List the prompts that can be rendered, a page at a time."""
    snapshot = access.store.snapshot()
    names, following = page(snapshot.names(), params, str)
    shown: list[types.Prompt] = []
    for name in names:
        try:
            prompt = snapshot.read(name, deleted=True)
            shown += [] if prompt.deleted else [_listed(prompt)]
        except (PromptFileError, TemplateSyntaxError, IncludeError) as error:
            _log.warning("the prompt %s is not listed: %s", name, error)
    return types.ListPromptsResult(prompts=shown, next_cursor=following)


def get_prompt(access: Access, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    """Render a prompt with arguments: a string as it is, JSON for a variable of any other type.

    There are two roles in the protocol, so the messages of the system, of developers and of tools
    are the user's; the ``_meta`` of their content has the role.

    Raises:
        PromptStoreError: As for `PromptStore.render`.
    """
    prompt = access.store.get(params.name)
    rendered = prompt.render(_read_arguments(prompt, params.arguments or {}))
    facts = {
        "name": rendered.name,
        "version": rendered.version,
        "commit": rendered.commit,
        "digest": rendered.digest,
        "config": rendered.config,
    }
    return types.GetPromptResult(
        description=prompt.description,
        messages=[found for message in rendered.messages for found in _messages(message)],
        _meta={META + key: value for key, value in facts.items() if value},
    )


def complete_argument(store: PromptStore, name: str, argument: str, typed: str) -> types.Completion:
    """Complete the value of an argument: one of its enum, or true and false."""
    variable = _variables(store.get(name)).get(argument, Variable())
    choices: Sequence[Any] = variable.enum or ()
    if variable.type == "boolean" and not choices:
        choices = (True, False)
    return completion([_written(variable, choice) for choice in choices], typed)


def completion(choices: Sequence[str], typed: str) -> types.Completion:
    """Return those of some values that begin like what was typed."""
    found = [choice for choice in choices if choice.startswith(typed)]
    return types.Completion(
        values=found[:_MAX_VALUES], total=len(found), has_more=len(found) > _MAX_VALUES
    )


def _read_arguments(prompt: Prompt, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that strings stand for.

    A form sends an empty string for what nobody filled in. Where that can be no value, it is none.
    """
    variables = _variables(prompt)
    values: dict[str, Any] = {}
    for key, text in arguments.items():
        variable = variables.get(key, Variable(type="string"))
        can_be_empty = variable.type in ("string", "any") and "" in (variable.enum or ("",))
        if text or can_be_empty:
            values[key] = text
            with suppress(InvalidArgumentError):  # the render tells of all that do not fit
                values[key] = read_value(key, text, variable)
    return values


def _listed(prompt: Prompt) -> types.Prompt:
    required = signature(prompt).required
    return types.Prompt(
        name=prompt.name or "",
        description=prompt.description,
        arguments=[
            types.PromptArgument(
                name=name, description=_described(variable) or None, required=name in required
            )
            for name, variable in _variables(prompt).items()
        ],
    )


def _variables(prompt: Prompt) -> Mapping[str, Variable]:
    """Return what a render takes; what nobody declared is a string here, as arguments are."""
    undeclared = Variable(type="string")
    contract = prompt.contract
    return {name: contract.get(name, undeclared) for name in signature(prompt).variables}


def _described(variable: Variable) -> str:
    facts = []
    if variable.type != "string":
        facts.append(variable.type + (", as JSON" if variable.type in _JSON_TYPES else ""))
    if variable.enum:
        choices = (_written(variable, choice) for choice in variable.enum)
        facts.append(f"one of {', '.join(choices)}")
    if variable.has_default:
        facts.append(f"default {json.dumps(variable.default, ensure_ascii=False)}")
    described = (variable.description or "").strip()
    return f"{described} ({'; '.join(facts)})".strip() if facts else described


def _written(variable: Variable, value: Any) -> str:
    """Return the string that stands for a value."""
    if variable.type == "string":
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _messages(message: Mapping[str, Any]) -> Iterator[types.PromptMessage]:
    """Yield a message of a chat API as messages of the protocol, which have one content each."""
    own_role = str(message["role"])
    role: Literal["user", "assistant"] = "assistant" if own_role == "assistant" else "user"
    rest = {key: value for key, value in message.items() if key not in ("role", "content")}
    facts = rest if role == own_role else {"role": own_role, **rest}
    meta = {META + key: value for key, value in facts.items()} or None
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    blocks = [_block(part, meta) for part in parts]
    if rest.keys() & {"tool_calls", "refusal"}:
        blocks.append(types.TextContent(text=json.dumps(rest, ensure_ascii=False), _meta=meta))
    for block in blocks:
        yield types.PromptMessage(role=role, content=block)


def _block(part: Mapping[str, Any], meta: dict[str, Any] | None) -> types.ContentBlock:
    match part:
        case {"type": "text", "text": str(text)}:
            return types.TextContent(text=text, _meta=meta)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            head, _, data = url.removeprefix("data:").partition(";base64,")
            if url.startswith("data:") and data:
                return types.ImageContent(data=data, mime_type=head, _meta=meta)
            return types.ResourceLink(name="image", uri=url, _meta=meta)
        case {"type": "image", "source": {"data": str(data), "media_type": str(kind)}}:
            return types.ImageContent(data=data, mime_type=kind, _meta=meta)
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(kind)}}:
            return types.AudioContent(data=data, mime_type=f"audio/{kind}", _meta=meta)
    return types.TextContent(text=json.dumps(part, ensure_ascii=False), _meta=meta)
