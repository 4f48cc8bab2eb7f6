"""A prompt → its file, in one canonical style that every reader, 1.1 or 1.2, takes the same way.

Multi-line strings are literal blocks, others are plain where that is safe and double-quoted where
it is not. Nothing is ever wrapped, so a string changes only in the lines that changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from promptstore.errors import PromptFileError
from promptstore.model.faults import refuse
from promptstore.model.prompt import Prompt
from promptstore.promptfile.reader import is_string_everywhere, loads

MAX_FLOW_WIDTH: Final = 100
MAX_IMPLICIT_KEY: Final = 1024
INDENT: Final = "  "

_STARTS_PLAIN: Final = re.compile(r"[^\W\d_]")
_ENDS_PLAIN: Final = re.compile(r"\s#|:(?:\s|$)")
_ENDS_PLAIN_IN_FLOW: Final = re.compile(r"[:#,?\[\]{}]")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PRINTABLE: Final = re.compile(
    "[\t\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)


def write_mapping(values: Mapping[str, Any], indent: str = "", *, blocks: bool = True) -> str:
    """Write a mapping in block style.

    Args:
        values: The plain values by key.
        indent: What each line starts with.
        blocks: Whether strings may be literal blocks.

    Returns:
        Whole lines, each with its line end.
    """
    return "".join(write_entry(key, value, indent, blocks=blocks) for key, value in values.items())


def write_entry(key: str, value: Any, indent: str = "", *, blocks: bool = True) -> str:
    """Write one key with its value, as whole lines."""
    written = write_key(key)
    # A longer key must be announced (YAML 1.2, section 7.4.2).
    opened = f"? {written}\n{indent}" if len(written) > MAX_IMPLICIT_KEY else written
    return f"{indent}{opened}:{write_block(value, indent, blocks=blocks)}\n"


def write_items(values: list[Any], indent: str, *, blocks: bool = True) -> str:
    """Write the items of a list in block style, as whole lines."""
    return "".join(write_item(value, indent, blocks=blocks) for value in values)


def write_item(value: Any, indent: str, *, blocks: bool = True) -> str:
    """Write one item of a list, as whole lines; a mapping starts on the line of the dash."""
    inner = ""
    if isinstance(value, dict):
        inner = write_mapping(value, indent + INDENT, blocks=blocks)
    elif isinstance(value, list):
        inner = write_items(value, indent + INDENT, blocks=blocks)
    if inner:
        return f"{indent}- {inner[len(indent) + 2 :]}"
    return f"{indent}-{write_block(value, indent, blocks=blocks)}\n"


def write_block(value: Any, indent: str, *, blocks: bool = True) -> str:
    """Write a value after its key or dash: a space and the value, or lines below.

    Args:
        value: The plain value.
        indent: The indent of the key or dash.
        blocks: Whether strings may be literal blocks.

    Returns:
        The text, without the last line end.
    """
    if isinstance(value, dict) and value:
        return "\n" + write_mapping(value, indent + INDENT, blocks=blocks)[:-1]
    if isinstance(value, list) and value:
        return "\n" + write_items(value, indent + INDENT, blocks=blocks)[:-1]
    if blocks and isinstance(value, str) and can_be_block(value):
        return " " + write_literal(value, indent + INDENT)
    return " " + write_flow(value)


def write_flow(value: Any, *, inside: bool = False) -> str:
    """Write a value on one line.

    Args:
        value: The plain value.
        inside: Whether it stands inside ``{…}`` or ``[…]``, where a plain string may hold less.
    """
    return _FLOW[type(value)](value, inside)


def write_key(key: str) -> str:
    """Write a key: plain where that is safe, else double-quoted."""
    if _PLAIN_KEY.fullmatch(key) and is_string_everywhere(key):
        return key
    return write_quoted(key)


def write_string(text: str, *, inside: bool = False) -> str:
    """Write a string on one line: plain where that is safe, else double-quoted."""
    if not _STARTS_PLAIN.match(text) or text[-1].isspace() or not text.isprintable():
        return write_quoted(text)
    ends = _ENDS_PLAIN_IN_FLOW if inside else _ENDS_PLAIN
    if is_string_everywhere(text) and not ends.search(text):
        return text
    return write_quoted(text)


def write_quoted(text: str) -> str:
    """Write a string in double quotes, everything that is not plainly visible as an escape."""
    written = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(_escape, written)


def can_be_block(text: str) -> bool:
    """Return whether a string is written as a literal block."""
    return "\n" in text and bool(text.strip("\n ")) and _PRINTABLE.fullmatch(text) is not None


def write_literal(text: str, indent: str, step: int = len(INDENT)) -> str:
    """Write a string as a literal block, from its ``|`` to its last line, without the line end.

    Args:
        text: The text, for which `can_be_block` holds.
        indent: What each of its lines starts with.
        step: How much more that is than what its key or dash has before it, from 1 to 9.
    """
    body = text.rstrip("\n")
    breaks = len(text) - len(body)
    chomping = {0: "-", 1: ""}.get(breaks, "+")
    first = next(line for line in body.split("\n") if line)
    # Without an indicator a reader takes the indent of the first line that is not empty.
    needs_indicator = first[0] in " \t" or body[0] == "\n"
    header = f"|{step if needs_indicator else ''}{chomping}"
    lines = [indent + line if line else "" for line in body.split("\n")]
    return "\n".join([header, *lines, *[""] * (breaks - 1)])


_ESCAPED: Final = re.compile(
    "[\x7f-\xa0\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\uffff]|[\ud800-\udfff]"
)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _flow_mapping(value: Mapping[str, Any], _inside: bool) -> str:
    return "{" + ", ".join(_flow_entry(key, item) for key, item in value.items()) + "}"


def _flow_entry(key: str, value: Any) -> str:
    written = write_key(key)
    opened = f"? {written} " if len(written) > MAX_IMPLICIT_KEY else written
    return f"{opened}: {write_flow(value, inside=True)}"


def _flow_list(value: list[Any], _inside: bool) -> str:
    return "[" + ", ".join(write_flow(item, inside=True) for item in value) + "]"


def _float(value: float, _inside: bool) -> str:
    # YAML 1.1 readers take 1e+20 for a string: they want a dot.
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


_FLOW: Final[dict[type, Callable[[Any, bool], str]]] = {
    type(None): lambda _value, _inside: "null",
    bool: lambda value, _inside: "true" if value else "false",
    int: lambda value, _inside: str(value),
    float: _float,
    str: lambda value, inside: write_string(value, inside=inside),
    dict: _flow_mapping,
    list: _flow_list,
}


def dumps(prompt: Prompt) -> str:
    """Write a prompt as the text of a file, in canonical style.

    Args:
        prompt: The prompt; its identity in git (name, version and so on) is not written.

    Returns:
        The text of the file, with one line end at its end.

    Raises:
        InvalidArgumentError: No file can hold it.
    """
    text = "".join(write_top_entry(key, value) for key, value in prompt.content.items())
    try:
        loads(text.encode())
    except PromptFileError as error:
        raise refuse(error.problems) from error
    return text


def write_top_entry(key: str, value: Any, *, blocks: bool = True) -> str:
    """Write one key at the top of a file with its value, as whole lines.

    Args:
        key: The key.
        value: Its plain value.
        blocks: Whether strings may be literal blocks.

    Returns:
        The lines, each with its line end.
    """
    if key == "variables" and value:
        lines = (write_variable(name, item, blocks=blocks) for name, item in value.items())
        return f"{key}:\n{''.join(lines)}"
    if key == "tags":
        line = f"{key}: {write_flow(value)}\n"
        if len(line) <= MAX_FLOW_WIDTH + 1:
            return line
    return write_entry(key, value, blocks=blocks)


def write_variable(
    name: str, declared: Mapping[str, Any] | None, indent: str = INDENT, *, blocks: bool = True
) -> str:
    """Write the declaration of one variable, on one line where it fits there."""
    line = f"{indent}{write_key(name)}: {write_flow(declared)}\n"
    is_short = len(line) <= MAX_FLOW_WIDTH + 1
    return line if is_short else write_entry(name, declared, indent, blocks=blocks)
