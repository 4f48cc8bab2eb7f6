"""The plain part of YAML, in which nearly every prompt file is written → its value, quickly.

Plain are mappings and lists in block style, literal blocks, texts and flow collections that end on
their line. It takes a third of the time of the parser. Whatever is not certainly plain and sound
is left to the parser, which reads all of YAML and knows the place of every fault; so this module
refuses much that is right, and accepts nothing that is wrong.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final, TypeAlias

from promptstore.model.values import FrozenDict, FrozenList
from promptstore.promptfile.scalars import NOT_TEXTS, resolve_plain

_KEY: Final = r"[A-Za-z_][\w.-]{0,63}+"
_LINES: Final = re.compile(
    rf"""
    (?:\ *+(?:\#[^\n]*+)?\n)++              # blank lines and comments
    | (\ *+)                                # 1: the indent
      (-\ )?+                               # 2: a dash
      (?:({_KEY}):(?:\ ++|(?=\n)))?+        # 3: a key
      (?: \|(-?)\n                          # 4: a literal block, and whether its end is stripped
          ( (\ ++)[^\ \t\n][^\n]*+\n        # 5: its lines; 6: the indent of them all
            (?:\6[^\n]*+\n | \n)*+ )
          (?!\ +\n)                         # no blank line that is indented less: more may follow
        | ([^\n]*+)\n )                     # 7: or what else stands on the line
    """,
    re.VERBOSE | re.ASCII,
)
_ENTRY: Final = re.compile(
    rf"""
    \ *+ (?:({_KEY}):\ ++)?+                # 1: a key
    (?: ((?:[\w.(/+\xa0-\U0010ffff]|-(?=\d))
         [^][{{}},:\#?\t]*+)                # 2: a plain scalar
      | ("(?:[^"\\\t]|\\["\\nt])*+")        # 3: a text in double quotes
      | '([^'\t]*+)'                        # 4: a text in single quotes
      | (?=[\[{{]) )                         # or a collection
    \ *+ (?:([],}}])\ *+)?+                 # 5: what ends it
    """,
    re.VERBOSE | re.ASCII,
)
_MARK: Final = re.compile(r" *+([],}]) *+")
_DEEPEST_INDENT: Final = 40
_DEEPEST_FLOW: Final = 8
_LONGEST_KEPT: Final = 500
"""Longer collections are seldom the same, and would fill the memory."""

_Line: TypeAlias = tuple[str, str, str, str, str, str, str]
_END: Final = ("end",) * 7


class _NotPlainError(Exception):
    """This is for the parser."""


def read_plain(text: str) -> dict[str, Any] | None:
    """Read a mapping that is written plainly.

    Args:
        text: A file's text, without characters that no file may hold.

    Returns:
        Its value; None where the parser has to look.
    """
    if "\r" in text or not text.endswith("\n"):
        return None
    lines: list[_Line] = [*filter(any, _LINES.findall(text))]
    lines.append(_END)
    lines.reverse()
    try:
        value = _mapping(lines, "")
    except (_NotPlainError, ValueError):
        return None
    return value if len(lines) == 1 else None


def _mapping(lines: list[_Line], indent: str) -> dict[str, Any]:
    if len(indent) > _DEEPEST_INDENT:
        raise _NotPlainError
    found: dict[str, Any] = {}
    while True:
        line = lines.pop()
        at, dash, key, strip, block, block_indent, rest = line
        if at != indent:
            break
        if dash or not key or key in found:
            raise _NotPlainError
        if rest:
            found[key] = _scalar(rest)
        elif block:
            found[key] = _literal(block, strip, block_indent, indent)
        else:
            found[key] = _below(lines, indent)
    lines.append(line)
    if not found or not NOT_TEXTS.isdisjoint(found):
        raise _NotPlainError
    return found


def _below(lines: list[_Line], indent: str) -> Any:
    """Read what stands in the lines below a key."""
    following, dash, *_ = lines[-1]
    if following is _END[0]:
        return None
    if dash and len(following) >= len(indent):
        return _list(lines, following)
    return _mapping(lines, following) if len(following) > len(indent) else None


def _list(lines: list[_Line], indent: str) -> list[Any]:
    found: list[Any] = []
    while lines[-1][0] == indent and lines[-1][1]:
        _, _, key, strip, block, block_indent, rest = line = lines[-1]
        if key:
            inner = f"{indent}  "
            lines[-1] = (inner, "", *line[2:])
            found.append(_mapping(lines, inner))
            continue
        lines.pop()
        if block:
            found.append(_literal(block, strip, block_indent, indent))
        elif rest:
            found.append(_scalar(rest))
        else:
            raise _NotPlainError
    return found


def _literal(block: str, strip: str, block_indent: str, indent: str) -> str:
    if len(block_indent) <= len(indent):
        raise _NotPlainError
    text = f"\n{block}".replace(f"\n{block_indent}", "\n").strip("\n")
    return text if strip else f"{text}\n"


def _scalar(text: str) -> Any:
    first = text[0]
    if first.isalnum() or first in "_/.(<$~+" or (first == "-" and text[1:2].isdigit()):
        if ": " in text or " #" in text or "\t" in text or text[-1] == ":":
            raise _NotPlainError
        return resolve_plain(text.rstrip(" "))
    if first in "[{":
        return _flow_kept(text) if len(text) <= _LONGEST_KEPT else _flow(text)
    match = _ENTRY.fullmatch(text)
    key, plain, double, single, mark = match.groups() if match else (None,) * 5
    if key or plain or mark or (double is None and single is None):
        raise _NotPlainError
    return single if double is None else json.loads(double)


def _flow(text: str) -> FrozenDict | FrozenList:
    """Read a collection that is alone on its line."""
    value, end = _collection(text, 0, 1)
    if text[end:].strip(" "):
        raise _NotPlainError
    return value


_flow_kept: Final = lru_cache(maxsize=1024)(_flow)
"""The same, once for each text: the prompts of a library declare the same variables again and
again, which took half of the time of reading a file. What is shared so cannot be changed."""


def _collection(text: str, start: int, depth: int) -> tuple[FrozenDict | FrozenList, int]:
    """Read what stands between brackets or braces, and tell where that ends."""
    if depth > _DEEPEST_FLOW:
        raise _NotPlainError
    is_mapping = text[start] == "{"
    closing = "}" if is_mapping else "]"
    entries: list[tuple[str | None, Any]] = []
    at, mark = start + 1, ","
    if text.startswith(closing, at):
        return (FrozenDict() if is_mapping else FrozenList()), at + 1
    while mark == ",":
        match = _ENTRY.match(text, at)
        if match is None:
            raise _NotPlainError
        key, plain, double, single, mark = match.groups()
        at = match.end()
        if plain:
            value = resolve_plain(plain.rstrip(" "))
        elif double:
            value = json.loads(double)
        elif single is not None:
            value = single
        else:
            value, at, mark = _nested(text, at, depth)
        entries.append((key, value))
    if mark != closing:
        raise _NotPlainError
    return (_mapped(entries) if is_mapping else _listed(entries)), at


def _nested(text: str, start: int, depth: int) -> tuple[Any, int, str]:
    """Read a collection within another one, and the mark that follows it."""
    value, end = _collection(text, start, depth + 1)
    after = _MARK.match(text, end)
    if after is None:
        raise _NotPlainError
    return value, after.end(), after[1]


def _mapped(entries: list[tuple[str | None, Any]]) -> FrozenDict:
    found = FrozenDict({key: value for key, value in entries if key})
    if len(found) != len(entries) or not NOT_TEXTS.isdisjoint(found):
        raise _NotPlainError
    return found


def _listed(entries: list[tuple[str | None, Any]]) -> FrozenList:
    if any(key for key, _ in entries):
        raise _NotPlainError
    return FrozenList([value for _, value in entries])
