"""The arguments of OpenAI's Chat Completions API, and of the many APIs that speak the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from promptstore.providers.conversation import (
    Block,
    Foreign,
    Media,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    read_conversation,
)
from promptstore.providers.parameters import AnswerFormat, Parameters, Tool, ToolChoice, ToolList

if TYPE_CHECKING:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

PROVIDER: Final = "OpenAI's Chat Completions API"

_SAME: Final = (
    "audio", "frequency_penalty", "logit_bias", "logprobs", "metadata", "modalities", "n",
    "prediction", "presence_penalty",
    "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "seed", "service_tier",
    "stop", "store", "temperature", "top_logprobs", "top_p", "user", "verbosity",
    "web_search_options",
)  # fmt: skip
_NAMES: Final = {**{name: name for name in _SAME}, "effort": "reasoning_effort"}
_REFUSED: Final = {"top_k": "has no `top_k`; use `top_p`"}
_CACHE_TIMES: Final = {"5m": "30m", "1h": "12h"}
"""Anthropic's least times for a cached prefix → the next longer ones of OpenAI."""


def openai_chat(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> CompletionCreateParamsNonStreaming:
    """Make the arguments of ``client.chat.completions.create``.

    Args:
        messages: The rendered messages.
        config: The prompt's config.
        overrides: Parameters of this call, which replace those of the config.

    Returns:
        The arguments by name.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters(PROVIDER, "openai", config, overrides)
    request: dict[str, Any] = {"model": parameters.take_model()}
    request["messages"] = [
        message for turn in read_conversation(PROVIDER, messages) for message in _write_turn(turn)
    ]
    if tools := parameters.take_tools():
        request["tools"] = _write_tools(parameters, tools)
    if choice := parameters.take_tool_choice():
        request |= _write_choice(choice)
    if answer := parameters.take_answer_format():
        request["response_format"] = _write_format(answer)
    request |= _take_length(parameters) | parameters.take_all(_NAMES)
    return cast("CompletionCreateParamsNonStreaming", request | parameters.finish(_REFUSED))


def _take_length(parameters: Parameters) -> dict[str, Any]:
    # Many servers that speak this API know the older name alone, so what is written stays.
    name = "max_tokens" if parameters.has("max_tokens") else "max_completion_tokens"
    length = parameters.take("max_tokens")
    return {} if length is None else {name: length}


def _write_turn(turn: Turn) -> Iterable[dict[str, Any]]:
    results = [block for block in turn.blocks if isinstance(block, ToolResult)]
    if results and len(results) == len(turn.blocks):
        yield from map(_write_result, results)
        return
    if results:
        # Answers of tools come before what the user adds to them.
        yield from map(_write_result, results)
    calls = [block for block in turn.blocks if isinstance(block, ToolCall)]
    refusals = [block for block in turn.blocks if isinstance(block, Refusal)]
    said = [b for b in turn.blocks if not isinstance(b, ToolCall | ToolResult | Refusal)]
    audio = [b for b in said if isinstance(b, Foreign) and b.path.endswith(".audio")]
    content = [block for block in said if block not in audio]
    message: dict[str, Any] = {"role": turn.role}
    if content or not (calls or refusals or audio):
        message["content"] = _write_content(content)
    elif turn.role == "assistant":
        message["content"] = None
    if turn.name is not None:
        message["name"] = turn.name
    if refusals:
        message["refusal"] = "".join(block.text for block in refusals)
    if calls:
        message["tool_calls"] = [_write_call(call) for call in calls]
    for block in audio:
        message["audio"] = {"id": block.part["id"]}
    yield message


def _write_content(blocks: Sequence[Block]) -> str | list[dict[str, Any]]:
    if not blocks:
        return ""
    first = blocks[0]
    if len(blocks) == 1 and isinstance(first, Text) and first.cache is None:
        return first.text
    return [_write_part(block) for block in blocks]


def _write_part(block: Block) -> dict[str, Any]:
    part = _write_block(block)
    return part if block.cache is None else {**part, **cache_breakpoint(block.cache)}


def cache_breakpoint(cache: Mapping[str, Any]) -> dict[str, Any]:
    """Write a cache marker as OpenAI's APIs take it."""
    lifetime = _CACHE_TIMES.get(cache.get("ttl", ""))
    marker = {"mode": "explicit"} | ({"ttl": lifetime} if lifetime else {})
    return {"prompt_cache_breakpoint": marker}


def _write_block(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "text": block.text}
        case Media(kind="image"):
            return {"type": "image_url", "image_url": _write_image(block)}
        case Media(kind="audio", data=str()):
            form = (block.media_type or "").removeprefix("audio/")
            return {"type": "input_audio", "input_audio": {"data": block.data, "format": form}}
        case Media(kind="document"):
            return {"type": "file", "file": _write_file(block)}
        case Foreign():
            raise block.refuse(PROVIDER, f"has no part of the type {block.part.get('type')!r}")
    raise block.refuse(PROVIDER, "cannot take this part")


def _write_image(image: Media) -> dict[str, Any]:
    if image.file_id is not None:
        raise image.refuse(
            PROVIDER, "takes an image by URL or with its data, not by the id of a file"
        )
    url = image.url or image.as_data_url
    return {"url": url} if image.detail is None else {"url": url, "detail": image.detail}


def _write_file(document: Media) -> dict[str, Any]:
    if document.url is not None:
        raise document.refuse(PROVIDER, "takes a document by its id or with its data, not by a URL")
    if document.text is not None:
        raise document.refuse(PROVIDER, "takes no document of plain text; write it as a text part")
    if document.context is not None:
        raise document.refuse(PROVIDER, "has no place for the `context` of a document")
    file: dict[str, Any] = {} if document.name is None else {"filename": document.name}
    if document.file_id is not None:
        return {**file, "file_id": document.file_id}
    return {**file, "file_data": document.as_data_url}


def _write_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _write_result(result: ToolResult) -> dict[str, Any]:
    if result.is_error:
        raise result.refuse(PROVIDER, "has no mark for a failed tool; say so in the result's text")
    for block in result.content:
        if not isinstance(block, Text):
            raise block.refuse(PROVIDER, "takes nothing but text as the result of a tool")
    content = _write_content(result.content)
    return {"role": "tool", "tool_call_id": result.call_id, "content": content}


def _write_tools(parameters: Parameters, tools: ToolList) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        if isinstance(tool, Tool):
            function: dict[str, Any] = {"name": tool.name, "parameters": dict(tool.schema)}
            if tool.description is not None:
                function["description"] = tool.description
            if tool.strict is not None:
                function["strict"] = tool.strict
            written.append({"type": "function", "function": function})
        elif tool.get("type") == "custom":
            written.append(dict(tool))
        else:
            raise parameters.error(
                f"tools[{index}]", f"has no tool of the type {tool.get('type')!r}, only functions"
            )
    return written


def _write_choice(choice: ToolChoice) -> dict[str, Any]:
    written: dict[str, Any] = {} if choice.mode is None else {"tool_choice": choice.mode}
    if choice.mode == "tool":
        written["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    if choice.parallel is not None:
        written["parallel_tool_calls"] = choice.parallel
    return written


def _write_format(answer: AnswerFormat) -> dict[str, Any]:
    if answer.schema is None:
        return {"type": answer.kind}
    return {"type": "json_schema", "json_schema": write_schema(answer)}


def write_schema(answer: AnswerFormat) -> dict[str, Any]:
    """Write the schema of an answer with its name, as both of OpenAI's APIs take it."""
    written: dict[str, Any] = {"name": answer.name, "schema": dict(answer.schema or {})}
    if answer.description is not None:
        written["description"] = answer.description
    if answer.strict is not None:
        written["strict"] = answer.strict
    return written
