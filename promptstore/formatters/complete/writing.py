"""Write strings and JSON so that content cannot be taken for what the layout adds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from promptstore.formatters.complete.binary import without_bytes
from promptstore.formatters.complete.model import (
    KINDS,
    LABELS,
    Call,
    Media,
    Message,
    Part,
    Result,
    Text,
)
from promptstore.formatters.finishing import shorten_exactly
from promptstore.formatters.jsontext import is_numbers, load_exact, one_line
from promptstore.formatters.options import TextReprOptions

DASH: Final = "-" * 80
RULE: Final = "=" * 80

_ENDS: Final = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"  # of lines, for whoever reads the text
_LINE_ENDS: Final = re.compile(f"[{_ENDS}]+")
_HEADINGS: Final = "|".join(
    [r"\d+\]", "tool call", "tool result", "SAMPLED VIEW"]
    + [rf"{label}\]" for label in LABELS]
    + [rf"{kind}[\]:]" for kind in KINDS]
)
_FORGED: Final = re.compile(  # one character first, since the search for it is fast
    rf"""[<\[.=-](?:
        (?<=<)(?=<<)
        | (?<![^{_ENDS}][\[.=-])(?:
            (?<=[=-])(?=[=-]{{79}}\ *(?:[{_ENDS}]|\Z))
            | (?<=\[)(?=(?:{_HEADINGS.replace(" ", "[ ]")}))
            | (?<=\.)(?=\.\.[ ]\(\d+[ ]chars[ ]truncated)
        )
    )""",
    re.VERBOSE,
)
_NOTE: Final = " chars truncated"
_DEEPEST: Final = 20  # levels that get an indentation of their own
_SHORT: Final = 200  # characters of arguments that stand on one line
_UNREADABLE: Final = ("\\", "\n", "base64,")
_FEW: Final = 20  # numbers that get lines of their own
_SHORT_FACT: Final = 100  # characters of a fact that stands in the heading
_ROOM: Final = 150_000  # lines of JSON; what comes then stands on one line


class Writer:
    """Collect lines, and whether something of it was taken out.

    Args:
        options: The options.

    Attributes:
        options: The options.
        lines: The lines.
        is_shortened: Whether something was taken out.
    """

    def __init__(self, options: TextReprOptions) -> None:
        self.options = options
        self.is_shortened = False
        self.lines: list[str] = []
        self._room = _ROOM

    @property
    def has_room(self) -> bool:
        """Whether JSON still gets lines of its own."""
        return self._room > 0

    def add(self, *lines: str) -> None:
        """Add lines of the layout's own."""
        self.lines += lines

    def add_content(self, text: str) -> None:
        """Add a content, escaped, and shortened where that is wanted.

        Args:
            text: The text; one that was escaped before stays as it is.
        """
        text = without_bytes(text)
        cut = self._cut(text)
        if cut is None:
            self.lines.append(escaped(text))
            return
        self.is_shortened = True
        start, note, end = cut  # escaped only now, since a cut may make a line look like ours
        self.lines += [escaped(start), "", note, "", escaped(end)]

    def add_outline(self, value: Any) -> None:
        """Add JSON as lines of keys and values, numbers as one line; shortened like a content."""
        self.add_content(one_line(value) if is_numbers(value) else "\n".join(self.outline(value)))

    def add_messages(self, messages: Sequence[Message]) -> None:
        """Add messages under numbered headings."""
        for number, message in enumerate(messages, 1):
            if number > 1:
                self.add("", DASH)
            heading = f"[{number}] {escaped(message.role)}".rstrip(" ")
            short, long = _split(message.facts) if message.facts else ("", {})
            self.add("", f"{heading} ({short})" if short else heading)
            self.add_parts(message.parts)
            if long:
                self.add("")
                self.add_outline(long)

    def add_parts(self, parts: Sequence[Part]) -> None:
        """Add the parts of a message, each behind an empty line."""
        for part in parts:
            self.add("")
            if isinstance(part, Text):
                if part.label:
                    self.add(f"[{part.label}]", *([""] if part.text else []))
                if part.text:
                    self.add_content(part.text)
            elif isinstance(part, Media):
                self.add(_media_line(part))
            elif isinstance(part, Call):
                self.add(f"[tool call{_id(part.id)}]", "")
                self.add_content(self._call_text(part.name, part.arguments))
            elif isinstance(part, Result):
                name = f" of {escaped(part.name)}" if part.name else ""
                error = " (error)" if part.is_error else ""
                self.add(f"[tool result{_id(part.call_id)}{name}{error}]")
                self.add_parts(part.parts)
            else:
                self.add_outline(part.value)

    def outline(self, value: Any, depth: int = 0) -> list[str]:
        """Lay JSON out as lines of keys and values.

        Args:
            value: Any JSON.
            depth: How far the first lines are indented, in levels.

        Returns:
            The lines. A string of several lines starts on a line of its own and is not indented,
            so that it stays as it is.
        """
        if not isinstance(value, dict | list):
            return [scalar_text(value)]
        lines: list[str] = []
        rows = [_items(value)]
        while rows:
            indent = "  " * min(len(rows) - 1 + depth, _DEEPEST)
            if self._room <= 0:
                lines.append(indent + _rest_text(rows.pop()))
                continue
            if (found := next(rows[-1], None)) is None:
                rows.pop()
                continue
            self._room -= 1
            key, item = found
            start = indent + ("-" if key is None else f"{escaped(str(key))}:")
            if isinstance(item, dict | list) and item and not _is_vector(item):
                lines.append(start)
                rows.append(_items(item))
                continue
            text = scalar_text(item)
            lines += [start, text] if "\n" in text else [f"{start} {text}" if text else start]
        return lines or ["{}" if isinstance(value, dict) else "[]"]

    def _call_text(self, name: str, arguments: Any) -> str:
        """Write a call of a tool: as a line of code where that is readable, else key by key."""
        arguments = decoded(arguments)
        if arguments in (None, "", {}, "{}"):
            return escaped(f"{name}()")
        if isinstance(arguments, str):
            return escaped(f"{name}({without_bytes(arguments)})")
        if isinstance(arguments, dict):
            pairs = [f"{key}={one_line(value, escaped=False)}" for key, value in arguments.items()]
            line = f"{name}({', '.join(pairs)})"
        else:
            line = f"{name}({one_line(arguments, escaped=False)})"
        is_readable = len(line) <= _SHORT and not any(
            sign in line for sign in ("\\", "\n", "base64,")
        )
        if is_readable or is_numbers(arguments) or not isinstance(arguments, dict | list):
            return escaped(line)
        return "\n".join([escaped(name), *self.outline(arguments, depth=1)])

    def _cut(self, text: str) -> tuple[str, str, str] | None:
        if not self.options.truncated:
            return None
        markers = self.options.include_markers
        return shorten_exactly(text, self.options.truncate_buffer, markers=markers)


def escaped(text: str) -> str:
    r"""Escape with a backslash what in a content would look like a marker, a rule or a heading.

    ``<<<`` becomes ``<\<<`` and a line that looks like one of the layout's own starts with ``\``.
    """
    if "[" in text or "<<<" in text or DASH in text or RULE in text or _NOTE in text:
        return _FORGED.sub(_backslash, text)  # seldom needed, and slower than the questions
    return text


def _backslash(match: re.Match[str]) -> str:
    return "<\\" if match[0] == "<" else f"\\{match[0]}"


def one_row(text: str) -> str:
    """Return an escaped string on one line."""
    return _LINE_ENDS.sub(" ", text)


def decoded(value: Any) -> Any:
    """Decode a string that is JSON of a list or an object, also when it was encoded twice."""
    for _ in range(3):
        if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{", '"'):
            return value
        inner = load_exact(value)
        if not inner or not isinstance(inner, str | list | dict):
            return value
        if isinstance(inner, str) and inner.lstrip()[:1] not in ("[", "{", '"'):
            return value
        value = inner
    return value


def scalar_text(value: Any) -> str:
    """Write a value that is no list and no object: a string as it is, all else as JSON."""
    return escaped(without_bytes(value)) if isinstance(value, str) else one_line(value)


def _items(value: dict[str, Any] | list[Any]) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return ((None, item) for item in value)


def _is_vector(value: Any) -> bool:
    return len(value) > _FEW and is_numbers(value)


def _rest_text(rest: Iterator[tuple[Any, Any]]) -> str:
    """Write what is left of an object or a list on one line."""
    items = list(rest)
    if not items:
        return ""
    is_list = items[0][0] is None
    return escaped(one_line([i for _, i in items] if is_list else dict(items), escaped=False))


def _media_line(media: Media) -> str:
    size = "" if media.size is None else f"{media.size:,} bytes"
    facts = [escaped(fact) for fact in (media.name, media.media_type, size, media.source) if fact]
    return f"[{escaped(media.kind)}: {', '.join(facts)}]" if facts else f"[{escaped(media.kind)}]"


def _id(call_id: str) -> str:
    return f" {escaped(call_id)}" if call_id else ""


def _split(facts: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the facts that fit into a heading, and return the others."""
    short = {key: value for key, value in facts.items() if _is_short(value)}
    shown = ", ".join(f"{escaped(key)}: {scalar_text(value)}" for key, value in short.items())
    return shown, {key: value for key, value in facts.items() if key not in short}


def _is_short(value: Any) -> bool:
    if isinstance(value, Mapping | list):
        return False
    return not isinstance(value, str) or (len(value) <= _SHORT_FACT and "\n" not in value)
