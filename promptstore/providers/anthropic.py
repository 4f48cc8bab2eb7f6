"""The arguments of Anthropic's Messages API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from promptstore.providers.blocks import (
    Block,
    Foreign,
    Media,
    Text,
    ToolCall,
    ToolResult,
    arguments_for,
)
from promptstore.providers.conversation import read_dialogue
from promptstore.providers.parameters import Call, Parameters, Tool, ToolChoice

if TYPE_CHECKING:
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

    class AnthropicArguments(MessageCreateParamsNonStreaming, total=False):
        """The arguments of ``client.messages.create``."""

        extra_body: object


_OWN_PARTS: Final = frozenset({
    "document", "thinking", "redacted_thinking", "search_result", "server_tool_use",
    "container_upload", "tool_reference", "web_search_tool_result", "web_fetch_tool_result",
    "tool_search_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
})  # fmt: skip
_OWN_KEYS: Final = frozenset({"caller", "citations", "toolset_name", "transformations"})
_TOOL_KEYS: Final = frozenset({
    "allowed_callers", "defer_loading", "eager_input_streaming", "input_examples",
})  # fmt: skip
_OWN_TOOL: Final = re.compile(r".*_\d{8}")
_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


@arguments_for("Anthropic's Messages API")
def anthropic(call: Call) -> AnthropicArguments:
    """Make the arguments of ``client.messages.create``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters("anthropic", call)
    request: dict[str, Any] = {"model": parameters.take_model()}
    instructions, turns = read_dialogue(call.messages, _OWN_KEYS)
    if instructions:
        request["system"] = _write_content(instructions)
    request["messages"] = [
        {"role": turn.role, "content": _write_content(turn.blocks)} for turn in turns
    ]
    request |= parameters.write_tools(_write_tool, _TOOL_KEYS)
    if choice := parameters.take_tool_choice():
        request["tool_choice"] = _write_choice(choice)
    if output := _take_output(parameters):
        request["output_config"] = output
    if metadata := _take_metadata(parameters):
        request["metadata"] = metadata
    if stop := parameters.take_stop():
        request["stop_sequences"] = stop
    request |= parameters.take_all("max_tokens", "thinking", "service_tier", "container")
    # Older models take these, and the SDK's arguments no longer name them.
    if untyped := parameters.take_all("temperature", "top_p", "top_k"):
        request["extra_body"] = untyped
    request |= parameters.finish()
    if "max_tokens" not in request:
        raise parameters.error(
            "max_tokens", "needs it; add it to the prompt's config, or pass `max_tokens=`"
        )
    return cast("AnthropicArguments", request)


def _take_output(parameters: Parameters) -> dict[str, Any]:
    answer, effort = parameters.take_schema(), parameters.take_effort(*_EFFORTS)
    output: dict[str, Any] = {} if effort is None else {"effort": effort}
    if answer is None:
        return output
    return {**output, "format": {"type": "json_schema", "schema": answer.described_schema()}}


def _take_metadata(parameters: Parameters) -> dict[str, Any]:
    metadata, user = dict(parameters.take("metadata") or {}), parameters.take("user")
    if set(metadata) - {"user_id"}:
        raise parameters.error("metadata", "takes nothing but a `user_id` there")
    return metadata if user is None else {**metadata, "user_id": user}


def _write_content(blocks: Sequence[Block]) -> str | list[dict[str, Any]]:
    parts = [_write_part(block) for block in blocks]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def _write_part(block: Block) -> dict[str, Any]:
    marker = {} if block.cache is None else {"cache_control": block.cache}
    return {**_write_block(block), **block.own, **marker}


def _write_block(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "text": block.text}
        case Media(kind="image"):
            block.refuse_extras()
            if block.data is not None and block.media_type not in _IMAGES:
                raise block.refuse(f"takes {', '.join(_IMAGES)}, not {block.media_type}")
            return {"type": "image", "source": _write_source(block)}
        case Media(kind="document"):
            return _write_document(block)
        case ToolCall():
            arguments = block.parsed_arguments()
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
        case ToolResult():
            error = {"is_error": True} if block.is_error else {}
            content = _write_content(block.content) or ""
            return {
                "type": "tool_result", "tool_use_id": block.call.id, "content": content, **error,
            }  # fmt: skip
        case Foreign() if block.kind in _OWN_PARTS:
            return dict(block.part)
    raise block.refuse_kind()


def _write_document(document: Media) -> dict[str, Any]:
    document.refuse_extras("context")
    part: dict[str, Any] = {"type": "document", "source": _write_source(document)}
    if document.name is not None:
        part["title"] = document.name
    return part if document.context is None else {**part, "context": document.context}


def _write_source(media: Media) -> dict[str, Any]:
    text = media.text
    if media.media_type == "text/plain" and media.data is not None:
        try:
            text = media.as_bytes.decode()
        except UnicodeDecodeError:
            raise media.refuse("takes plain text in UTF-8 only") from None
    if text is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.file_id is not None:
        return {"type": "file", "file_id": media.file_id}
    if media.kind == "document" and media.media_type != "application/pdf":
        raise media.refuse(f"takes PDF and plain text, not {media.media_type}")
    return {"type": "base64", "media_type": media.media_type, "data": media.data}


def _write_tool(
    parameters: Parameters, tool: Tool | Mapping[str, Any], index: int
) -> dict[str, Any]:
    if isinstance(tool, Tool):
        marker = {} if tool.cache is None else {"cache_control": tool.cache}
        return {**tool.written("input_schema"), **marker}
    kind = str(tool.get("type"))
    if not _OWN_TOOL.fullmatch(kind):
        raise parameters.error(f"tools[{index}]", f"has no tool of the type {kind!r}")
    return dict(tool)


def _write_choice(choice: ToolChoice) -> dict[str, Any]:
    kind = {"required": "any", None: "auto"}.get(choice.mode, choice.mode)
    written: dict[str, Any] = {"type": kind}
    if choice.mode == "tool":
        written["name"] = choice.name
    if choice.parallel is not None and choice.mode != "none":
        written["disable_parallel_tool_use"] = not choice.parallel
    return written
