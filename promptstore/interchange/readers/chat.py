"""Lists of messages as most tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, rest_of

Translate = Callable[[str], str]

_PLACEHOLDERS: Final = {"placeholder", "messagesplaceholder"}
_KEYS: Final = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "cache_control")


def unchanged(text: str) -> str:
    """Return a string that needs no translation."""
    return text


def add_messages(draft: Draft, messages: Sequence[Any], translate: Translate = unchanged) -> None:
    """Add messages to a draft; what is a placeholder becomes an insert.

    Args:
        draft: The draft.
        messages: The messages as the source has them.
        translate: What makes a template of the source one of ours.

    Raises:
        ImportRefusedError: One is no message.
    """
    for number, message in enumerate(messages, 1):
        if not isinstance(message, Mapping):
            raise ImportRefusedError(reason=f"message {number} is no mapping of keys")
        if str(message.get("type", "")).lower() in _PLACEHOLDERS:
            draft.insert(str(message.get("name", "")))
            continue
        role = message.get("role")
        if not isinstance(role, str):
            raise ImportRefusedError(reason=f"message {number} has no role")
        content = translated(message.get("content"), translate)
        more = {key: message[key] for key in _KEYS[2:] if message.get(key) is not None}
        if isinstance(content, list):
            more = translated(more, translate)
        draft.say(role, content, **more)
        lost = rest_of(message, *_KEYS, "type")
        for key in lost:
            draft.losses.append(f"{key} of message {number} has no place and is left out")


def translated(value: Any, translate: Translate) -> Any:
    """Translate every string of a content, be it a string or parts."""
    if isinstance(value, str):
        return translate(value)
    if isinstance(value, list):
        return [
            {"type": "text", "text": translate(part)}
            if isinstance(part, str)
            else _part(part, translate)
            for part in value
        ]
    return value


def _part(part: Any, translate: Translate) -> Any:
    if isinstance(part, dict):
        return {
            key: item if key == "type" else _part(item, translate) for key, item in part.items()
        }
    if isinstance(part, list):
        return [_part(item, translate) for item in part]
    return translate(part) if isinstance(part, str) else part


def chat_of(text: str) -> list[Any] | None:
    """Return the messages that a string is the JSON of, or None where it is another string."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_chat = isinstance(found, list) and all(isinstance(m, dict) and "role" in m for m in found)
    return found if is_chat and found else None
