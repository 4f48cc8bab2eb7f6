"""The arguments of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from promptstore.errors import ProviderError
from promptstore.providers.conversation import (
    Block,
    Foreign,
    Media,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    read_conversation,
    refuse_names,
)
from promptstore.providers.openai_chat import cache_breakpoint, write_schema
from promptstore.providers.parameters import AnswerFormat, Parameters, Tool, ToolChoice

if TYPE_CHECKING:
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

PROVIDER: Final = "OpenAI's Responses API"

_SAME: Final = (
    "background", "conversation", "include", "max_tool_calls", "metadata", "previous_response_id",
    "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store",
    "temperature", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
_NAMES: Final = {**{name: name for name in _SAME}, "max_tokens": "max_output_tokens"}
_REFUSED: Final = {
    name: f"has no `{name}`; the Chat Completions API has"
    for name in ("stop", "stop_sequences", "seed", "frequency_penalty", "presence_penalty", "n",
                 "logit_bias", "logprobs", "prediction", "modalities")
} | {"top_k": "has no `top_k`; use `top_p`"}  # fmt: skip


def openai_responses(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> ResponseCreateParamsNonStreaming:
    """Make the arguments of ``client.responses.create``.

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
    turns = read_conversation(PROVIDER, messages)
    refuse_names(PROVIDER, turns)
    request["input"] = [item for turn in turns for item in _write_turn(turn)]
    if tools := parameters.take_tools():
        request["tools"] = [_write_tool(tool) for tool in tools]
    if choice := parameters.take_tool_choice():
        request |= _write_choice(choice)
    if text := _take_text(parameters):
        request["text"] = text
    if reasoning := _take_reasoning(parameters):
        request["reasoning"] = reasoning
    request |= parameters.take_all(_NAMES)
    return cast("ResponseCreateParamsNonStreaming", request | parameters.finish(_REFUSED))


def _take_text(parameters: Parameters) -> dict[str, Any]:
    text: dict[str, Any] = dict(parameters.take("text") or {})
    answer, verbosity = parameters.take_answer_format(), parameters.take("verbosity")
    if answer is not None:
        text["format"] = _write_format(answer)
    if verbosity is not None:
        text["verbosity"] = verbosity
    return text


def _take_reasoning(parameters: Parameters) -> dict[str, Any]:
    reasoning: dict[str, Any] = dict(parameters.take("reasoning") or {})
    effort = parameters.take("effort")
    return reasoning if effort is None else {**reasoning, "effort": effort}


def _write_turn(turn: Turn) -> Iterable[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    for block in turn.blocks:
        if isinstance(block, ToolCall | ToolResult):
            yield from _write_message(turn, said)
            said = []
            yield _write_call(block) if isinstance(block, ToolCall) else _write_result(block)
        else:
            said.append(_write_part(block))
    yield from _write_message(turn, said)


def _write_message(turn: Turn, parts: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    if turn.role == "assistant":
        # What the model said comes as a text; parts are for what it is given.
        for part in parts:
            if part["type"] != "input_text":
                raise ProviderError(
                    provider=PROVIDER, path=turn.path, reason="takes only text from the assistant"
                )
            yield {"role": "assistant", "content": part["text"]}
    elif len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        yield {"role": turn.role, "content": parts[0]["text"]}
    elif parts or not turn.blocks:
        yield {"role": turn.role, "content": parts or ""}


def _write_part(block: Block) -> dict[str, Any]:
    part = _write_block(block)
    return part if block.cache is None else {**part, **cache_breakpoint(block.cache)}


def _write_block(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "input_text", "text": block.text}
        case Media(kind="image"):
            image = {"type": "input_image", "detail": block.detail or "auto"}
            if block.file_id is not None:
                return {**image, "file_id": block.file_id}
            return {**image, "image_url": block.url or block.as_data_url}
        case Media(kind="document"):
            return _write_file(block)
        case Media(kind="audio"):
            raise block.refuse(PROVIDER, "takes no sound; the Chat Completions API does")
        case Foreign():
            raise block.refuse(PROVIDER, f"has no part of the type {block.part.get('type')!r}")
    raise block.refuse(PROVIDER, "takes no refusal of an earlier answer without that answer's id")


def _write_file(document: Media) -> dict[str, Any]:
    if document.text is not None:
        raise document.refuse(PROVIDER, "takes no document of plain text; write it as a text part")
    if document.context is not None:
        raise document.refuse(PROVIDER, "has no place for the `context` of a document")
    file: dict[str, Any] = {"type": "input_file"}
    if document.name is not None:
        file["filename"] = document.name
    if document.file_id is not None:
        return {**file, "file_id": document.file_id}
    if document.url is not None:
        return {**file, "file_url": document.url}
    return {**file, "file_data": document.as_data_url}


def _write_call(call: ToolCall) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _write_result(result: ToolResult) -> dict[str, Any]:
    if result.is_error:
        raise result.refuse(PROVIDER, "has no mark for a failed tool; say so in the result's text")
    parts = [_write_part(block) for block in result.content]
    output: str | list[dict[str, Any]] = parts
    if not parts:
        output = ""
    elif len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        output = parts[0]["text"]
    return {"type": "function_call_output", "call_id": result.call_id, "output": output}


def _write_tool(tool: Tool | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(tool, Tool):
        return dict(tool)
    written: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    # Left out it would be true here, and false in the Chat Completions API.
    return {**written, "parameters": dict(tool.schema), "strict": bool(tool.strict)}


def _write_choice(choice: ToolChoice) -> dict[str, Any]:
    written: dict[str, Any] = {} if choice.mode is None else {"tool_choice": choice.mode}
    if choice.mode == "tool":
        written["tool_choice"] = {"type": "function", "name": choice.name}
    if choice.parallel is not None:
        written["parallel_tool_calls"] = choice.parallel
    return written


def _write_format(answer: AnswerFormat) -> dict[str, Any]:
    if answer.schema is None:
        return {"type": answer.kind}
    return {"type": "json_schema", **write_schema(answer)}
