"""The vendors' own models of their arguments: what an SDK does not know is an error.

Each SDK is loaded by the check that needs it, as they take longer than collecting all tests.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter


def listed(value: Any) -> Any:
    """Return validated arguments as plain JSON; what pydantic checks lazily is checked now."""
    if isinstance(value, str | bytes) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: listed(item) for key, item in value.items()}
    return [listed(item) for item in value] if hasattr(value, "__iter__") else value


@functools.cache
def _adapter(arguments: Any) -> TypeAdapter[Any]:
    return TypeAdapter(arguments)


def _check_typed_dict(typed_dict: Any, arguments: Mapping[str, Any]) -> None:
    # A key that the SDK does not know is dropped by pydantic.
    assert listed(_adapter(typed_dict).validate_python(arguments, strict=True)) == arguments


def check_openai_chat(arguments: Mapping[str, Any]) -> None:
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    _check_typed_dict(CompletionCreateParamsNonStreaming, arguments)


def check_openai_responses(arguments: Mapping[str, Any]) -> None:
    from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

    _check_typed_dict(ResponseCreateParamsNonStreaming, arguments)


def check_anthropic(arguments: Mapping[str, Any]) -> None:
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

    known = dict(arguments)
    assert known.pop("extra_body", {}).keys() <= {"temperature", "top_p", "top_k"}
    _check_typed_dict(MessageCreateParamsNonStreaming, known)


def check_gemini(arguments: Mapping[str, Any]) -> None:
    from google.genai import types

    assert arguments.keys() == {"model", "contents", "config"}
    for content in arguments["contents"]:
        types.Content.model_validate(content)  # forbids what it does not know
    types.GenerateContentConfig.model_validate(arguments["config"])


@functools.cache
def _converse() -> Any:
    import botocore.loaders
    import botocore.model

    description = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    service = botocore.model.ServiceModel(description)
    return service.operation_model("Converse").input_shape


def check_bedrock(arguments: Mapping[str, Any]) -> None:
    import botocore.validate

    report = botocore.validate.ParamValidator().validate(arguments, _converse())
    assert not report.has_errors(), report.generate_report()
    assert list(_wrong_words(_converse(), arguments)) == []


def _wrong_words(shape: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Find values that are none of an enum, which botocore leaves to the server."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for key, item in value.items():
            yield from _wrong_words(shape.members[key], item)
    elif shape.type_name == "list":
        for item in value:
            yield from _wrong_words(shape.member, item)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield shape.name, value


CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "openai_chat": check_openai_chat,
    "openai_responses": check_openai_responses,
    "anthropic": check_anthropic,
    "gemini": check_gemini,
    "bedrock": check_bedrock,
}
"""What checks the arguments that the method of a rendered prompt returns, by its name."""


def as_json(value: Any) -> Any:
    """Return arguments as JSON, with bytes as ``{"base64": …}``."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value
