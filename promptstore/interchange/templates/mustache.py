"""Mustache → Jinja2, and the tokens that it shares with Handlebars.

A tag of a block that stands alone on its line takes the line along. Where a section could be a
loop or a condition, the declared type of its variable says which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from promptstore.interchange.templates.jinja import UntranslatableError, literal

_NAME: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_TAG: Final = re.compile(
    r"(?<!\\)\\\{\{.*?\}\}|\{\{~?!--.*?--~?\}\}|\{\{\{(?P<raw>.*?)\}\}\}|\{\{(?P<plain>.*?)\}\}",
    re.DOTALL,
)
_BEFORE: Final = re.compile(r"(?:^|\n)[ \t]*\Z")
_AFTER: Final = re.compile(r"[ \t]*(?:\n|\Z)")


class Token(NamedTuple):
    """A piece of a template.

    Attributes:
        kind: ``text``, ``value``, ``open``, ``inverse``, ``else``, ``close``, ``partial``,
            ``comment``.
        text: The literal text, or what the tag says.
    """

    kind: str
    text: str


_KINDS: Final = {"#": "open", "^": "inverse", "/": "close", ">": "partial", "!": "comment",
                 "&": "value"}  # fmt: skip


def tokenize(text: str) -> list[Token]:
    """Split a template into literal text and tags."""
    tokens: list[Token] = []
    pending = ""
    end = 0
    strip_next = False
    for found in _TAG.finditer(text):
        before = text[end : found.start()]
        if strip_next:
            before = before.lstrip()
        if found[0].startswith("\\"):
            pending += before + found[0][1:]
            end, strip_next = found.end(), False
            continue
        if before.endswith("\\\\"):
            # Two backslashes are one, and the tag counts.
            before = before[:-1]
        inner = found["raw"] if found["raw"] is not None else found["plain"]
        token, strips = _read(inner if inner is not None else "!", found[0])
        if strips[0]:
            before = before.rstrip()
        pending += before
        end = found.end()
        strip_next = strips[1]
        is_block = token.kind != "value"
        after = _AFTER.match(text, end)
        starts_line = _BEFORE.search(text[: found.start()])
        if is_block and starts_line and after and not any(strips):
            # Alone on its line: the line goes with it.
            pending = pending[: len(pending) - len(starts_line[0].lstrip("\n"))] if pending else ""
            end = after.end()
        tokens += [Token("text", pending), token]
        pending = ""
    tail = text[end:].lstrip() if strip_next else text[end:]
    tokens.append(Token("text", pending + tail))
    return [token for token in tokens if token.text or token.kind not in ("text", "comment")]


def _read(inner: str, whole: str) -> tuple[Token, tuple[bool, bool]]:
    strips = whole.startswith("{{~"), whole.endswith("~}}")
    inner = inner.strip("~").strip()
    if inner.startswith("="):
        raise UntranslatableError("mustache: other delimiters")
    if inner == "else" or inner.startswith("else "):
        return Token("else", inner[4:].strip()), strips
    if inner == "^":
        return Token("else", ""), strips
    kind = _KINDS.get(inner[:1], "value")
    if whole.startswith("{{~!--"):
        kind = "comment"
    return Token(kind, inner[1:].strip() if inner[:1] in _KINDS else inner), strips


def translate_mustache(text: str, variables: Mapping[str, Mapping[str, Any]]) -> str:
    """Translate a template of mustache.

    Args:
        text: The template.
        variables: The declared variables: a section of an array is a loop, of a boolean or a
            string a condition.

    Returns:
        The template in Jinja2.

    Raises:
        UntranslatableError: A section could be a loop or a condition, or it looks around.
    """
    written: list[str] = []
    opened: list[tuple[str, str]] = []
    for token in tokenize(text):
        if token.kind == "text":
            written.append(literal(token.text))
        elif token.kind == "value":
            written.append(f"{{{{ {_value(token.text, opened)} }}}}")
        elif token.kind == "inverse":
            opened.append((_value(token.text, opened), "if"))
            written.append(f"{{%+ if not {opened[-1][0]} +%}}")
        elif token.kind == "open":
            written.append(_section(token.text, opened, variables))
        elif token.kind == "close":
            name, kind = opened.pop() if opened else ("", "")
            if name != token.text:
                raise UntranslatableError(f"mustache: {{{{/{token.text}}}}} closes nothing")
            written.append(f"{{%+ end{kind} +%}}")
        elif token.kind != "comment":
            raise UntranslatableError(f"mustache: {token.kind} {token.text}".strip())
    if opened:
        raise UntranslatableError(f"mustache: {{{{#{opened[-1][0]}}}}} is not closed")
    return "".join(written)


def _section(
    name: str, opened: list[tuple[str, str]], variables: Mapping[str, Mapping[str, Any]]
) -> str:
    kind = str(variables.get(name, {}).get("type", ""))
    over = _value(name, opened)
    if kind in ("array", "messages"):
        opened.append((over, "for"))
        return f"{{%+ for item{len(opened)} in {over} +%}}"
    if kind in ("boolean", "string", "integer", "number"):
        opened.append((over, "if"))
        return f"{{%+ if {over} +%}}"
    raise UntranslatableError(
        f"mustache: {{{{#{name}}}}} is a loop or a condition, none says which"
    )


def _value(name: str, opened: list[tuple[str, str]]) -> str:
    loops = [number for number, (_, kind) in enumerate(opened, 1) if kind == "for"]
    if name == ".":
        if not loops:
            raise UntranslatableError("mustache: {{.}} outside of a section")
        return f"item{loops[-1]}"
    if not _NAME.fullmatch(name):
        raise UntranslatableError(f"mustache: {name}")
    if loops:
        raise UntranslatableError(
            f"mustache: {{{{{name}}}}} within a loop is looked for in two places"
        )
    return name
