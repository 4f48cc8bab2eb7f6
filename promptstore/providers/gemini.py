"""The arguments of Gemini's API, as Google's ``google-genai`` SDK takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from promptstore.providers.blocks import (
    Block,
    Media,
    Text,
    ToolCall,
    ToolResult,
    arguments_for,
    guess_media_type,
)
from promptstore.providers.conversation import read_dialogue
from promptstore.providers.parameters import Call, Parameters, Tool, ToolChoice, ToolList

if TYPE_CHECKING:
    from google.genai.types import ContentListUnionDict, GenerateContentConfigDict

    class GeminiArguments(TypedDict):
        """The arguments of ``client.models.generate_content``."""

        model: str
        contents: ContentListUnionDict
        config: GenerateContentConfigDict


_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh")


@arguments_for("Gemini's API")
def gemini(call: Call) -> GeminiArguments:
    """Make the arguments of ``client.models.generate_content``.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters("gemini", call)
    model = parameters.take_model()
    instructions, turns = read_dialogue(call.messages)
    settings: dict[str, Any] = {}
    if instructions:
        settings["system_instruction"] = {"parts": [_write_part(block) for block in instructions]}
    contents: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system":
            reason = "takes instructions only at the beginning; move them there"
            raise turn.blocks[0].refuse(reason)
        role = "model" if turn.role == "assistant" else "user"
        contents.append({"role": role, "parts": [_write_part(block) for block in turn.blocks]})
    settings |= _take_tools(parameters)
    if stop := parameters.take_stop():
        settings["stop_sequences"] = stop
    settings |= _take_format(parameters) | _take_thinking(parameters)
    settings |= parameters.take_all(
        "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty",
        max_tokens="max_output_tokens", n="candidate_count", logprobs="response_logprobs",
        top_logprobs="logprobs",
    )  # fmt: skip
    settings |= parameters.finish()
    return cast("GeminiArguments", {"model": model, "contents": contents, "config": settings})


def _take_format(parameters: Parameters) -> dict[str, Any]:
    answer = parameters.take_answer_format()
    if answer is None or answer.kind == "text":
        return {}
    written: dict[str, Any] = {"response_mime_type": "application/json"}
    if answer.schema is not None:
        written["response_json_schema"] = answer.described_schema()
    return written


def _take_thinking(parameters: Parameters) -> dict[str, Any]:
    effort = parameters.take_effort(*_EFFORTS)
    if effort is None:
        return {}
    return {"thinking_config": {"thinking_level": effort.upper()}}


def _take_tools(parameters: Parameters) -> dict[str, Any]:
    tools, choice = parameters.take_tools(), parameters.take_tool_choice()
    written: dict[str, Any] = {}
    if tools:
        written["tools"] = _write_tools(parameters, tools)
    strict = any(isinstance(tool, Tool) and tool.strict for tool in tools)
    if calling := _write_choice(parameters, choice or ToolChoice(None), strict=strict):
        written["tool_config"] = {"function_calling_config": calling}
    return written


def _write_part(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"text": block.text}
        case Media():
            return _write_media(block)
        case ToolCall():
            arguments = block.parsed_arguments()
            return {"function_call": {"id": block.id, "name": block.name, "args": arguments}}
        case ToolResult():
            return {"function_response": _write_result(block)}
    raise block.refuse_kind()


def _write_media(media: Media) -> dict[str, Any]:
    media.refuse_extras()
    if media.text is not None:
        if media.name is not None:
            raise media.refuse("has no place for the `title` of a plain text")
        return {"text": media.text}
    name = {} if media.name is None else {"display_name": media.name}
    if media.data is not None:
        blob = {"mime_type": media.media_type, "data": media.as_bytes}
        return {"inline_data": {**blob, **name}}
    uri = media.url or media.file_id or ""
    media_type = media.media_type or guess_media_type(uri)
    if media_type is None:
        raise media.refuse(f"needs the media type of {uri}, and it does not end in one")
    return {"file_data": {"file_uri": uri, "mime_type": media_type, **name}}


def _write_result(result: ToolResult) -> dict[str, Any]:
    if not result.call.name:
        raise result.refuse("needs the name of the tool; give the call before its result")
    texts = [block.text for block in result.content if isinstance(block, Text)]
    media = [_write_part(block) for block in result.content if isinstance(block, Media)]
    for block in result.content:
        if not isinstance(block, Text | Media):
            raise block.refuse_kind()
    response = {"error" if result.is_error else "output": "".join(texts)}
    written: dict[str, Any] = {
        "id": result.call.id, "name": result.call.name, "response": response,
    }  # fmt: skip
    return {**written, "parts": media} if media else written


def _write_tools(parameters: Parameters, tools: ToolList) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        if isinstance(tool, Tool):
            function = tool.written("parameters_json_schema")
            function.pop("strict", None)  # is said for all tools at once, by the mode
            functions.append(function)
        elif "type" in tool:
            reason = f"has no tool of the type {tool['type']!r}"
            raise parameters.error(f"tools[{index}]", reason)
        else:
            others.append(dict(tool))
    return [*([{"function_declarations": functions}] if functions else []), *others]


def _write_choice(parameters: Parameters, choice: ToolChoice, *, strict: bool) -> dict[str, Any]:
    if choice.parallel is False:
        raise parameters.error("parallel_tool_calls", "cannot forbid several calls at once")
    match choice.mode:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "tool":
            return {"mode": "ANY", "allowed_function_names": [choice.name]}
    if strict:
        return {"mode": "VALIDATED"}
    return {} if choice.mode is None else {"mode": "AUTO"}
