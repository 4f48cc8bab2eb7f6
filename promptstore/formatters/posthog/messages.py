"""Lists of messages, and the tools that a model was offered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


class MessageLayout:
    """Lays out messages and tools as PostHog does.

    Args:
        options: The options.
    """

    def __init__(self, options: TextReprOptions) -> None:
        self.options = options

    def content(self, content: str) -> list[str]:
        """Shorten a content where that is wanted."""
        options = self.options
        if not options.truncated or len(content) <= options.truncate_buffer:
            return [content]
        return shorten(content, options.truncate_buffer, markers=options.include_markers)

    def messages(self, messages: Sequence[Any], *, is_strict: bool = False) -> list[str]:
        """Lay out a list of messages.

        Args:
            messages: The list. What is not an object is left out, but keeps its number.
            is_strict: Whether what PostHog fails on is an error; else it is mended first.

        Returns:
            The lines.

        Raises:
            UnreadableError: PostHog fails on one of them.
        """
        lines: list[str] = []
        try:
            for number, message in enumerate(messages[:_MOST], 1):
                if isinstance(message, dict):
                    self._add_message(number, message, lines)
                    if number < len(messages):
                        lines += ("", DASH)
        except UnreadableError:
            if is_strict:
                raise
            return self.messages(_all_mended(messages), is_strict=True)
        if (left := len(messages) - _MOST) > 0:
            lines += ("", f"[{left:,} more messages are not shown]")
        return lines

    def tools(self, tools: Any) -> list[str]:
        """Lay out the tools of a model; many are hidden in a marker or only counted."""
        entries = list(tools.values()) if isinstance(tools, dict) else tools
        if not entries or not isinstance(entries, list):
            return []
        title = f"AVAILABLE TOOLS: {len(entries)}"
        if len(entries) <= self.options.tools_collapse_threshold:
            return ["", title, _tools_text(entries)]
        if not self.options.include_markers:
            return ["", f"[+] {title}"]
        body = f"{title}\n{_tools_text(entries)}"
        return ["", f"<<<TOOLS_EXPANDABLE|{title}|{hidden(body)}>>>"]

    def _add_message(self, number: int, message: Mapping[str, Any], lines: list[str]) -> None:
        kind = message.get("type")
        role = message.get("role") or kind or "unknown"
        lines += ("", f"[{number}] {python_text(role).upper()}", "")
        text = None if kind is None else item_text(message)
        if kind == "additional_tools":
            lines += self.tools(message.get("tools")) or ["[tool catalog not recorded]"]
        elif text is not None:
            lines += self.content(text) if text else [NOT_RECORDED[str(kind)]]
        elif content := message.get("content"):
            content = content if isinstance(content, str) else content_text(content)
            lines += self.content(content) if content else ()
        if calls := message.get("tool_calls"):
            if not isinstance(calls, list | dict | str):
                raise UnreadableError
            lines += ("", f"Tool calls: {len(calls)}")
            lines += [f"  - {_read_call(call)}" for call in calls]


def choice_messages(choices: Any, *, is_strict: bool = False) -> list[dict[str, Any]]:
    """Return the messages of the choices of a model, reduced to the keys that PostHog shows.

    Args:
        choices: The choices, or an object around them.
        is_strict: Whether what PostHog fails on is an error; else it is mended first.

    Returns:
        The messages.

    Raises:
        UnreadableError: PostHog fails on one of them.
    """
    choices = choices.get("choices") if isinstance(choices, dict) else choices
    if not isinstance(choices, list):
        return []
    try:
        found = [_choice_message(choice) for choice in choices if isinstance(choice, dict)]
    except UnreadableError:
        if is_strict:
            raise
        return choice_messages(_all_mended(choices), is_strict=True)
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


def _tools_text(entries: Sequence[Any]) -> str:
    lines: list[str] = []
    for name, description, schema in _read_tools(entries):
        lines += ["", f"  {python_text(name)}({_parameters(schema)})"]
        if isinstance(description, str) and description and description != _NO_DESCRIPTION:
            lines.append(f"    {_first_sentence(description)}")
    return "\n".join(lines)


def _read_tools(entries: Sequence[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Read the name, the description and the schema of each tool, whatever they are."""
    for entry in entries:
        bundle = entry.get("functionDeclarations") if isinstance(entry, dict) else None
        for tool in bundle if isinstance(bundle, list) else [entry]:
            if not isinstance(tool, dict):
                continue
            function = tool.get("function")
            if isinstance(function, dict):
                description = function.get("description", _NO_DESCRIPTION)
                yield function.get("name", "unknown"), description, function.get("parameters")
            elif "name" in tool:
                schemas = (tool.get(key) for key in ("input_schema", "inputSchema", "parameters"))
                schema = next((found for found in schemas if found), None)
                yield tool["name"], tool.get("description", _NO_DESCRIPTION), schema
            else:
                yield tool.get("type", "UNKNOWN"), one_line(tool)[:_SHOWN], None


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
