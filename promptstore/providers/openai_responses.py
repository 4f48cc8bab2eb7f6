"""The arguments of OpenAI's Responses API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from promptstore.providers.blocks import (
    Block,
    Foreign,
    Media,
    Text,
    ToolCall,
    ToolResult,
    texts_only,
)
from promptstore.providers.conversation import Turn, read_conversation, refuse_name
from promptstore.providers.openai_chat import OWN_KEYS, answer_of, write_choice, write_content
from promptstore.providers.parameters import AnswerFormat, Call, Parameters, Tool

if TYPE_CHECKING:
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

    OpenAIResponsesArguments: TypeAlias = ResponseCreateParamsNonStreaming

PROVIDER: Final = "OpenAI's Responses API"

_PARAMETERS: Final = (
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


def openai_responses(call: Call) -> OpenAIResponsesArguments:
    """Make the arguments of ``client.responses.create``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters(PROVIDER, "openai", call)
    request: dict[str, Any] = {"model": parameters.take_model()}
    turns = read_conversation(PROVIDER, call.messages, OWN_KEYS)
    request["input"] = [item for turn in turns for item in _write_turn(turn)]
    request |= parameters.write_tools(_write_tool, _TOOL_KEYS)
    if choice := parameters.take_tool_choice():
        request |= write_choice(choice, {"name": choice.name})
    if text := _take_text(parameters):
        request["text"] = text
    if reasoning := _take_reasoning(parameters):
        request["reasoning"] = reasoning
    request |= parameters.take_all(*_PARAMETERS, max_tokens="max_output_tokens")
    return cast("OpenAIResponsesArguments", request | parameters.finish(_ADVICE))


def _take_text(parameters: Parameters) -> dict[str, Any]:
    text: dict[str, Any] = dict(parameters.take("text") or {})
    if answer := parameters.take_answer_format():
        text["format"] = _write_format(answer)
    return text | parameters.take_all("verbosity")


def _take_reasoning(parameters: Parameters) -> dict[str, Any]:
    reasoning: dict[str, Any] = dict(parameters.take("reasoning") or {})
    return reasoning | parameters.take_all(reasoning_effort="effort")


def _write_turn(turn: Turn) -> Iterator[dict[str, Any]]:
    refuse_name(PROVIDER, turn)
    said: list[Block] = []
    for block in turn.blocks:
        if isinstance(block, ToolCall | ToolResult):
            yield from _write_message(turn, said)
            said = []
            yield _write_call(block) if isinstance(block, ToolCall) else _write_result(block)
        else:
            said.append(block)
    yield from _write_message(turn, said)


def _write_message(turn: Turn, blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    if turn.role == "assistant":
        # What the model said comes as a string; parts are for what it is given.
        for block in texts_only(PROVIDER, blocks):
            yield {"role": "assistant", "content": block.text}
    elif blocks or not turn.blocks:
        yield {"role": turn.role, "content": write_content(blocks, _write_part)}


def _write_part(block: Block) -> dict[str, Any]:
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
        case Media():
            raise block.refuse(PROVIDER, "takes no sound; the Chat Completions API does")
        case Foreign() if block.kind in _OWN_PARTS:
            return dict(block.part)
    raise block.refuse_kind(PROVIDER)


def _write_file(document: Media) -> dict[str, Any]:
    document.refuse_extras(PROVIDER)
    if document.text is not None:
        raise document.refuse(PROVIDER, "takes no document of plain text; write it as a text part")
    file = {"type": "input_file"} | ({} if document.name is None else {"filename": document.name})
    if document.file_id is not None:
        return {**file, "file_id": document.file_id}
    if document.url is not None:
        return {**file, "file_url": document.url}
    return {**file, "file_data": document.as_data_url}


def _write_call(call: ToolCall) -> dict[str, Any]:
    written = {"call_id": call.id, "name": call.name}
    if call.is_custom:
        return {"type": "custom_tool_call", **written, "input": call.arguments}
    return {"type": "function_call", **written, "arguments": call.arguments}


def _write_result(result: ToolResult) -> dict[str, Any]:
    kind = "custom_tool_call_output" if result.call.is_custom else "function_call_output"
    return {
        "type": kind,
        "call_id": result.call.id,
        "output": write_content(answer_of(PROVIDER, result), _write_part),
    }


def _write_tool(
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


def _write_format(answer: AnswerFormat) -> dict[str, Any]:
    if answer.schema is None:
        return {"type": answer.kind}
    return {"type": "json_schema", **answer.written()}
