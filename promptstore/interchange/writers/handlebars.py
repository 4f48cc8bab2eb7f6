"""Jinja2 → Handlebars, in the part that both have: values, conditions and loops over paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from promptstore.interchange.writers.texts import TAG, untrimmed

_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\])*")
_STRING: Final = re.compile(r"""(["'])([^"'\\]*)\1""")
_LOOP: Final = {
    "loop.index0": "@index", "loop.first": "@first", "loop.last": "@last", "loop.length": "@length",
}  # fmt: skip
_BRACES: Final = re.compile(r"(\\*)(\{\{.*?\}\})", re.DOTALL)
_FOR: Final = re.compile(r"for\s+([A-Za-z_]\w*)\s+in\s+(\S+)")


def escape_handlebars(text: str, *, before_tag: bool = False) -> str:
    """Return literal text as a template of Handlebars.

    Args:
        text: The text.
        before_tag: Whether a tag follows it, so that a backslash at its end has to be two.
    """

    def escape(found: re.Match[str]) -> str:
        # A backslash would be read with the one that is put there; a comment stands between.
        before = f"{found[1]}\\{{{{! }}}}" if found[1] else ""
        return f"{before}\\{found[2]}"

    escaped = _BRACES.sub(escape, text)
    return f"{escaped}\\" if before_tag and escaped.endswith("\\") else escaped


def to_handlebars(text: str, refuse: Callable[[str], Exception]) -> str:
    """Translate a template of Jinja2 that has no more than paths, conditions and loops.

    Args:
        text: The template, as a prompt file has it.
        refuse: Makes the error to raise, from what is in the way.

    Returns:
        The template in Handlebars.
    """
    return _Translator(refuse).translate(untrimmed(text))


class _Translator:
    def __init__(self, refuse: Callable[[str], Exception]) -> None:
        self._refuse = refuse
        self._items: list[str] = []
        self._open: list[str] = []

    def translate(self, text: str) -> str:
        written, end = "", 0
        for found in TAG.finditer(text):
            written += escape_handlebars(text[end : found.start()], before_tag=True)
            end = found.end()
            tag = found[0]
            if "-" in (tag[2], tag[-3]):
                raise self._refuse(f"{tag} strips the space around it")
            inner = tag[2:-2].strip()
            if tag.startswith("{#"):
                written += "{{!--" + inner.replace("--", "- -") + "--}}"
            elif tag.startswith("{{"):
                written += self._value(inner)
                continue
            else:
                written += self._block(inner)
            if text.startswith("\n", end) or end == len(text):
                # Alone on its line it would take the line along, which it does not here.
                written += "{{! }}" if self._is_alone(text, found) else ""
        return written + escape_handlebars(text[end:], before_tag=True)

    def _is_alone(self, text: str, found: re.Match[str]) -> bool:
        return not text[text.rfind("\n", 0, found.start()) + 1 : found.start()].strip()

    def _value(self, inner: str) -> str:
        quoted = _STRING.fullmatch(inner)
        if quoted:
            return escape_handlebars(quoted[2]) if "{{" not in quoted[2] else "\\" + quoted[2]
        path, _, filter_ = inner.partition("|")
        if filter_.strip() == "tojson":
            return f"{{{{json {self._path(path.strip())}}}}}"
        if filter_:
            raise self._refuse(f"the filter {filter_.strip()} is none there")
        return f"{{{{{self._path(path)}}}}}"

    def _block(self, inner: str) -> str:
        word, _, rest = inner.partition(" ")
        loop = _FOR.fullmatch(inner)
        if word == "if":
            negated = rest.startswith("not ")
            self._open.append("unless" if negated else "if")
            return f"{{{{#{self._open[-1]} {self._path(rest.removeprefix('not ').strip())}}}}}"
        if word == "elif" and not rest.startswith("not "):
            return f"{{{{else if {self._path(rest.strip())}}}}}"
        if inner == "else":
            return "{{else}}"
        if loop:
            over = self._path(loop[2])
            self._open.append("each")
            self._items.append(loop[1])
            return f"{{{{#each {over}}}}}"
        if inner in ("endif", "endfor") and self._open:
            name = self._open.pop()
            if name == "each":
                self._items.pop()
            return f"{{{{/{name}}}}}"
        raise self._refuse(f"{word} has no equal there")

    def _path(self, text: str) -> str:
        if text in _LOOP:
            return _LOOP[text]
        if not _PATH.fullmatch(text):
            raise self._refuse(f"the expression {text} has no equal there")
        head, dot, rest = text.replace("[", ".[").partition(".")
        depth = len(self._items)
        for up, item in enumerate(reversed(self._items)):
            if head == item:
                return "../" * up + (rest if dot else "this")
        return "../" * depth + head + dot + rest
