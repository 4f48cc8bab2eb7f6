"""Handlebars and mustache → tokens, with the rule that a block alone on its line takes it along."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from promptstore.interchange.templates.common import UntranslatableError

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
