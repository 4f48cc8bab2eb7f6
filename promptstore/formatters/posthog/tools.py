"""The tools that a model was offered, one signature each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptstore.formatters.jsontext import one_line, python_text
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.shortening import Marker, Piece

_NO_DESCRIPTION: Final = "N/A"
_SHOWN: Final = 100  # characters of a tool that is not understood


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


def tools_section(tools: Any, options: TextReprOptions) -> list[Piece]:
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
    return ["", Marker(f"<<<TOOLS_EXPANDABLE|{title}|", body, ">>>")]


def _entries(tools: Any) -> Sequence[Any]:
    if isinstance(tools, dict):
        return list(tools.values())
    return tools if isinstance(tools, list) else ()


def _list_text(entries: Sequence[Any]) -> str:
    lines: list[str] = []
    for tool in _read(entries):
        lines += ["", f"  {python_text(tool.name)}({_parameters(tool.schema)})"]
        description = tool.description
        if isinstance(description, str) and description and description != _NO_DESCRIPTION:
            lines.append(f"    {_first_sentence(description)}")
    return "\n".join(lines)


def _read(entries: Sequence[Any]) -> Iterator[Tool]:
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
