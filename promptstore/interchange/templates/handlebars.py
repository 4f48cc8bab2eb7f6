"""Handlebars → Jinja2, loops and paths as they are in each scope; and Jinja2 → Handlebars."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from promptstore.interchange.templates.jinja import TAG, UntranslatableError, literal, untrimmed
from promptstore.interchange.templates.mustache import Token

_PATH: Final = re.compile(r"(?:\.\./)*(?:this|\.|[A-Za-z_]\w*)(?:[./](?:\w+|\[\w+\]))*")
_DATA: Final = {
    "@index": "loop.index0", "@first": "loop.first", "@last": "loop.last", "@length": "loop.length",
}  # fmt: skip
_LOOP_DATA: Final = {jinja: handlebars for handlebars, jinja in _DATA.items()}
_CONSTANT: Final = re.compile(r"""-?\d+(?:\.\d+)?|true|false|"[^"\\]*"|'[^'\\]*'""")
_WORD: Final = re.compile(r"""\((.*)\)|"[^"]*"|'[^']*'|[^\s"'()]+""")

_JINJA_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\])*")
_JINJA_STRING: Final = re.compile(r"""(["'])([^"'\\]*)\1""")
_BRACES: Final = re.compile(r"(\\*)(\{\{.*?\}\})", re.DOTALL)
_JINJA_FOR: Final = re.compile(r"for\s+([A-Za-z_]\w*)\s+in\s+(\S+)")


class _Scope(NamedTuple):
    """One level of ``#each`` or ``#with``.

    Attributes:
        path: What ``this`` is in Jinja2; empty at the top.
        is_loop: Whether ``@index`` and the like mean this scope.
    """

    path: str
    is_loop: bool = False


def translate_handlebars(
    tokens: Sequence[Token], include: Callable[[str], str] | None = None
) -> str:
    """Translate the tokens of one string.

    Args:
        tokens: The tokens.
        include: Returns the name to include for a partial.

    Returns:
        The text in Jinja2.

    Raises:
        UntranslatableError: It uses what has no equal in Jinja2.
    """
    return _Reader(include).translate(tokens)


class _Reader:
    def __init__(self, include: Callable[[str], str] | None) -> None:
        self._include = include
        self._scopes = [_Scope("")]
        self._open: list[str] = []
        self._loops = 0

    def translate(self, tokens: Sequence[Token]) -> str:
        text = "".join(self._written(token) for token in tokens)
        if self._open:
            raise UntranslatableError(f"handlebars: {{{{#{self._open[-1]}}}}} is not closed")
        return text

    def _written(self, token: Token) -> str:
        if token.kind == "text":
            return literal(token.text)
        if token.kind == "comment":
            return ""
        if token.kind == "close":
            return self._close(token.text)
        if token.kind == "else":
            return self._else(token.text)
        if token.kind == "partial":
            return self._partial(token.text)
        words = _words(token.text)
        if token.kind == "value":
            return f"{{{{ {self._value(words)} }}}}"
        if token.kind == "inverse":
            # It holds for false and for what is missing, but not for an empty string.
            raise UntranslatableError(f"handlebars: {{{{^{token.text}}}}}")
        return self._block(words)

    def _block(self, words: list[str]) -> str:
        name = words[0] if words else ""
        if name in ("if", "unless", "ifEquals", "unlessEquals"):
            self._open.append(name)
            return f"{{%+ if {self._condition(words)} +%}}"
        if "as" in words:
            raise UntranslatableError(f"handlebars: block parameters ({' '.join(words)})")
        if name == "each" and len(words) == 2:
            return self._each(words[1])
        if name == "with" and len(words) == 2:
            self._open.append(name)
            self._scopes.append(_Scope(self._path(words[1])))
            return f"{{%+ if {self._scopes[-1].path} +%}}"
        raise UntranslatableError(f"handlebars: the block {{{{#{name}}}}}")

    def _each(self, word: str) -> str:
        over = self._path(word)
        self._loops += 1
        item = f"item{self._loops}"
        self._open.append("each")
        self._scopes.append(_Scope(item, is_loop=True))
        return f"{{%+ for {item} in {over} +%}}"

    def _close(self, name: str) -> str:
        if not self._open or self._open.pop() != name:
            raise UntranslatableError(f"handlebars: {{{{/{name}}}}} closes nothing")
        if name in ("each", "with"):
            self._scopes.pop()
        return "{%+ endfor +%}" if name == "each" else "{%+ endif +%}"

    def _else(self, more: str) -> str:
        if not self._open:
            raise UntranslatableError("handlebars: {{else}} outside of a block")
        if self._open[-1] == "each" and not more:
            # Within `else` there is no item.
            self._scopes[-1] = self._scopes[-2]
            return "{%+ else +%}"
        if self._open[-1] in ("each", "with"):
            raise UntranslatableError("handlebars: {{else}} of this block")
        return f"{{%+ elif {self._condition(_words(more))} +%}}" if more else "{%+ else +%}"

    def _condition(self, words: list[str]) -> str:
        if len(words) == 3 and words[0] in ("ifEquals", "unlessEquals"):
            sign = "==" if words[0] == "ifEquals" else "!="
            return f"{self._path(words[1])} {sign} {self._path(words[2])}"
        if len(words) != 2 or words[0] not in ("if", "unless"):
            raise UntranslatableError(f"handlebars: the condition {' '.join(words)}")
        path = self._path(words[1])
        return path if words[0] == "if" else f"not {path}"

    def _partial(self, text: str) -> str:
        words = _words(text)
        if len(words) != 1:
            raise UntranslatableError("partial with arguments")
        if self._include is None or len(self._scopes) > 1:
            raise UntranslatableError(f"partial {words[0]}")
        return f'{{% include "{self._include(words[0])}" +%}}'

    def _value(self, words: list[str]) -> str:
        if len(words) == 1:
            return self._path(words[0])
        if words[0] == "json" and len(words) == 2:
            return f"{self._path(words[1])}|tojson"
        indent = re.fullmatch(r"indent=(\d+)", words[2]) if len(words) == 3 else None
        if words[0] == "json" and indent:
            return f"{self._path(words[1])}|tojson({indent[1]})"
        raise UntranslatableError(f"handlebars: the helper {words[0] if words else ''}")

    def _path(self, word: str) -> str:
        if word in _DATA:
            if not self._scopes[-1].is_loop:
                raise UntranslatableError(f"handlebars: {word} outside of its loop")
            return _DATA[word]
        if word.startswith("@root."):
            return self._resolve(word[6:], self._scopes[0])
        if word.startswith("@"):
            raise UntranslatableError(f"handlebars: {word.partition('.')[0]}")
        if _CONSTANT.fullmatch(word):
            return word
        if not _PATH.fullmatch(word):
            raise UntranslatableError(f"handlebars: {word}")
        up = 0
        while word.startswith("../"):
            word, up = word[3:], up + 1
        if up >= len(self._scopes):
            raise UntranslatableError("handlebars: ../ above the top")
        return self._resolve(word, self._scopes[-1 - up])

    def _resolve(self, word: str, scope: _Scope) -> str:
        parts = [part.strip("[]") for part in re.split(r"[./]", word) if part]
        if parts and parts[0] == "this":
            parts = parts[1:]
        if not parts and not scope.path:
            raise UntranslatableError("handlebars: this at the top")
        if scope.path:
            parts = [scope.path, *parts]
        head, *rest = parts
        return head + "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in rest)


def _words(text: str) -> list[str]:
    found = [match[0] for match in _WORD.finditer(text)]
    if any(word.startswith("(") for word in found):
        raise UntranslatableError("handlebars: a helper within a helper")
    return found


def escape_handlebars(text: str) -> str:
    """Return literal text as a template of Handlebars, in which a tag follows it."""

    def escape(found: re.Match[str]) -> str:
        # A backslash would be read with the one that is put there; a comment stands between.
        before = f"{found[1]}\\{{{{! }}}}" if found[1] else ""
        return f"{before}\\{found[2]}"

    escaped = _BRACES.sub(escape, text)
    return f"{escaped}\\" if escaped.endswith("\\") else escaped


def to_handlebars(text: str, refuse: Callable[[str], Exception]) -> str:
    """Translate a template of Jinja2 that has no more than paths, conditions and loops.

    Args:
        text: The template, as a prompt file has it.
        refuse: Makes the error to raise, from what is in the way.

    Returns:
        The template in Handlebars.
    """
    return _Writer(refuse).translate(untrimmed(text))


class _Writer:
    def __init__(self, refuse: Callable[[str], Exception]) -> None:
        self._refuse = refuse
        self._items: list[str] = []
        self._open: list[str] = []

    def translate(self, text: str) -> str:
        written, end = "", 0
        for found in TAG.finditer(text):
            written += escape_handlebars(text[end : found.start()])
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
            before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            if not before.strip() and (text.startswith("\n", end) or end == len(text)):
                # Alone on its line it would take the line along, which it does not here.
                written += "{{! }}"
        return written + escape_handlebars(text[end:])

    def _value(self, inner: str) -> str:
        quoted = _JINJA_STRING.fullmatch(inner)
        if quoted:
            return "\\" + quoted[2] if "{{" in quoted[2] else quoted[2]
        path, _, filter_ = inner.partition("|")
        if filter_.strip() == "tojson":
            return f"{{{{json {self._path(path.strip())}}}}}"
        if filter_:
            raise self._refuse(f"the filter {filter_.strip()} is none there")
        return f"{{{{{self._path(path)}}}}}"

    def _block(self, inner: str) -> str:
        word, _, rest = inner.partition(" ")
        loop = _JINJA_FOR.fullmatch(inner)
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
        if text in _LOOP_DATA:
            return _LOOP_DATA[text]
        if not _JINJA_PATH.fullmatch(text):
            raise self._refuse(f"the expression {text} has no equal there")
        head, dot, rest = text.replace("[", ".[").partition(".")
        depth = len(self._items)
        for up, item in enumerate(reversed(self._items)):
            if head == item:
                return "../" * up + (rest if dot else "this")
        return "../" * depth + head + dot + rest
