"""Templates that only put values in: ``simple``, ``none``, and ``jinja2`` without any logic."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from operator import itemgetter
from typing import Any, Final

from promptstore.errors import RenderError, VariableError
from promptstore.template.base import Budget, Reference, Source, Template

_SIMPLE: Final = re.compile(r"\{\{[ \t]*([\w.-]+)[ \t]*\}\}")
_JINJA_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_JINJA_WORDS: Final = frozenset({
    "False", "None", "True", "and", "caller", "elif", "else", "false", "for", "if", "in", "is",
    "loop", "none", "not", "or", "range", "recursive", "self", "true", "varargs", "kwargs",
})  # fmt: skip
_FEW_NAMES: Final = 16
"""Up to so many names, the text is at most that many times as large as the values are."""


def split_simple(text: str) -> list[str]:
    """Split a ``simple`` text into literal text and names, in turn, beginning with literal text."""
    return _SIMPLE.split(text)


def compile_substitution(source: Source) -> Template | None:
    """Compile a template that only puts values in.

    Args:
        source: The template.

    Returns:
        The template, or None when it needs more than substitution.
    """
    if source.kind == "none":
        return Substitution(source.name, [source.text], str)
    if source.kind == "simple":
        return Substitution(source.name, split_simple(source.text), to_text)
    if "{%" in source.text or "{#" in source.text:
        return None
    pieces = _JINJA_NAME.split(source.text)
    # A brace before a name may belong to it: `{{{a}}` begins with the braces that come first.
    literals = pieces[::2]
    if any(
        "{{" in piece or piece.endswith("{") for piece in literals
    ) or not _JINJA_WORDS.isdisjoint(pieces[1::2]):
        return None
    return Substitution(source.name, pieces, str)


def find_names(source: Source) -> list[Reference]:
    """Find each use of a name in a template that only puts values in."""
    pattern = {"simple": _SIMPLE, "jinja2": _JINJA_NAME}.get(source.kind)
    if pattern is None:
        return []
    return [
        Reference(match[1], source.text.count("\n", 0, match.start()) + 1)
        for match in pattern.finditer(source.text)
    ]


def fill_with_texts(template: Template) -> Callable[[Mapping[str, Any]], str] | None:
    """Give the quick way to fill a template with texts alone, or None where it has none.

    Args:
        template: The template.

    Returns:
        What takes the values by name and gives the text. It raises KeyError where a value is
        missing, and TypeError where one is no text.
    """
    if isinstance(template, Substitution) and template.has_few_names:
        return template.fill_with_texts()
    return None


def to_text(value: Any) -> str:
    """Write a value as ``simple`` puts it in: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Substitution(Template):
    """A compiled template of literal text and names.

    Args:
        name: The prompt that it belongs to, for errors.
        pieces: Literal text and names, in turn, beginning and ending with literal text.
        write: Turns a value into text.
    """

    __slots__ = ("_format", "_name", "_names", "_pick", "_pieces", "_write")

    def __init__(self, name: str | None, pieces: list[str], write: Callable[[Any], str]) -> None:
        names = pieces[1::2]
        self.variables = self.required = frozenset(names)
        self.includes = ()
        self._name = name
        self._names = names
        self._pieces = pieces
        # printf-style formatting of one ready-made text is the quickest way to join many pieces.
        self._format = "%s".join(piece.replace("%", "%%") for piece in pieces[::2])
        self._pick: Callable[[Mapping[str, Any]], tuple[Any, ...]] = _picker(names)
        self._write = write

    def render(self, values: Mapping[str, Any], optional: Collection[str], budget: Budget) -> str:
        """Fill the template; see `Template.render`."""
        try:
            picked = self._pick(values)
        except KeyError:
            raise self._missing(values, optional) from None
        if not self.has_few_names:
            picked = self._count(picked, budget)
        elif self._write is not str:
            picked = tuple(map(self._write, picked))
        text = self._format % picked
        budget.spend_output(len(text))
        return text

    @property
    def has_few_names(self) -> bool:
        """Tell whether its text cannot be many times as large as the values."""
        return len(self._names) <= _FEW_NAMES

    def fill_with_texts(self) -> Callable[[Mapping[str, Any]], str]:
        """Give what fills the template where all values are texts."""
        copy, join, pick, names = self._pieces.copy, "".join, self._pick, slice(1, None, 2)

        def fill(values: Mapping[str, Any]) -> str:
            pieces = copy()
            pieces[names] = pick(values)
            # Joining refuses what is no text, and takes a subclass for the text that it holds.
            return join(pieces)

        return fill

    def _count(self, picked: tuple[Any, ...], budget: Budget) -> tuple[str, ...]:
        """Write many values, and stop before their text is larger than a render may be."""
        texts: list[str] = []
        for value in picked:
            texts.append(self._write(value))
            budget.spend_characters(len(texts[-1]))
        return tuple(texts)

    def _missing(
        self, values: Mapping[str, Any], optional: Collection[str]
    ) -> VariableError | RenderError:
        missing = [name for name in dict.fromkeys(self._names) if name not in values]
        printed = next((name for name in missing if name in optional), None)
        if printed is None:
            return VariableError(name=self._name, missing=missing)
        return RenderError(message=optional_message(printed), template=self._name)


def optional_message(name: str) -> str:
    """Say that an optional variable without a value was used."""
    return (
        f"the variable {name!r} is optional and has no value here; "
        f"put it between {{% if {name} %}} and {{% endif %}}, or declare a default"
    )


def _picker(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if not names:
        return lambda _values: ()
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return itemgetter(*names)
