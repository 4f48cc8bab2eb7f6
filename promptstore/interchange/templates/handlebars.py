"""Handlebars → Jinja2: blocks, loops and paths as they are in each scope."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from promptstore.interchange.templates.common import UntranslatableError, literal
from promptstore.interchange.templates.curly import Token

_PATH: Final = re.compile(r"(?:\.\./)*(?:this|\.|[A-Za-z_]\w*)(?:[./](?:\w+|\[\w+\]))*")
_DATA: Final = {
    "@index": "loop.index0", "@first": "loop.first", "@last": "loop.last", "@length": "loop.length",
}  # fmt: skip
_CONSTANT: Final = re.compile(r"""-?\d+(?:\.\d+)?|true|false|"[^"\\]*"|'[^'\\]*'""")
_WORD: Final = re.compile(r"""\((.*)\)|"[^"]*"|'[^']*'|[^\s"'()]+""")


class _Scope:
    """One level of ``#each`` or ``#with``.

    Attributes:
        path: What ``this`` is in Jinja2; empty at the top.
        is_loop: Whether ``@index`` and the like mean this scope.
    """

    def __init__(self, path: str, *, is_loop: bool = False) -> None:
        self.path = path
        self.is_loop = is_loop


class Translator:
    """Translate the tokens of one string.

    Args:
        include: Returns the name to include for a partial.
    """

    def __init__(self, include: Callable[[str], str] | None = None) -> None:
        self._include = include
        self._scopes = [_Scope("")]
        self._open: list[str] = []
        self._loops = 0

    def translate(self, tokens: Sequence[Token]) -> str:
        """Return the text in Jinja2.

        Raises:
            UntranslatableError: It uses what has no equal in Jinja2.
        """
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
        if name == "each":
            self._scopes.pop()
            return "{%+ endfor +%}"
        if name == "with":
            self._scopes.pop()
        return "{%+ endif +%}"

    def _else(self, more: str) -> str:
        if not self._open:
            raise UntranslatableError("handlebars: {{else}} outside of a block")
        if self._open[-1] == "each" and not more:
            # Within `else` there is no item.
            self._scopes[-1] = _Scope(self._scopes[-2].path, is_loop=self._scopes[-2].is_loop)
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
            if not any(scope.is_loop for scope in self._scopes[-1:]):
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
