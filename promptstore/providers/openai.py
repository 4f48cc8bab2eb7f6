"""The arguments of OpenAI's APIs: Chat Completions, which many others speak, and Responses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from promptstore.providers.blocks import (
    Block,
    Foreign,
    Media,
    PastAudio,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    arguments_for,
    texts_only,
)
from promptstore.providers.conversation import Turn, read_conversation, refuse_name
from promptstore.providers.parameters import AnswerFormat, Call, Parameters, Tool, ToolChoice

if TYPE_CHECKING:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

    OpenAIChatArguments: TypeAlias = CompletionCreateParamsNonStreaming
    OpenAIResponsesArguments: TypeAlias = ResponseCreateParamsNonStreaming

_OWN_KEYS: Final = frozenset({"prompt_cache_breakpoint"})
"""Keys of parts that OpenAI's APIs take as they are."""

_CHAT_PARAMETERS: Final = (
    "audio", "frequency_penalty", "logit_bias", "logprobs", "metadata", "modalities", "n",
    "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning_effort", "safety_identifier", "seed", "service_tier",
    "stop", "store", "temperature", "top_logprobs", "top_p", "user", "verbosity",
    "web_search_options",
)  # fmt: skip
_SOUNDS: Final = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}
_CACHE_TIMES: Final = {"5m": "30m", "1h": "12h"}
"""Anthropic's least times for a cached prefix → the next longer ones of OpenAI."""
_RESPONSES_PARAMETERS: Final = (
    "background", "conversation", "include", "max_tool_calls", "metadata", "previous_response_id",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
    "service_tier", "store", "temperature", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
_ADVICE: Final = {"top_k": "use `top_p`"} | dict.fromkeys(
    ("stop", "stop_sequences", "seed", "frequency_penalty", "presence_penalty", "n", "logit_bias",
     "logprobs", "prediction", "modalities"),
    "the Chat Completions API has it",
)  # fmt: skip
_OWN_PARTS: Final = ("input_text", "input_image", "input_file")
_TOOL_KEYS: Final = frozenset({"allowed_callers", "async", "defer_loading", "output_schema"})
_ANTHROPIC_TOOL: Final = re.compile(r".*_\d{8}")


@arguments_for("OpenAI's Chat Completions API")
def openai_chat(call: Call) -> OpenAIChatArguments:
    """Make the arguments of ``client.chat.completions.create``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters("openai", call)
    request: dict[str, Any] = {"model": parameters.take_model()}
    turns = read_conversation(call.messages, _OWN_KEYS)
    request["messages"] = [message for turn in turns for message in _chat_turn(turn)]
    request |= parameters.write_tools(_chat_tool)
    if choice := parameters.take_tool_choice():
        request |= _write_choice(choice, {"function": {"name": choice.name}})
    if answer := parameters.take_answer_format():
        request["response_format"] = _write_format(answer, {"json_schema": answer.written()})
    # Many servers that speak this API know the older name alone, so what is written stays.
    length = "max_tokens" if parameters.has("max_tokens") else "max_completion_tokens"
    request |= parameters.take_all(*_CHAT_PARAMETERS, max_tokens=length)
    return cast("OpenAIChatArguments", request | parameters.finish({"top_k": "use `top_p`"}))


def _write_content(
    blocks: Sequence[Block], write_part: Callable[[Block], dict[str, Any]]
) -> str | list[dict[str, Any]]:
    """Write blocks: one plain text as a string, and cache markers behind parts."""
    parts = [{**write_part(block), **block.own, **_write_cache(block.cache)} for block in blocks]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts or ""


def _write_choice(choice: ToolChoice, named: Mapping[str, Any]) -> dict[str, Any]:
    """Write which tool must be called; the two APIs differ in how they name a function."""
    written: dict[str, Any] = {} if choice.mode is None else {"tool_choice": choice.mode}
    if choice.mode == "tool":
        written["tool_choice"] = {"type": "function", **named}
    if choice.parallel is not None:
        written["parallel_tool_calls"] = choice.parallel
    return written


def _answer_of(result: ToolResult) -> Sequence[Block]:
    """Return what a tool answered, with the result's cache marker behind it."""
    if result.is_error:
        raise result.refuse("has no mark for a failed tool; say so in the result's text")
    if result.cache is None or not result.content:
        return result.content
    return (*result.content[:-1], replace(result.content[-1], cache=result.cache))


def _write_cache(cache: Mapping[str, Any] | None) -> dict[str, Any]:
    if cache is None:
        return {}
    lifetime = {"ttl": _CACHE_TIMES[cache["ttl"]]} if "ttl" in cache else {}
    return {"prompt_cache_breakpoint": {"mode": "explicit", **lifetime}}


def _write_format(answer: AnswerFormat, named: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": answer.kind, **({} if answer.schema is None else named)}


def _chat_turn(turn: Turn) -> Iterator[dict[str, Any]]:
    # Answers of tools come before what the user adds to them.
    results = [block for block in turn.blocks if isinstance(block, ToolResult)]
    yield from map(_chat_result, results)
    if results and len(results) == len(turn.blocks):
        if turn.name is not None:
            raise results[0].refuse("has no `name` beside the result of a tool")
        return
    message: dict[str, Any] = {"role": turn.role, "content": None}
    content: list[Block] = []
    for block in turn.blocks:
        match block:
            case ToolCall():
                message.setdefault("tool_calls", []).append(_chat_call(block))
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
            texts_only([block for block in content if not isinstance(block, Refusal)])
        message["content"] = _write_content(content, _chat_part)
    if turn.name is not None:
        message["name"] = turn.name
    yield message


def _chat_part(block: Block) -> dict[str, Any]:
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
            raise block.refuse("takes an image by URL or with its data, not by an id")
        case Media(kind="audio"):
            if (sound := _SOUNDS.get(block.media_type or "")) is None:
                raise block.refuse(f"takes wav and mp3, not {block.media_type}")
            return {"type": "input_audio", "input_audio": {"data": block.data, "format": sound}}
        case Media(kind="document"):
            return {"type": "file", "file": _chat_file(block)}
    raise block.refuse_kind()


def _chat_file(document: Media) -> dict[str, Any]:
    document.refuse_extras()
    if document.url is not None:
        raise document.refuse("takes a document by its id or with its data, not by a URL")
    if document.text is not None:
        raise document.refuse("takes no document of plain text; write it as a text part")
    name = {} if document.name is None else {"filename": document.name}
    if document.file_id is not None:
        return {**name, "file_id": document.file_id}
    return {**name, "file_data": document.as_data_url}


def _chat_call(call: ToolCall) -> dict[str, Any]:
    if call.is_custom:
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call.id, "type": "custom", "custom": custom}
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _chat_result(result: ToolResult) -> dict[str, Any]:
    content = _write_content(texts_only(_answer_of(result)), _chat_part)
    return {"role": "tool", "tool_call_id": result.call.id, "content": content}


def _chat_tool(
    parameters: Parameters, tool: Tool | Mapping[str, Any], index: int
) -> dict[str, Any]:
    if isinstance(tool, Tool):
        return {"type": "function", "function": tool.written("parameters")}
    if tool.get("type") == "custom" and "custom" in tool:
        return dict(tool)
    reason = "has no tools but functions and `custom` ones"
    raise parameters.error(f"tools[{index}]", reason)


@arguments_for("OpenAI's Responses API")
def openai_responses(call: Call) -> OpenAIResponsesArguments:
    """Make the arguments of ``client.responses.create``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters("openai", call)
    request: dict[str, Any] = {"model": parameters.take_model()}
    turns = read_conversation(call.messages, _OWN_KEYS)
    request["input"] = [item for turn in turns for item in _response_turn(turn)]
    request |= parameters.write_tools(_response_tool, _TOOL_KEYS)
    if choice := parameters.take_tool_choice():
        request |= _write_choice(choice, {"name": choice.name})
    if text := _take_text(parameters):
        request["text"] = text
    if reasoning := _take_reasoning(parameters):
        request["reasoning"] = reasoning
    request |= parameters.take_all(*_RESPONSES_PARAMETERS, max_tokens="max_output_tokens")
    return cast("OpenAIResponsesArguments", request | parameters.finish(_ADVICE))


def _take_text(parameters: Parameters) -> dict[str, Any]:
    text: dict[str, Any] = dict(parameters.take("text") or {})
    if answer := parameters.take_answer_format():
        text["format"] = _write_format(answer, answer.written())
    return text | parameters.take_all("verbosity")


def _take_reasoning(parameters: Parameters) -> dict[str, Any]:
    reasoning: dict[str, Any] = dict(parameters.take("reasoning") or {})
    return reasoning | parameters.take_all(reasoning_effort="effort")


def _response_turn(turn: Turn) -> Iterator[dict[str, Any]]:
    refuse_name(turn)
    said: list[Block] = []
    for block in turn.blocks:
        if isinstance(block, ToolCall | ToolResult):
            yield from _response_message(turn, said)
            said = []
            yield _response_call(block) if isinstance(block, ToolCall) else _response_result(block)
        else:
            said.append(block)
    yield from _response_message(turn, said)


def _response_message(turn: Turn, blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    if turn.role == "assistant":
        # What the model said comes as a string; parts are for what it is given.
        for block in texts_only(blocks):
            yield {"role": "assistant", "content": block.text}
    elif blocks or not turn.blocks:
        yield {"role": turn.role, "content": _write_content(blocks, _response_part)}


def _response_part(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "input_text", "text": block.text}
        case Media(kind="image"):
            image = {"type": "input_image", "detail": block.detail or "auto"}
            if block.file_id is not None:
                return {**image, "file_id": block.file_id}
            return {**image, "image_url": block.url or block.as_data_url}
        case Media(kind="document"):
            return _response_file(block)
        case Media():
            raise block.refuse("takes no sound; the Chat Completions API does")
        case Foreign() if block.kind in _OWN_PARTS:
            return dict(block.part)
    raise block.refuse_kind()


def _response_file(document: Media) -> dict[str, Any]:
    document.refuse_extras()
    if document.text is not None:
        raise document.refuse("takes no document of plain text; write it as a text part")
    file = {"type": "input_file"} | ({} if document.name is None else {"filename": document.name})
    if document.file_id is not None:
        return {**file, "file_id": document.file_id}
    if document.url is not None:
        return {**file, "file_url": document.url}
    return {**file, "file_data": document.as_data_url}


def _response_call(call: ToolCall) -> dict[str, Any]:
    written = {"call_id": call.id, "name": call.name}
    if call.is_custom:
        return {"type": "custom_tool_call", **written, "input": call.arguments}
    return {"type": "function_call", **written, "arguments": call.arguments}


def _response_result(result: ToolResult) -> dict[str, Any]:
    kind = "custom_tool_call_output" if result.call.is_custom else "function_call_output"
    return {
        "type": kind,
        "call_id": result.call.id,
        "output": _write_content(_answer_of(result), _response_part),
    }


def _response_tool(
    parameters: Parameters, tool: Tool | Mapping[str, Any], index: int
) -> dict[str, Any]:
    if isinstance(tool, Tool):
        # Left out, strict would be true here, and false in the Chat Completions API.
        return {"type": "function", "strict": False, **tool.written("parameters")}
    kind = str(tool.get("type"))
    if _ANTHROPIC_TOOL.fullmatch(kind) or "type" not in tool:
        raise parameters.error(f"tools[{index}]", f"has no tool of the type {kind!r}")
    if "custom" in tool:
        raise parameters.error(f"tools[{index}]", "takes the keys of `custom` beside its `type`")
    return dict(tool)
