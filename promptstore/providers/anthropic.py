"""The arguments of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from promptstore.errors import ProviderError
from promptstore.providers.conversation import (
    Block,
    Foreign,
    Media,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    merge_turns,
    read_conversation,
    refuse_names,
    split_system,
)
from promptstore.providers.parameters import Parameters, Tool, ToolChoice

if TYPE_CHECKING:
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

    class AnthropicArguments(MessageCreateParamsNonStreaming, total=False):
        """The arguments of ``client.messages.create``."""

        extra_body: object


PROVIDER: Final = "Anthropic's Messages API"

_NAMES: Final = {
    "max_tokens": "max_tokens", "thinking": "thinking", "service_tier": "service_tier",
    "container": "container",
}  # fmt: skip
_UNTYPED: Final = {name: name for name in ("temperature", "top_p", "top_k")}
"""What older models take and the SDK's arguments no longer name."""

_OWN_PARTS: Final = frozenset({
    "thinking", "redacted_thinking", "search_result", "server_tool_use", "container_upload",
    "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
    "bash_code_execution_tool_result", "text_editor_code_execution_tool_result",
})  # fmt: skip
_REFUSED: Final = {
    name: f"has no `{name}`"
    for name in ("seed", "frequency_penalty", "presence_penalty", "n", "logit_bias", "logprobs",
                 "top_logprobs", "prediction", "modalities", "store", "verbosity")
}  # fmt: skip
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


def anthropic(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> AnthropicArguments:
    """Make the arguments of ``client.messages.create``.

    Args:
        messages: The rendered messages.
        config: The prompt's config.
        overrides: Parameters of this call, which replace those of the config.

    Returns:
        The arguments by name.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters(PROVIDER, "anthropic", config, overrides)
    request: dict[str, Any] = {"model": parameters.take_model()}
    turns = merge_turns(read_conversation(PROVIDER, messages))
    instructions, turns = split_system(turns)
    if instructions:
        request["system"] = _write_content(instructions)
    if not turns:
        raise ProviderError(
            provider=PROVIDER,
            path="messages",
            reason="needs a message of the user, and none is here",
        )
    refuse_names(PROVIDER, turns)
    request["messages"] = [
        {
            "role": "system" if turn.role == "developer" else turn.role,
            "content": _write_content(turn.blocks),
        }
        for turn in turns
    ]
    if tools := parameters.take_tools():
        request["tools"] = [_write_tool(tool) for tool in tools]
    if choice := parameters.take_tool_choice():
        request["tool_choice"] = _write_choice(choice)
    if output := _take_output(parameters):
        request["output_config"] = output
    if metadata := _take_metadata(parameters):
        request["metadata"] = metadata
    if stop := parameters.take_stop():
        request["stop_sequences"] = stop
    request |= parameters.take_all(_NAMES)
    if untyped := parameters.take_all(_UNTYPED):
        request["extra_body"] = untyped
    request |= parameters.finish(_REFUSED)
    if "max_tokens" not in request:
        raise parameters.error(
            "max_tokens", "needs it; add it to the prompt's config, or pass `max_tokens=`"
        )
    return cast("AnthropicArguments", request)


def _take_output(parameters: Parameters) -> dict[str, Any]:
    output: dict[str, Any] = {}
    answer, effort = parameters.take_answer_format(), parameters.take("effort")
    if answer is not None and answer.kind == "json_object":
        raise parameters.error(
            "response_format", "has no `json_object`; give a schema with `json_schema`"
        )
    if answer is not None and answer.schema is not None:
        # The schema's name is only a title that OpenAI asks for.
        output["format"] = {"type": "json_schema", "schema": dict(answer.schema)}
    if effort is not None:
        if effort not in _EFFORTS:
            raise parameters.error("reasoning_effort", f"takes one of {', '.join(_EFFORTS)}")
        output["effort"] = effort
    return output


def _take_metadata(parameters: Parameters) -> dict[str, Any]:
    metadata, user = parameters.take("metadata"), parameters.take("user")
    if metadata is not None and set(metadata) - {"user_id"}:
        raise parameters.error("metadata", "takes nothing but a `user_id` there")
    return {"user_id": user} if user is not None else dict(metadata or {})


def _write_content(blocks: Sequence[Block]) -> str | list[dict[str, Any]]:
    if len(blocks) == 1 and isinstance(blocks[0], Text) and blocks[0].cache is None:
        return blocks[0].text
    return [_write_part(block) for block in blocks]


def _write_part(block: Block) -> dict[str, Any]:
    part = _write_block(block)
    return part if block.cache is None else {**part, "cache_control": dict(block.cache)}


def _write_block(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "text": block.text}
        case Media(kind="image"):
            return {"type": "image", "source": _write_source(block, "base64")}
        case Media(kind="document"):
            return _write_document(block)
        case Media(kind="audio"):
            raise block.refuse(PROVIDER, "takes no sound")
        case ToolCall():
            arguments = block.parsed_arguments(PROVIDER)
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
        case ToolResult():
            result = {"type": "tool_result", "tool_use_id": block.call_id}
            content = _write_content(block.content) if block.content else ""
            return {**result, "content": content} | ({"is_error": True} if block.is_error else {})
        case Foreign() if block.part.get("type") in _OWN_PARTS and ".audio" not in block.path:
            return {key: value for key, value in block.part.items() if key != "cache_control"}
        case Foreign():
            raise block.refuse(PROVIDER, f"has no part of the type {block.part.get('type')!r}")
        case Refusal():
            raise block.refuse(PROVIDER, "has no place for a refusal; write it as a text part")
    raise block.refuse(PROVIDER, "cannot take this part")


def _write_document(document: Media) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "document"}
    if document.media_type == "text/plain" and document.data is not None:
        text = document.as_bytes.decode("utf-8", "replace")
        part["source"] = {"type": "text", "media_type": "text/plain", "data": text}
    elif document.media_type not in (None, "application/pdf", "text/plain"):
        raise document.refuse(PROVIDER, f"takes PDF and plain text, not {document.media_type}")
    else:
        part["source"] = _write_source(document, "base64")
    if document.name is not None:
        part["title"] = document.name
    return part if document.context is None else {**part, "context": document.context}


def _write_source(media: Media, kind: str) -> dict[str, Any]:
    if media.detail not in (None, "auto"):
        raise media.refuse(PROVIDER, "has no `detail` of images")
    if media.text is not None:
        return {"type": "text", "media_type": "text/plain", "data": media.text}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.file_id is not None:
        return {"type": "file", "file_id": media.file_id}
    return {"type": kind, "media_type": media.media_type, "data": media.data}


def _write_tool(tool: Tool | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(tool, Tool):
        return dict(tool)
    written: dict[str, Any] = {"name": tool.name, "input_schema": dict(tool.schema)}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.strict is not None:
        written["strict"] = tool.strict
    return written if tool.cache is None else {**written, "cache_control": dict(tool.cache)}


def _write_choice(choice: ToolChoice) -> dict[str, Any]:
    kind = {"required": "any", None: "auto"}.get(choice.mode, choice.mode)
    written: dict[str, Any] = {"type": kind}
    if choice.mode == "tool":
        written["name"] = choice.name
    if choice.parallel is not None and choice.mode != "none":
        written["disable_parallel_tool_use"] = not choice.parallel
    return written
