"""Mustache → Jinja2, where the declared type of a variable says what a section does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from promptstore.interchange.templates.common import UntranslatableError, literal
from promptstore.interchange.templates.curly import tokenize

_NAME: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


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
