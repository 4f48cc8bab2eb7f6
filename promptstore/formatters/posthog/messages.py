"""Lists of messages, and the tools that a model was offered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptstore.formatters.finishing import hidden, shorten
from promptstore.formatters.jsontext import one_line, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.posthog.content import (
    NOT_RECORDED,
    UnreadableError,
    call_text,
    content_text,
    is_item,
    item_text,
)

DASH: Final = "-" * 80
_NO_DESCRIPTION: Final = "N/A"
_SHOWN: Final = 100  # characters of a tool that is not understood
_MOST: Final = 500_000  # messages of a list
_SEPARATOR: Final = ("", DASH)
_WITH_LENGTH: Final = (list, dict, str)


@dataclass(slots=True)  # not frozen, which would take three times as long to make
class Entry:
    """One entry of a list of messages, ready to be laid out.

    Attributes:
        role: Its heading.
        lines: Its text, shortened where that is wanted.
        calls: The calls of tools, or None where there are none.
    """

    role: str
    lines: Sequence[str]
    calls: Sequence[str] | None


def message_lines(messages: Sequence[Any], options: TextReprOptions) -> list[str]:
    """Lay out a list of messages; what PostHog fails on is mended first.

    Args:
        messages: The list. What is not an object is left out, but keeps its number.
        options: The options.

    Returns:
        The lines.
    """
    try:
        return strict_message_lines(messages, options)
    except UnreadableError:
        return strict_message_lines(_all_mended(messages), options)


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
    lines: list[str] = []
    for number, message in enumerate(messages, 1):
        if number > _MOST:
            return [*lines, "", f"[{len(messages) - _MOST:,} more messages are not shown]"]
        if isinstance(message, dict):
            _write_entry(number, _read(message, options), lines)
            if number < len(messages):
                lines += _SEPARATOR
    return lines


def content_lines(content: str, options: TextReprOptions) -> list[str]:
    """Shorten a content where that is wanted."""
    if not options.truncated or len(content) <= options.truncate_buffer:
        return [content]
    return shorten(content, options.truncate_buffer, markers=options.include_markers)


def choice_messages(choices: Any) -> list[dict[str, Any]]:
    """Get the messages out of the choices of a model; what PostHog fails on is mended first.

    Args:
        choices: The value of ``$ai_output_choices``.

    Returns:
        The messages, reduced to the keys that PostHog shows.
    """
    if isinstance(choices, dict):
        choices = choices.get("choices")
    if not isinstance(choices, list):
        return []
    try:
        return strict_choice_messages(choices)
    except UnreadableError:
        return strict_choice_messages(_all_mended(choices))


def strict_choice_messages(choices: Sequence[Any]) -> list[dict[str, Any]]:
    """Get the messages out of a list of choices as far as PostHog can.

    Args:
        choices: The list.

    Returns:
        The messages.

    Raises:
        UnreadableError: PostHog fails on one of them.
    """
    found = (_choice_message(choice) for choice in choices if isinstance(choice, dict))
    return [message for message in found if message is not None]


def _choice_message(choice: dict[str, Any]) -> dict[str, Any] | None:
    if is_item(choice):
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


def _functions_of(content: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"function": block["function"]}
        for block in content
        if isinstance(block, dict)
        and block.get("type") in ("tool-call", "function")
        and isinstance(block.get("function"), dict)
    ]


def _read(message: Mapping[str, Any], options: TextReprOptions) -> Entry:
    kind = message.get("type")
    role = message.get("role") or kind or "unknown"
    calls = message.get("tool_calls")
    return Entry(
        role.upper() if isinstance(role, str) else python_text(role).upper(),
        _read_typed(message, kind, options)
        if kind is not None
        else _read_content(message, options),
        _read_calls(calls) if calls else None,
    )


def _read_typed(message: Mapping[str, Any], kind: Any, options: TextReprOptions) -> Sequence[str]:
    if kind == "additional_tools":
        return tools_section(message.get("tools"), options) or ["[tool catalog not recorded]"]
    text = item_text(message)
    if text is None:
        return _read_content(message, options)
    return content_lines(text, options) if text else [NOT_RECORDED[kind]]


def _read_content(message: Mapping[str, Any], options: TextReprOptions) -> Sequence[str]:
    content = message.get("content")
    if content and not isinstance(content, str):
        content = content_text(content)
    return content_lines(content, options) if content else ()


def _read_calls(calls: Any) -> Sequence[str]:
    if not isinstance(calls, _WITH_LENGTH):
        raise UnreadableError
    return [_read_call(call) for call in calls]


def _read_call(call: Any) -> str:
    if not isinstance(call, dict):
        return python_text(call)
    function = call.get("function")
    if isinstance(function, dict):
        return call_text(function.get("name", "unknown"), function.get("arguments", ""))
    return call_text(call.get("name", "unknown"), call.get("args", ""))


def _all_mended(messages: Sequence[Any]) -> list[Any]:
    return [_mended(item) if isinstance(item, dict) else item for item in messages]


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


def _write_entry(number: int, entry: Entry, lines: list[str]) -> None:
    lines += ("", f"[{number}] {entry.role}", "")
    lines += entry.lines
    if entry.calls is not None:
        lines += ("", f"Tool calls: {len(entry.calls)}")
        lines += [f"  - {call}" for call in entry.calls]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        name: Its name.
        description: What it does; may be any JSON.
        schema: The JSON schema of its arguments; may be any JSON.
    """

    name: Any
    description: Any
    schema: Any = None


def tools_section(tools: Any, options: TextReprOptions) -> list[str]:
    """Write the section of tools; many tools are hidden in a marker or only counted.

    Args:
        tools: The value of ``$ai_tools``.
        options: The options.

    Returns:
        The lines.
    """
    entries = _entries(tools)
    if not entries:
        return []
    title = f"AVAILABLE TOOLS: {len(entries)}"
    if len(entries) <= options.tools_collapse_threshold:
        return ["", title, _list_text(entries)]
    if not options.include_markers:
        return ["", f"[+] {title}"]
    body = f"{title}\n{_list_text(entries)}"
    return ["", f"<<<TOOLS_EXPANDABLE|{title}|{hidden(body)}>>>"]


def _entries(tools: Any) -> Sequence[Any]:
    if isinstance(tools, dict):
        return list(tools.values())
    return tools if isinstance(tools, list) else ()


def _list_text(entries: Sequence[Any]) -> str:
    lines: list[str] = []
    for tool in _listed(entries):
        lines += ["", f"  {python_text(tool.name)}({_parameters(tool.schema)})"]
        description = tool.description
        if isinstance(description, str) and description and description != _NO_DESCRIPTION:
            lines.append(f"    {_first_sentence(description)}")
    return "\n".join(lines)


def _listed(entries: Sequence[Any]) -> Iterator[Tool]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        bundle = entry.get("functionDeclarations")
        declared = bundle if isinstance(bundle, list) else [entry]
        yield from (_tool(tool) for tool in declared if isinstance(tool, dict))


def _tool(entry: Mapping[str, Any]) -> Tool:
    function = entry.get("function")
    if isinstance(function, dict):
        name = function.get("name", "unknown")
        description = function.get("description", _NO_DESCRIPTION)
        return Tool(name, description, function.get("parameters"))
    if "name" in entry:
        schemas = (entry.get(key) for key in ("input_schema", "inputSchema", "parameters"))
        schema = next((found for found in schemas if found), None)
        return Tool(entry["name"], entry.get("description", _NO_DESCRIPTION), schema)
    return Tool(entry.get("type", "UNKNOWN"), one_line(entry)[:_SHOWN])


def _parameters(schema: Any) -> str:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return ""
    required = schema.get("required")
    if isinstance(required, list):
        required = {name for name in required if isinstance(name, str)}
    elif not isinstance(required, dict | str):  # PostHog looks into these as well
        required = ()
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {python_text(value.get('type', 'any'))}"
        for name, value in properties.items()
        if isinstance(value, dict)
    )


def _first_sentence(text: str) -> str:
    sentence = text.split("\n", 1)[0].split(". ", 1)[0]
    return sentence if sentence.endswith(".") else f"{sentence}."
