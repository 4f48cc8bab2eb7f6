"""What a request says that a prompt is to be: a content, edits of the one before, or a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptstore.model.prompt import Prompt, parse_content
from promptstore.model.values import MAX_DEPTH
from promptstore.posthog import requests
from promptstore.posthog.content import (
    MAX_BYTES,
    RemoteContent,
    compact_json,
    is_deep,
    served_content,
)
from promptstore.posthog.decoding import decode_content
from promptstore.server import errors


def published(before: Prompt, request: requests.PublishRequest) -> Prompt:
    """Return a prompt with the content, the edits and the config of a request.

    Raises:
        ApiError: The edits do not fit (400).
    """
    given = request.model_fields_set
    config = request.config if "config" in given else before.config
    value = request.prompt
    if "edits" in given:
        value = _edited(served_content(before).value, request.edits)
    elif "prompt" not in given:
        return replace(before, config=config)
    return decode_content(RemoteContent(value, config), before, as_source=True)


def native(value: Any, config: Mapping[str, Any]) -> Prompt:
    """Return the prompt that the content of a file is.

    Raises:
        ApiError: It is the content of none (400).
    """
    if config:
        raise errors.invalid("invalid_input", "The config stands in the native content.", "config")
    if not isinstance(value, dict):
        raise errors.invalid("invalid_input", "A native content is the object of a file.", "prompt")
    prompt = parse_content(value)
    if not isinstance(prompt, Prompt):
        raise errors.invalid("invalid_input", " ".join(fault.message for fault in prompt), "prompt")
    return prompt


def _edited(value: Any, edits: Sequence[requests.Edit]) -> Any:
    """Apply edits in order: to a text, or to the indented JSON text of anything else."""
    is_text = isinstance(value, str)
    text = value if is_text else json.dumps(value, ensure_ascii=False, indent=2)
    for index, edit in enumerate(edits):
        text = _replaced(text, edit, index)
    if is_text:
        return text
    last = len(edits) - 1
    try:
        edited = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.only_detail(
            400, f"Edits produced invalid JSON: {error}", edit_index=last
        ) from None
    if is_deep(edited):
        detail = f"Edits produced JSON that is nested deeper than {MAX_DEPTH} levels."
        raise errors.only_detail(400, detail, edit_index=last)
    return edited


def _replaced(text: str, edit: requests.Edit, index: int) -> str:
    count = text.count(edit.old)
    if count == 0:
        detail = "Text to replace was not found in the prompt."
        raise errors.only_detail(400, detail, edit_index=index)
    if count > 1:
        detail = f"Text to replace matches {count} times — provide more context to make it unique."
        raise errors.only_detail(400, detail, edit_index=index)
    edited = text.replace(edit.old, edit.new)
    if len(compact_json(edited).encode()) > MAX_BYTES:
        detail = f"Resulting prompt exceeds the {MAX_BYTES} byte size limit."
        raise errors.only_detail(400, detail, edit_index=index)
    return edited
