"""The arguments of Gemini's API, as Google's ``google-genai`` SDK takes them."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

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
from promptstore.providers.parameters import Parameters, Tool, ToolChoice, ToolList

if TYPE_CHECKING:
    from google.genai.types import ContentListUnionDict, GenerateContentConfigDict

    class GeminiArguments(TypedDict):
        """The arguments of ``client.models.generate_content``."""

        model: str
        contents: ContentListUnionDict
        config: GenerateContentConfigDict


PROVIDER: Final = "Gemini's API"

_SAME: Final = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
_NAMES: Final = {
    **{name: name for name in _SAME},
    "max_tokens": "max_output_tokens",
    "n": "candidate_count",
    "logprobs": "response_logprobs",
    "top_logprobs": "logprobs",
}
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}
_REFUSED: Final = {
    name: f"has no `{name}`"
    for name in ("logit_bias", "prediction", "metadata", "user", "verbosity", "store")
}


def gemini(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> GeminiArguments:
    """Make the arguments of ``client.models.generate_content``.

    Cache markers are left out: Gemini caches what prompts begin with by itself, and has no place
    for a marker.

    Args:
        messages: The rendered messages.
        config: The prompt's config.
        overrides: Parameters of this call, which replace those of the config.

    Returns:
        The arguments by name.

    Raises:
        ProviderError: The API cannot take something.
    """
    parameters = Parameters(PROVIDER, "gemini", config, overrides)
    model = parameters.take_model()
    instructions, turns = split_system(merge_turns(read_conversation(PROVIDER, messages)))
    settings: dict[str, Any] = {}
    if instructions:
        settings["system_instruction"] = {"parts": [_write_part(block) for block in instructions]}
    contents: list[dict[str, Any]] = []
    refuse_names(PROVIDER, turns)
    for turn in turns:
        if turn.role in ("system", "developer"):
            raise ProviderError(
                provider=PROVIDER,
                path=turn.path,
                reason="takes instructions only at the beginning; move them there",
            )
        role = "model" if turn.role == "assistant" else "user"
        contents.append({"role": role, "parts": [_write_part(block) for block in turn.blocks]})
    if tools := parameters.take_tools():
        settings["tools"] = _write_tools(parameters, tools)
    if choice := parameters.take_tool_choice():
        settings |= _write_choice(parameters, choice)
    if stop := parameters.take_stop():
        settings["stop_sequences"] = stop
    settings |= _take_format(parameters) | _take_thinking(parameters)
    settings |= parameters.take_all(_NAMES) | parameters.finish(_REFUSED)
    settings.pop("model", None)
    return cast("GeminiArguments", {"model": model, "contents": contents, "config": settings})


def _take_format(parameters: Parameters) -> dict[str, Any]:
    answer = parameters.take_answer_format()
    if answer is None or answer.kind == "text":
        return {}
    written: dict[str, Any] = {"response_mime_type": "application/json"}
    if answer.schema is not None:
        written["response_json_schema"] = dict(answer.schema)
    return written


def _take_thinking(parameters: Parameters) -> dict[str, Any]:
    effort = parameters.take("effort")
    if effort is None:
        return {}
    if effort not in ("minimal", "low", "medium", "high"):
        raise parameters.error("reasoning_effort", "takes one of minimal, low, medium, high")
    return {"thinking_config": {"thinking_level": effort.upper()}}


def _write_part(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"text": block.text}
        case Media():
            return _write_media(block)
        case ToolCall():
            arguments = block.parsed_arguments(PROVIDER)
            return {"function_call": {"id": block.id, "name": block.name, "args": arguments}}
        case ToolResult():
            return {"function_response": _write_result(block)}
        case Foreign():
            raise block.refuse(PROVIDER, f"has no part of the type {block.part.get('type')!r}")
        case Refusal():
            raise block.refuse(PROVIDER, "has no place for a refusal; write it as a text part")
    raise block.refuse(PROVIDER, "cannot take this part")


def _write_media(media: Media) -> dict[str, Any]:
    if media.detail not in (None, "auto"):
        raise media.refuse(PROVIDER, "has no `detail` of images")
    if media.context is not None:
        raise media.refuse(PROVIDER, "has no place for the `context` of a document")
    if media.text is not None:
        return {"text": media.text}
    if media.data is not None:
        return {"inline_data": {"mime_type": media.media_type, "data": media.as_bytes}}
    uri = media.url or media.file_id or ""
    media_type = media.media_type or mimetypes.guess_type(uri)[0]
    if media_type is None:
        raise media.refuse(PROVIDER, f"needs the media type of {uri}, and it does not end in one")
    return {"file_data": {"file_uri": uri, "mime_type": media_type}}


def _write_result(result: ToolResult) -> dict[str, Any]:
    if result.name is None:
        raise result.refuse(PROVIDER, "needs the name of the tool; give the call before its result")
    for block in result.content:
        if not isinstance(block, Text):
            raise block.refuse(PROVIDER, "takes nothing but text as the result of a tool")
    text = "".join(block.text for block in result.content if isinstance(block, Text))
    response = {"error" if result.is_error else "output": text}
    return {"id": result.call_id, "name": result.name, "response": response}


def _write_tools(parameters: Parameters, tools: ToolList) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for index, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            if "type" in tool:
                reason = f"has no tool of the type {tool['type']!r}"
                raise parameters.error(f"tools[{index}]", reason)
            others.append(dict(tool))
            continue
        function: dict[str, Any] = {"name": tool.name, "parameters_json_schema": dict(tool.schema)}
        if tool.description is not None:
            function["description"] = tool.description
        functions.append(function)
    return [*([{"function_declarations": functions}] if functions else []), *others]


def _write_choice(parameters: Parameters, choice: ToolChoice) -> dict[str, Any]:
    if choice.parallel is False:
        raise parameters.error("parallel_tool_calls", "cannot forbid several calls at once")
    if choice.mode is None:
        return {}
    calling: dict[str, Any] = {"mode": _MODES[choice.mode]}
    if choice.mode == "tool":
        calling["allowed_function_names"] = [choice.name]
    return {"tool_config": {"function_calling_config": calling}}
