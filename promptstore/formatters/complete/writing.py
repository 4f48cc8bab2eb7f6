"""Writing texts and JSON so that content cannot be taken for what the layout adds."""

from __future__ import annotations

import re
from typing import Any, Final

from promptstore.formatters.binary import without_bytes
from promptstore.formatters.jsontext import is_numbers, load_json, one_line
from promptstore.formatters.messages import KINDS, LABELS
from promptstore.formatters.options import TextReprOptions
from promptstore.formatters.shortening import Piece, shorten_exactly

DASH: Final = "-" * 80
RULE: Final = "=" * 80

_ENDS: Final = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"  # of lines, for whoever reads the text
_LINE_ENDS: Final = re.compile(f"[{_ENDS}]+")
_HEADINGS: Final = "|".join(
    [r"\d+\]", "tool call", "tool result", "SAMPLED VIEW"]
    + [rf"{label}\]" for label in LABELS]
    + [rf"{kind}[\]:]" for kind in KINDS]
)
_FORGED: Final = re.compile(  # one letter first, since the search for it is fast
    rf"""[<\[.=-](?:
        (?<=<)(?=<<)
        | (?<![^{_ENDS}][\[.=-])(?:
            (?<=[=-])(?=[=-]{{79}}(?:[{_ENDS}]|\ *$))
            | (?<=\[)(?=(?:{_HEADINGS.replace(" ", "[ ]")}))
            | (?<=\.)(?=\.\.[ ]\(\d+[ ]chars[ ]truncated)
        )
    )""",
    re.MULTILINE | re.VERBOSE,
)
_NOTE: Final = " chars truncated"
_DEEPEST: Final = 20  # levels that get an indentation of their own
_SHORT: Final = 200  # characters of arguments that stand on one line


class Writer:
    """Collects the lines of a text, and whether something of it was taken out.

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
        self.lines: list[Piece] = []

    def add(self, *lines: str) -> None:
        """Add lines of the layout's own."""
        self.lines += lines

    def add_content(self, text: str) -> None:
        """Add a content, escaped, and shortened where that is wanted.

        Args:
            text: The text; one that was escaped before stays as it is.
        """
        cut = self._cut(text)
        if cut is None:
            self.lines.append(escaped(text))
            return
        self.is_shortened = True
        start, note, end = cut  # escaped only now, since a cut may make a line look like ours
        self.lines += [escaped(start), "", note, "", escaped(end)]

    def add_outline(self, value: Any) -> None:
        """Add JSON as lines of keys and values, numbers as one line; shortened like a content."""
        self.add_content(one_line(value) if is_numbers(value) else "\n".join(outline(value)))

    def _cut(self, text: str) -> tuple[str, Piece, str] | None:
        if not self.options.truncated:
            return None
        markers = self.options.include_markers
        return shorten_exactly(text, self.options.truncate_buffer, markers=markers)


def escaped(text: str) -> str:
    r"""Put a backslash where a content would look like a marker, a rule or a heading.

    ``<<<`` becomes ``<\<<`` and a line that looks like one of the layout's own starts with ``\``.
    """
    if "[" in text or "<<<" in text or DASH in text or RULE in text or _NOTE in text:
        return _FORGED.sub(_backslash, text)  # seldom needed, and slower than the questions
    return text


def _backslash(match: re.Match[str]) -> str:
    return "<\\" if match[0] == "<" else f"\\{match[0]}"


def one_row(text: str) -> str:
    """Put a text that was escaped on one line."""
    return _LINE_ENDS.sub(" ", text)


def decoded(value: Any) -> Any:
    """Decode a text that is JSON of a list or an object, also when it was encoded twice."""
    for _ in range(3):
        if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{", '"'):
            return value
        inner = load_json(value)
        if not inner or not isinstance(inner, str | list | dict):
            return value
        if isinstance(inner, str) and inner.lstrip()[:1] not in ("[", "{", '"'):
            return value
        value = inner
    return value


def scalar_text(value: Any) -> str:
    """Write a value that is no list and no object: a text as it is, all else as JSON."""
    return escaped(without_bytes(value)) if isinstance(value, str) else one_line(value)


def call_text(name: str, arguments: Any) -> str:
    """Write a call of a tool: as a line of code where that is readable, else key by key."""
    arguments = decoded(arguments)
    if arguments in (None, "", {}, "{}"):
        return escaped(f"{name}()")
    if not isinstance(arguments, dict):
        return escaped(f"{name}({_plain(arguments)})")
    pairs = [f"{key}={one_line(value, escaped=False)}" for key, value in arguments.items()]
    line = f"{name}({', '.join(pairs)})"
    if len(line) <= _SHORT and "\\" not in line and "\n" not in line:
        return escaped(line)
    return "\n".join([escaped(name), *outline(arguments, depth=1)])


def outline(value: Any, depth: int = 0) -> list[str]:
    """Lay JSON out as lines of keys and values.

    Args:
        value: Any JSON.
        depth: How far the first lines are indented, in levels.

    Returns:
        The lines. A text of several lines starts on a line of its own and is not indented, so
        that it stays as it is.
    """
    if not isinstance(value, dict | list):
        return [scalar_text(value)]
    lines: list[str] = []
    todo = [(head, item, depth) for head, item in reversed(_heads(value))]
    while todo:
        head, item, level = todo.pop()
        start = "  " * min(level, _DEEPEST) + head
        if isinstance(item, dict | list) and item:
            lines.append(start)
            todo += [(head, inner, level + 1) for head, inner in reversed(_heads(item))]
            continue
        text = scalar_text(item)
        lines += (
            [start, text]
            if "\n" in text
            else [f"{start} {text}".rstrip(" ") if not text else f"{start} {text}"]
        )
    return lines or ["{}" if isinstance(value, dict) else "[]"]


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return without_bytes(value)
    line = one_line(value, escaped=False)
    return line if "\\" not in line else "\n".join(["", *outline(value, depth=1), ""])


def _heads(value: dict[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{escaped(str(key))}:", item) for key, item in value.items()]
    return [("-", item) for item in value]
