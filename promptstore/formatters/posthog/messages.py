"""Lists of messages: first read into entries, then laid out as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptstore.formatters.jsontext import python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.content import UnreadableError, call_text, content_text
from promptstore.formatters.posthog.items import is_item, item_text
from promptstore.formatters.posthog.tools import tools_section
from promptstore.formatters.shortening import shorten

DASH: Final = "-" * 80


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list of messages, ready to be laid out.

    Attributes:
        number: Its place in the list, from 1.
        role: Its heading.
        text: Its text, shortened where that is wanted.
        calls: The calls of tools, or None where there are none.
        is_last: Whether nothing stands behind it in the list.
    """

    number: int
    role: str
    text: str
    calls: Sequence[str] | None
    is_last: bool


def message_lines(messages: Sequence[Any], options: TextReprOptions) -> list[str]:
    """Lay out a list of messages; what PostHog fails on is mended first.

    Args:
        messages: The list. What is not an object is left out, but keeps its number.
        options: The options.

    Returns:
        The lines.
    """
    return _lines(messages, options, _read_or_mend)


def strict_message_lines(messages: Sequence[Any], options: TextReprOptions) -> list[str]:
    """Lay out a list of messages as far as PostHog can.

    Args:
        messages: The list.
        options: The options.

    Returns:
        The lines.

    Raises:
        UnreadableError: PostHog fails on one of them.
    """
    return _lines(messages, options, _read)


def _lines(
    messages: Sequence[Any],
    options: TextReprOptions,
    read: Callable[[int, Mapping[str, Any], bool, TextReprOptions], Entry],
) -> list[str]:
    lines: list[str] = []
    for number, message in enumerate(messages, 1):
        if isinstance(message, dict):
            lines += _entry_lines(read(number, message, number == len(messages), options))
    return lines


def content_line(content: str, options: TextReprOptions) -> str:
    """Shorten a content where that is wanted."""
    if not options.truncated:
        return content
    return shorten(content, options.truncate_buffer, markers=options.include_markers)


def choice_messages(choices: Any) -> list[dict[str, Any]]:
    """Get the messages out of the choices of a model.

    Args:
        choices: The value of ``$ai_output_choices``.

    Returns:
        The messages, reduced to the keys that PostHog shows.
    """
    if isinstance(choices, dict):
        choices = choices.get("choices")
    if not isinstance(choices, list):
        return []
    found = (_choice_message(choice) for choice in choices if isinstance(choice, dict))
    return [message for message in found if message is not None]


def _choice_message(choice: dict[str, Any]) -> dict[str, Any] | None:
    if _is_item_or_mended(choice):
        return choice
    message = choice.get("message")
    if not (isinstance(message, dict) and message):
        if "role" not in choice and "content" not in choice:
            return None
        message = choice
    content = message.get("content", "")
    calls = message.get("tool_calls", [])
    if isinstance(content, list):
        calls = _functions_of(content) or calls
    return {"role": message.get("role", "assistant"), "content": content, "tool_calls": calls}


def _is_item_or_mended(choice: dict[str, Any]) -> bool:
    try:
        return is_item(choice)
    except UnreadableError:
        return is_item(_mended(choice))


def _functions_of(content: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"function": block["function"]}
        for block in content
        if isinstance(block, dict)
        and block.get("type") in ("tool-call", "function")
        and isinstance(block.get("function"), dict)
    ]


def _read_or_mend(
    number: int, message: Mapping[str, Any], is_last: bool, options: TextReprOptions
) -> Entry:
    try:
        return _read(number, message, is_last, options)
    except UnreadableError:
        return _read(number, _mended(message), is_last, options)


def _read(
    number: int, message: Mapping[str, Any], is_last: bool, options: TextReprOptions
) -> Entry:
    role = message.get("role") or message.get("type") or "unknown"
    if message.get("type") == "additional_tools":
        text = _catalogue_text(message, options)
    else:
        text = content_line(_message_text(message), options)
    return Entry(number, python_text(role).upper(), text, _read_calls(message), is_last)


def _catalogue_text(message: Mapping[str, Any], options: TextReprOptions) -> str:
    lines = tools_section(message.get("tools"), options)
    return "\n".join(lines) if lines else "[tool catalog not recorded]"


def _message_text(message: Mapping[str, Any]) -> str:
    text = item_text(message)
    if text is not None:
        return text
    content = message.get("content")
    return content_text(content) if content else ""


def _read_calls(message: Mapping[str, Any]) -> Sequence[str] | None:
    calls = message.get("tool_calls")
    if not calls:
        return None
    if not isinstance(calls, list | dict | str):
        raise UnreadableError
    return [_read_call(call) for call in calls]


def _read_call(call: Any) -> str:
    if not isinstance(call, dict):
        return python_text(call)
    function = call.get("function")
    if isinstance(function, dict):
        return call_text(function.get("name", "unknown"), function.get("arguments", ""))
    return call_text(call.get("name", "unknown"), call.get("args", ""))


def _mended(message: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a message with what PostHog fails on put into a form that can be shown."""
    copy = dict(message)
    if isinstance(copy.get("type"), list | dict):
        copy["type"] = python_text(copy["type"])
    calls = copy.get("tool_calls")
    if calls and not isinstance(calls, list | dict | str):
        copy["tool_calls"] = [calls]
    if "partial_json" in copy and not isinstance(copy["partial_json"], str):
        copy["input"] = copy.get("input") or copy.pop("partial_json")
    for key in ("content", "output", "summary"):
        if isinstance(copy.get(key), list):
            copy[key] = [_mended(item) if isinstance(item, dict) else item for item in copy[key]]
    return copy


def _entry_lines(entry: Entry) -> list[str]:
    lines = ["", f"[{entry.number}] {entry.role}", ""]
    if entry.text:
        lines.append(entry.text)
    if entry.calls is not None:
        lines += ["", f"Tool calls: {len(entry.calls)}"]
        lines += [f"  - {call}" for call in entry.calls]
    if not entry.is_last:
        lines += ["", DASH]
    return lines
