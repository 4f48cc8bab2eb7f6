"""The arguments of Amazon Bedrock's Converse API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from promptstore.providers.blocks import (
    Block,
    Foreign,
    Media,
    Text,
    ToolCall,
    ToolResult,
    arguments_for,
    guess_media_type,
)
from promptstore.providers.conversation import read_dialogue
from promptstore.providers.parameters import Call, Parameters, Tool, ToolChoice, ToolList

_ADVICE: Final = dict.fromkeys(
    ("top_k", "seed", "frequency_penalty", "presence_penalty", "n", "logit_bias", "logprobs",
     "thinking"),
    "what this model takes goes into `config.bedrock.additionalModelRequestFields`",
)  # fmt: skip
_FORMATS: Final = {
    "image": ("png", "jpeg", "gif", "webp"),
    "audio": ("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a",
              "mpeg", "mpga", "pcm", "webm"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
}  # fmt: skip
_DOCUMENTS: Final = {guess_media_type(f"x.{form}"): form for form in _FORMATS["document"]}
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9\s\-()\[\]]|\s\s")


@arguments_for("Bedrock's Converse API")
def bedrock(call: Call) -> dict[str, Any]:
    """Make the arguments of ``client.converse`` of boto3's ``bedrock-runtime``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters("bedrock", call)
    request: dict[str, Any] = {"modelId": parameters.take_model()}
    instructions, turns = read_dialogue(call.messages)
    if instructions:
        request["system"] = _write_content(instructions)
    request["messages"] = [
        {"role": turn.role, "content": _write_content(turn.blocks)} for turn in turns
    ]
    inference = parameters.take_all("temperature", max_tokens="maxTokens", top_p="topP")
    if stop := parameters.take_stop():
        inference["stopSequences"] = stop
    if inference:
        request["inferenceConfig"] = inference
    if tools := _take_tools(parameters):
        request["toolConfig"] = tools
    if output := _take_output(parameters):
        request["outputConfig"] = output
    request |= parameters.take_all(metadata="requestMetadata")
    return request | parameters.finish(_ADVICE)


def _take_output(parameters: Parameters) -> dict[str, Any]:
    output, answer = parameters.take_all(reasoning_effort="effort"), parameters.take_schema()
    if answer is None:
        return output
    schema: dict[str, Any] = {
        "schema": json.dumps(answer.schema, ensure_ascii=False),
        "name": answer.name,
    }
    if answer.description is not None:
        schema["description"] = answer.description
    output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return output


def _take_tools(parameters: Parameters) -> dict[str, Any]:
    tools, choice = parameters.take_tools(), parameters.take_tool_choice()
    written: dict[str, Any] = {"tools": [*_write_tools(parameters, tools)]} if tools else {}
    return written if choice is None else written | _write_choice(parameters, choice)


def _write_tools(parameters: Parameters, tools: ToolList) -> Iterator[dict[str, Any]]:
    for index, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            reason = f"has no tool of the type {tool.get('type')!r}"
            raise parameters.error(f"tools[{index}]", reason)
        spec = tool.written("inputSchema")
        yield {"toolSpec": {**spec, "inputSchema": {"json": spec["inputSchema"]}}}
        if tool.cache is not None:
            yield _cache_point(tool.cache)


def _write_choice(parameters: Parameters, choice: ToolChoice) -> dict[str, Any]:
    if choice.parallel is False:
        raise parameters.error("parallel_tool_calls", "cannot forbid several calls at once")
    match choice.mode:
        case None:
            return {}
        case "none":
            raise parameters.error("tool_choice", "cannot forbid tools; pass `tools=None` instead")
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
        case Media(kind="document"):
            return {"document": _write_document(block)}
        case Media():
            block.refuse_extras()
            form = (block.media_type or guess_media_type(block.url or "") or "").partition("/")[2]
            return {block.kind: _write_source(block, form)}
        case ToolCall():
            arguments = block.parsed_arguments()
            return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": arguments}}
        case ToolResult():
            status = {"status": "error"} if block.is_error else {}
            content = [_write_answer(part) for part in block.content]
            return {"toolResult": {"toolUseId": block.call.id, "content": content, **status}}
        case Foreign(kind="thinking", part={"thinking": str(text), "signature": str(signature)}):
            thought = {"text": text, "signature": signature}
            return {"reasoningContent": {"reasoningText": thought}}
    raise block.refuse_kind()


def _write_answer(block: Block) -> dict[str, Any]:
    if isinstance(block, Text) or (isinstance(block, Media) and block.kind != "audio"):
        return _write_block(block)  # a cache marker has no place within a result
    raise block.refuse_kind()


def _write_document(document: Media) -> dict[str, Any]:
    document.refuse_extras("context")
    media_type = document.media_type or guess_media_type(document.url or document.name or "")
    written = _write_source(document, _DOCUMENTS.get(media_type))
    # The format says the same as the end of a file's name, which no name may have.
    name = (document.name or "").removesuffix(f".{written['format']}")
    if not name or _NOT_IN_A_NAME.search(name):
        raise document.refuse(
            "needs the `title` or `filename` of a document, of letters, digits, single spaces, "
            "hyphens and brackets"
        )
    context = {} if document.context is None else {"context": document.context}
    return {**written, "name": name, **context}


def _write_source(media: Media, form: str | None) -> dict[str, Any]:
    source: dict[str, Any]
    if media.text is not None:
        source = {"text": media.text}
    elif media.data is not None:
        source = {"bytes": media.as_bytes}
    elif media.url is not None and media.url.startswith("s3://"):
        source = {"s3Location": {"uri": media.url}}
    else:
        raise media.refuse("takes data or an `s3://` URL, no other URL and no id")
    if form not in _FORMATS[media.kind]:
        raise media.refuse(f"takes {', '.join(_FORMATS[media.kind])} only")
    return {"format": form, "source": source}
