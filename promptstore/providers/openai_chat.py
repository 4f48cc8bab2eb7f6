"""The arguments of OpenAI's Chat Completions API, and of the many APIs that speak the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from promptstore.providers.blocks import (
    Block,
    Media,
    PastAudio,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    texts_only,
)
from promptstore.providers.conversation import Turn, read_conversation
from promptstore.providers.parameters import AnswerFormat, Call, Parameters, Tool, ToolChoice

if TYPE_CHECKING:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    OpenAIChatArguments: TypeAlias = CompletionCreateParamsNonStreaming

PROVIDER: Final = "OpenAI's Chat Completions API"
OWN_KEYS: Final = frozenset({"prompt_cache_breakpoint"})
"""Keys of parts that OpenAI's APIs take as they are."""

_PARAMETERS: Final = (
    "audio", "frequency_penalty", "logit_bias", "logprobs", "metadata", "modalities", "n",
    "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning_effort", "safety_identifier", "seed", "service_tier",
    "stop", "store", "temperature", "top_logprobs", "top_p", "user", "verbosity",
    "web_search_options",
)  # fmt: skip
_SOUNDS: Final = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}
_CACHE_TIMES: Final = {"5m": "30m", "1h": "12h"}
"""Anthropic's least times for a cached prefix → the next longer ones of OpenAI."""


def openai_chat(call: Call) -> OpenAIChatArguments:
    """Make the arguments of ``client.chat.completions.create``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters(PROVIDER, "openai", call)
    request: dict[str, Any] = {"model": parameters.take_model()}
    turns = read_conversation(PROVIDER, call.messages, OWN_KEYS)
    request["messages"] = [message for turn in turns for message in _write_turn(turn)]
    request |= parameters.write_tools(_write_tool)
    if choice := parameters.take_tool_choice():
        request |= write_choice(choice, {"function": {"name": choice.name}})
    if answer := parameters.take_answer_format():
        request["response_format"] = _write_format(answer)
    # Many servers that speak this API know the older name alone, so what is written stays.
    length = "max_tokens" if parameters.has("max_tokens") else "max_completion_tokens"
    request |= parameters.take_all(*_PARAMETERS, max_tokens=length)
    return cast("OpenAIChatArguments", request | parameters.finish({"top_k": "use `top_p`"}))


def write_content(
    blocks: Sequence[Block], write_part: Callable[[Block], dict[str, Any]]
) -> str | list[dict[str, Any]]:
    """Write blocks as either of OpenAI's APIs takes them: one plain text as a string.

    Args:
        blocks: The blocks.
        write_part: What writes one of them, without its cache marker.
    """
    parts = [{**write_part(block), **block.own, **_write_cache(block.cache)} for block in blocks]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts or ""


def write_choice(choice: ToolChoice, named: Mapping[str, Any]) -> dict[str, Any]:
    """Write which tool must be called, as either of OpenAI's APIs takes it.

    Args:
        choice: The choice.
        named: How the API names one function.
    """
    written: dict[str, Any] = {} if choice.mode is None else {"tool_choice": choice.mode}
    if choice.mode == "tool":
        written["tool_choice"] = {"type": "function", **named}
    if choice.parallel is not None:
        written["parallel_tool_calls"] = choice.parallel
    return written


def answer_of(provider: str, result: ToolResult) -> Sequence[Block]:
    """Return what a tool answered, with the result's cache marker behind it.

    Raises:
        ProviderError: The tool failed.
    """
    if result.is_error:
        raise result.refuse(provider, "has no mark for a failed tool; say so in the result's text")
    if result.cache is None or not result.content:
        return result.content
    return (*result.content[:-1], replace(result.content[-1], cache=result.cache))


def _write_cache(cache: Mapping[str, Any] | None) -> dict[str, Any]:
    if cache is None:
        return {}
    lifetime = {"ttl": _CACHE_TIMES[cache["ttl"]]} if "ttl" in cache else {}
    return {"prompt_cache_breakpoint": {"mode": "explicit", **lifetime}}


def _write_turn(turn: Turn) -> Iterator[dict[str, Any]]:
    # Answers of tools come before what the user adds to them.
    results = [block for block in turn.blocks if isinstance(block, ToolResult)]
    yield from map(_write_result, results)
    if results and len(results) == len(turn.blocks):
        if turn.name is not None:
            raise results[0].refuse(PROVIDER, "has no `name` beside the result of a tool")
        return
    message: dict[str, Any] = {"role": turn.role, "content": None}
    content: list[Block] = []
    for block in turn.blocks:
        match block:
            case ToolCall():
                message.setdefault("tool_calls", []).append(_write_call(block))
            case PastAudio():
                message["audio"] = {"id": block.id}
            case Refusal() if len(turn.blocks) == 1:
                message["refusal"] = block.text
            case ToolResult():
                pass
            case _:
                content.append(block)
    if content or turn.role != "assistant":
        if turn.role != "user":
            texts_only(PROVIDER, [block for block in content if not isinstance(block, Refusal)])
        message["content"] = write_content(content, _write_part)
    if turn.name is not None:
        message["name"] = turn.name
    yield message


def _write_part(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "text": block.text}
        case Refusal():
            return {"type": "refusal", "refusal": block.text}
        case Media(kind="image", file_id=None):
            detail = {} if block.detail is None else {"detail": block.detail}
            url = block.url or block.as_data_url
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case Media(kind="image"):
            raise block.refuse(PROVIDER, "takes an image by URL or with its data, not by an id")
        case Media(kind="audio"):
            if (sound := _SOUNDS.get(block.media_type or "")) is None:
                raise block.refuse(PROVIDER, f"takes wav and mp3, not {block.media_type}")
            return {"type": "input_audio", "input_audio": {"data": block.data, "format": sound}}
        case Media(kind="document"):
            return {"type": "file", "file": _write_file(block)}
    raise block.refuse_kind(PROVIDER)


def _write_file(document: Media) -> dict[str, Any]:
    document.refuse_extras(PROVIDER)
    if document.url is not None:
        raise document.refuse(PROVIDER, "takes a document by its id or with its data, not by a URL")
    if document.text is not None:
        raise document.refuse(PROVIDER, "takes no document of plain text; write it as a text part")
    name = {} if document.name is None else {"filename": document.name}
    if document.file_id is not None:
        return {**name, "file_id": document.file_id}
    return {**name, "file_data": document.as_data_url}


def _write_call(call: ToolCall) -> dict[str, Any]:
    if call.is_custom:
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call.id, "type": "custom", "custom": custom}
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _write_result(result: ToolResult) -> dict[str, Any]:
    content = write_content(texts_only(PROVIDER, answer_of(PROVIDER, result)), _write_part)
    return {"role": "tool", "tool_call_id": result.call.id, "content": content}


def _write_tool(
    parameters: Parameters, tool: Tool | Mapping[str, Any], index: int
) -> dict[str, Any]:
    if isinstance(tool, Tool):
        return {"type": "function", "function": tool.written("parameters")}
    if tool.get("type") == "custom" and "custom" in tool:
        return dict(tool)
    reason = "has no tools but functions and `custom` ones"
    raise parameters.error(f"tools[{index}]", reason)


def _write_format(answer: AnswerFormat) -> dict[str, Any]:
    if answer.schema is None:
        return {"type": answer.kind}
    return {"type": "json_schema", "json_schema": answer.written()}
