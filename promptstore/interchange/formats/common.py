"""What several formats share: YAML before a text, and lists of messages as most write them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from promptstore.errors import ImportRefusedError
from promptstore.interchange.imported import Draft, rest_of
from promptstore.model.parts import MESSAGE_KEYS
from promptstore.promptfile.foreign import YamlRules, read_foreign_yaml
from promptstore.promptfile.writer import write_mapping

Translate = Callable[[str], str]

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_PLACEHOLDERS: Final = {"placeholder", "messagesplaceholder"}


def split_front_matter(text: str, rules: YamlRules) -> tuple[dict[str, Any], str, list[str]]:
    """Split a file into what stands before its body, and the body.

    Args:
        text: The whole file.
        rules: How its YAML is read.

    Returns:
        The front matter (empty where there is none), the body, and what was lost in reading.

    Raises:
        ImportRefusedError: The front matter is not YAML, or no mapping.
    """
    found = _FRONT.match(text)
    if not found:
        return {}, text, []
    front = read_foreign_yaml(found[1], rules)
    if not isinstance(front.value, (dict, type(None))):
        raise ImportRefusedError(reason="its front matter is no mapping")
    return front.value or {}, text[found.end() :], front.losses


def front_matter(value: Mapping[str, Any]) -> str:
    """Write a mapping between two lines of dashes; nothing where it is empty."""
    return f"---\n{write_mapping(value)}---\n" if value else ""


def add_messages(draft: Draft, messages: Sequence[Any], translate: Translate = str) -> None:
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
        more = {key: message[key] for key in MESSAGE_KEYS[2:] if message.get(key) is not None}
        if isinstance(content, list):
            more = translated(more, translate)
        draft.say(role, content, **more)
        lost = rest_of(message, *MESSAGE_KEYS, "type")
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
