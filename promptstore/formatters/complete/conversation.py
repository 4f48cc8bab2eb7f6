"""Messages as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.complete.writing import (
    DASH,
    Writer,
    call_text,
    escaped,
    scalar_text,
)
from promptstore.formatters.messages import Call, Data, Media, Message, Part, Result, Text

_SHORT: Final = 100  # characters of a fact that stands in the heading


def write_messages(messages: Sequence[Message], writer: Writer) -> None:
    """Lay out messages under numbered headings.

    Args:
        messages: The messages.
        writer: Takes the lines.
    """
    for number, message in enumerate(messages, 1):
        if number > 1:
            writer.add("", DASH)
        heading = f"[{number}] {escaped(message.role)}".rstrip(" ")
        short, long = _split(message.facts) if message.facts else ("", {})
        writer.add("", f"{heading} ({short})" if short else heading)
        write_parts(message.parts, writer)
        if long:
            write_parts([Data(long)], writer)


def write_parts(parts: Sequence[Part], writer: Writer) -> None:
    """Lay out the parts of a message, each behind an empty line.

    Args:
        parts: The parts.
        writer: Takes the lines.
    """
    for part in parts:
        writer.add("")
        if isinstance(part, Text):
            if part.label:
                writer.add(f"[{part.label}]", *([""] if part.text else []))
            if part.text:
                writer.add_content(part.text)
        elif isinstance(part, Media):
            writer.add(_media_line(part))
        elif isinstance(part, Call):
            writer.add(f"[tool call{_id(part.id)}]", "")
            writer.add_content(call_text(part.name, part.arguments))
        elif isinstance(part, Result):
            _write_result(part, writer)
        else:
            writer.add_outline(part.value)


def _write_result(result: Result, writer: Writer) -> None:
    name = f" of {escaped(result.name)}" if result.name else ""
    error = " (error)" if result.is_error else ""
    writer.add(f"[tool result{_id(result.call_id)}{name}{error}]")
    write_parts(result.parts, writer)


def _media_line(media: Media) -> str:
    size = "" if media.size is None else f"{media.size:,} bytes"
    facts = [escaped(fact) for fact in (media.name, media.media_type, size, media.source) if fact]
    return f"[{escaped(media.kind)}: {', '.join(facts)}]" if facts else f"[{escaped(media.kind)}]"


def _id(call_id: str) -> str:
    return f" {escaped(call_id)}" if call_id else ""


def _split(facts: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the facts that fit into a heading, and give the others."""
    short = {key: value for key, value in facts.items() if _is_short(value)}
    shown = ", ".join(f"{escaped(key)}: {scalar_text(value)}" for key, value in short.items())
    return shown, {key: value for key, value in facts.items() if key not in short}


def _is_short(value: Any) -> bool:
    if isinstance(value, Mapping | list):
        return False
    return not isinstance(value, str) or (len(value) <= _SHORT and "\n" not in value)
