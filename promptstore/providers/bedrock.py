"""The arguments of Amazon Bedrock's Converse API."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

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
from promptstore.providers.parameters import Parameters, Tool, ToolChoice, ToolList

PROVIDER: Final = "Bedrock's Converse API"

_INFERENCE: Final = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
_REFUSED: Final = {
    name: f"has no `{name}` for all models; what this model takes goes into "
    "`config.bedrock.additionalModelRequestFields`"
    for name in ("top_k", "seed", "frequency_penalty", "presence_penalty", "n", "logit_bias",
                 "logprobs", "thinking")
}  # fmt: skip
_DOCUMENTS: Final = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")


def bedrock(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> dict[str, Any]:
    """Make the arguments of ``client.converse`` of boto3's ``bedrock-runtime``.

    Args:
        messages: The rendered messages.
        config: The prompt's config.
        overrides: Parameters of this call, which replace those of the config.

    Returns:
        The arguments by name.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters(PROVIDER, "bedrock", config, overrides)
    request: dict[str, Any] = {"modelId": parameters.take_model()}
    instructions, turns = split_system(merge_turns(read_conversation(PROVIDER, messages)))
    if instructions:
        request["system"] = _write_content(instructions)
    refuse_names(PROVIDER, turns)
    request["messages"] = [
        {
            "role": "system" if turn.role == "developer" else turn.role,
            "content": _write_content(turn.blocks),
        }
        for turn in turns
    ]
    inference = parameters.take_all(_INFERENCE)
    if stop := parameters.take_stop():
        inference["stopSequences"] = stop
    if inference:
        request["inferenceConfig"] = inference
    if tools := _take_tools(parameters):
        request["toolConfig"] = tools
    if output := _take_output(parameters):
        request["outputConfig"] = output
    if metadata := parameters.take("metadata"):
        request["requestMetadata"] = {key: str(value) for key, value in metadata.items()}
    own = parameters.finish(_REFUSED)
    own.pop("model", None)
    return request | own


def _take_output(parameters: Parameters) -> dict[str, Any]:
    answer, effort = parameters.take_answer_format(), parameters.take("effort")
    output: dict[str, Any] = {} if effort is None else {"effort": effort}
    if answer is None or answer.kind == "text":
        return output
    if answer.schema is None:
        raise parameters.error(
            "response_format", "has no `json_object`; give a schema with `json_schema`"
        )
    schema: dict[str, Any] = {"schema": json.dumps(answer.schema), "name": answer.name}
    if answer.description is not None:
        schema["description"] = answer.description
    output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return output


def _take_tools(parameters: Parameters) -> dict[str, Any]:
    tools, choice = parameters.take_tools(), parameters.take_tool_choice()
    written: dict[str, Any] = {}
    if tools:
        written["tools"] = [*_write_tools(parameters, tools)]
    if choice is not None:
        written |= _write_choice(parameters, choice)
    return written


def _write_tools(parameters: Parameters, tools: ToolList) -> Iterable[dict[str, Any]]:
    for index, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            reason = f"has no tool of the type {tool.get('type')!r}"
            raise parameters.error(f"tools[{index}]", reason)
        spec: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": dict(tool.schema)}}
        if tool.description is not None:
            spec["description"] = tool.description
        if tool.strict is not None:
            spec["strict"] = tool.strict
        yield {"toolSpec": spec}
        if tool.cache is not None:
            yield _cache_point(tool.cache)


def _write_choice(parameters: Parameters, choice: ToolChoice) -> dict[str, Any]:
    if choice.parallel is False:
        raise parameters.error("parallel_tool_calls", "cannot forbid several calls at once")
    match choice.mode:
        case None:
            return {}
        case "none":
            raise parameters.error(
                "tool_choice", "cannot forbid tools; render a prompt that has none"
            )
        case "tool":
            return {"toolChoice": {"tool": {"name": choice.name}}}
        case "required":
            return {"toolChoice": {"any": {}}}
    return {"toolChoice": {"auto": {}}}


def _write_content(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for block in blocks:
        written.append(_write_block(block))
        if block.cache is not None:
            written.append(_cache_point(block.cache))
    return written


def _cache_point(cache: Mapping[str, Any]) -> dict[str, Any]:
    lifetime = {"ttl": cache["ttl"]} if "ttl" in cache else {}
    return {"cachePoint": {"type": "default", **lifetime}}


def _write_block(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"text": block.text}
        case Media(kind="image"):
            return {"image": {"format": _format_of(block), "source": _write_source(block)}}
        case Media(kind="audio"):
            return {"audio": {"format": _format_of(block), "source": _write_source(block)}}
        case Media():
            return {"document": _write_document(block)}
        case ToolCall():
            arguments = block.parsed_arguments(PROVIDER)
            return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": arguments}}
        case ToolResult():
            status = {"status": "error"} if block.is_error else {}
            content = _write_content(block.content)
            return {"toolResult": {"toolUseId": block.call_id, "content": content, **status}}
        case Foreign():
            raise block.refuse(PROVIDER, f"has no part of the type {block.part.get('type')!r}")
        case Refusal():
            raise block.refuse(PROVIDER, "has no place for a refusal; write it as a text part")
    raise block.refuse(PROVIDER, "cannot take this part")


def _write_document(document: Media) -> dict[str, Any]:
    if document.name is None:
        raise document.refuse(PROVIDER, "needs the name of a document; add a `title` or `filename`")
    form = _format_of(document)
    if form not in _DOCUMENTS:
        raise document.refuse(
            PROVIDER, f"takes documents as {', '.join(_DOCUMENTS)}, not as {form}"
        )
    written: dict[str, Any] = {
        "format": form, "name": document.name, "source": _write_source(document),
    }  # fmt: skip
    return written if document.context is None else {**written, "context": document.context}


def _format_of(media: Media) -> str:
    media_type = media.media_type or mimetypes.guess_type(media.url or media.name or "")[0]
    if media_type is None:
        raise media.refuse(PROVIDER, "needs the media type, and none is known here")
    kind, _, form = media_type.partition("/")
    if kind in ("image", "audio"):
        return form
    return (mimetypes.guess_extension(media_type) or f".{form}").removeprefix(".")


def _write_source(media: Media) -> dict[str, Any]:
    if media.detail not in (None, "auto"):
        raise media.refuse(PROVIDER, "has no `detail` of images")
    if media.text is not None:
        return {"text": media.text}
    if media.data is not None:
        return {"bytes": media.as_bytes}
    if media.url is not None and media.url.startswith("s3://"):
        return {"s3Location": {"uri": media.url}}
    raise media.refuse(PROVIDER, "takes data or an `s3://` URL, no other URL and no id of a file")
