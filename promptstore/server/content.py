"""What the API calls a prompt's content: any JSON, kept as a text or as messages in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from promptstore.errors import PromptFileError
from promptstore.model.messages import Message, without_nulls
from promptstore.model.prompt import Prompt
from promptstore.model.values import MAX_DEPTH
from promptstore.promptfile.reader import loads
from promptstore.server.problems import invalid, only_detail

MAX_BYTES: Final = 1_000_000
"""How large a content or a config may be, as compact JSON in UTF-8."""

_JSON_KEY: Final = "x-posthog-json"
"""Marks a file whose text is JSON that was published as JSON, not as a text."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(?=\S)")
_PREVIEW: Final = 160


def value_of(prompt: Prompt) -> Any:
    """Give the content of a prompt as JSON: a text, the list of messages, or what was published."""
    if prompt.messages is not None:
        return prompt.content["messages"]
    text = prompt.prompt or ""
    if prompt.extensions.get(_JSON_KEY) is not True:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # A person has edited the file since; what it says now is a text.
        return text


def text_of(value: Any) -> str:
    """Give a content as a text, which is all that SDKs take: JSON as its JSON text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def with_value(prompt: Prompt, value: Any) -> Prompt:
    """Give a prompt another content.

    A list of messages makes a chat prompt, and so does its JSON text where the prompt is one. Other
    JSON than a text is kept as its JSON text, with a mark in the file.
    """
    extensions = {key: item for key, item in prompt.extensions.items() if key != _JSON_KEY}
    messages = _messages(prompt, value)
    if messages is not None:
        return replace(prompt, prompt=None, messages=messages, extensions=extensions)
    if not isinstance(value, str):
        extensions[_JSON_KEY] = True
    return replace(prompt, prompt=text_of(value), messages=None, extensions=extensions)


def _messages(prompt: Prompt, value: Any) -> tuple[Any, ...] | None:
    if isinstance(value, str):
        if not prompt.is_chat:
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or not value:
        return None
    try:
        read = loads(json.dumps({"messages": value, "template": "none"}, ensure_ascii=False))
    except PromptFileError:
        return None
    has_roles = any(isinstance(item, Message) for item in read.messages or ())
    return read.messages if has_roles and read.content["messages"] == without_nulls(value) else None


def is_deep(value: Any) -> bool:
    """Tell whether a JSON value is nested deeper than a file may be."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def size_of(value: Any) -> int:
    """Measure a JSON value: bytes of its compact JSON, letters as they are."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def stored_size_of(value: Any) -> int:
    """Measure a content as lists tell it: bytes of its JSON with a space after each colon."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def check_size(value: Any) -> None:
    """Refuse a content that is too large."""
    if size_of(value) > MAX_BYTES:
        raise invalid("max_size", f"Prompt payload must be {MAX_BYTES} bytes or fewer.", "prompt")


class TextEdit(NamedTuple):
    """One replacement in a content.

    Attributes:
        old: The text that must be there exactly once.
        new: What it becomes.
    """

    old: str
    new: str


def apply_edits(value: Any, edits: Sequence[TextEdit]) -> Any:
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
        raise only_detail(400, f"Edits produced invalid JSON: {error}", edit_index=last) from None
    if is_deep(edited):
        detail = f"Edits produced JSON that is nested deeper than {MAX_DEPTH} levels."
        raise only_detail(400, detail, edit_index=last)
    return edited


def _replaced(text: str, edit: TextEdit, index: int) -> str:
    count = text.count(edit.old)
    if count == 0:
        detail = "Text to replace was not found in the prompt."
        raise only_detail(400, detail, edit_index=index)
    if count > 1:
        detail = f"Text to replace matches {count} times — provide more context to make it unique."
        raise only_detail(400, detail, edit_index=index)
    edited = text.replace(edit.old, edit.new)
    if size_of(edited) > MAX_BYTES:
        detail = f"Resulting prompt exceeds the {MAX_BYTES} byte size limit."
        raise only_detail(400, detail, edit_index=index)
    return edited


def outline_of(value: Any) -> list[dict[str, Any]]:
    """List the markdown headings of a text; other JSON has none."""
    if not isinstance(value, str):
        return []
    found = ((line, _HEADING.match(line)) for line in _LINE_END.split(value))
    return [
        {"level": len(match[1]), "text": _without_closing(line[match.end() :])}
        for line, match in found
        if match
    ]


def _without_closing(heading: str) -> str:
    """Take off the ``#`` that may close a heading after a space.

    A regular expression that did all at once would take a square of the time for long spaces.
    """
    text = heading.rstrip(" \t")
    bare = text.rstrip("#")
    return bare.rstrip(" \t") if bare.endswith((" ", "\t")) else text


def preview_of(value: Any) -> str:
    """Give the beginning of a content as a text."""
    text = text_of(value)
    return text if len(text) <= _PREVIEW else text[:_PREVIEW] + "..."
