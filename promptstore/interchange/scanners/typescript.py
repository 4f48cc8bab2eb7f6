"""Prompts in TypeScript and JavaScript, by a careful look at strings and what stands before them.

A string in a comment or in another string is not looked at; what a template literal puts in becomes
a variable. What is made by calls and operators is left to a person.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from promptstore.interchange.scanners.common import (
    KEYWORDS,
    NAMED,
    PROMPT_ID,
    Found,
    looks_like_prose,
    prompt_object,
    snake_case,
    variable_name,
)
from promptstore.model.parts import ROLES

_TOKEN: Final = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`",
    re.DOTALL,
)
_KEY: Final = re.compile(r"""["']?([A-Za-z_$][\w$]*)["']?\s*:\s*$""")
_CONSTANT: Final = re.compile(r"\b(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*(?::\s*[^=\n]+)?=\s*$")
_ROLE: Final = re.compile(r"""["']?role["']?\s*:\s*["'](\w+)["']\s*,\s*["']?content["']?\s*:\s*$""")
_ESCAPE: Final = re.compile(
    r"\\(u\{[0-9A-Fa-f]+\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|\n|.)", re.DOTALL
)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0",
                  "\n": ""}  # fmt: skip
_CONTINUES: Final = re.compile(r"\s*[+.?(\[]")
_LOOK_BACK: Final = 200


class _String(NamedTuple):
    start: int
    end: int
    pieces: tuple[str, ...]
    values: dict[str, str]


def scan_typescript(text: str, path: str) -> list[Found]:
    """Find the prompts of one file.

    Args:
        text: The source.
        path: Its path, for the report.
    """
    found: list[Found] = []
    for string in _strings(text):
        line = text.count("\n", 0, string.start) + 1
        whole = "".join(string.pieces)
        if PROMPT_ID.fullmatch(whole):
            found.append(prompt_object(path, line, whole, "typescript"))
            continue
        before = text[max(0, string.start - _LOOK_BACK) : string.start]
        role, constant, key = _ROLE.search(before), _CONSTANT.search(before), _KEY.search(before)
        is_prose = looks_like_prose(whole, is_message=role is not None)
        if not is_prose or _CONTINUES.match(text, string.end):
            continue
        if role and role[1] in ROLES:
            says: tuple[str, str | None] | None = (role[1], role[1])
        elif constant and NAMED.search(snake_case(constant[1])):
            says = (snake_case(constant[1]), None)
        elif key and key[1] in KEYWORDS:
            says = (snake_case(key[1]), KEYWORDS[key[1]])
        else:
            says = None
        if says:
            messages = ((says[1], string.pieces),)
            found.append(Found(path, line, says[0], "typescript", messages, string.values))
    return found


def _strings(text: str) -> list[_String]:
    found = []
    place = 0
    while match := _TOKEN.search(text, place):
        place = match.end()
        if match[0] == "`":
            string = _template(text, match.start())
            if string is None:
                break
            place = string.end
            found.append(string)
        elif match[0][0] in "'\"":
            pieces = (_unescaped(match[0][1:-1]),)
            found.append(_String(match.start(), match.end(), pieces, {}))
    return found


def _template(text: str, start: int) -> _String | None:
    """Read a template literal, braces within its expressions counted."""
    pieces = [""]
    values: dict[str, str] = {}
    place = start + 1
    while place < len(text):
        character = text[place]
        if character == "`":
            made = tuple(_unescaped(p) if i % 2 == 0 else p for i, p in enumerate(pieces))
            return _String(start, place + 1, made, values)
        if character == "\\":
            pieces[-1] += text[place : place + 2]
            place += 2
        elif text.startswith("${", place):
            end = _closing(text, place + 2)
            if end is None:
                return None
            code = text[place + 2 : end].strip()
            name = variable_name(code, values)
            values[name] = code
            pieces += [name, ""]
            place = end + 1
        else:
            pieces[-1] += character
            place += 1
    return None


def _closing(text: str, place: int) -> int | None:
    """Return where the brace of an expression closes, strings and templates within it passed."""
    depth = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token and token[0] == "`":
            inner = _template(text, place)
            if inner is None:
                return None
            place = inner.end
        elif token:
            place = token.end()
        elif text[place] == "}" and depth == 0:
            return place
        else:
            depth += (text[place] == "{") - (text[place] == "}")
            place += 1
    return None


def _unescaped(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        escape = found[1]
        if escape[0] in "ux" and len(escape) > 1:
            code = int(escape[1:].strip("{}"), 16)
            return chr(code) if code <= 0x10FFFF else found[0]
        return _SIMPLE.get(escape, escape)

    return _ESCAPE.sub(plain, text)
