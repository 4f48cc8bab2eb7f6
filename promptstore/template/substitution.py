"""Templates that only put values in: ``simple``, ``none``, and ``jinja2`` without any logic."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from promptstore.errors import RenderError, VariableError
from promptstore.model.values import is_unicode
from promptstore.template.base import Budget, Reference, Source, Template

_SIMPLE: Final = re.compile(r"\{\{[ \t]*([\w.-]+)[ \t]*\}\}")
_JINJA_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_JINJA_WORDS: Final = frozenset({
    "False", "None", "True", "and", "caller", "elif", "else", "false", "for", "if", "in", "is",
    "loop", "none", "not", "or", "range", "recursive", "self", "true", "varargs", "kwargs",
})  # fmt: skip
_FEW_NAMES: Final = 16
"""Up to so many names, the text is at most that many times as large as the values are."""

TextFill: TypeAlias = Callable[[Mapping[str, Any]], "list[dict[str, Any]] | None"]
"""Fills templates with texts by name, or gives None where anything is wrong with these."""

_Pick: TypeAlias = Callable[[Mapping[str, Any]], tuple[Any, ...]]


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


def fill_with_texts(
    messages: Sequence[tuple[str, Template]], count: int, max_output: int
) -> TextFill | None:
    """Give the quick way to fill templates with texts alone, or None where they have none.

    Args:
        messages: The role of each message, and the template of its text.
        count: How many values there are.
        max_output: How many characters the texts may have together.

    Returns:
        What takes the values by name and gives the messages. It gives None where anything is
        wrong: a value is missing, is one too many or no text, or the texts are too long.
    """
    fills: list[TextFill] = []
    for role, template in messages:
        if not isinstance(template, Substitution) or not template.has_few_names:
            return None
        fills.append(template.fill_with_texts(role, count, max_output))
    if len(fills) == 1:
        return fills[0]

    def fill_all(values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        filled: list[dict[str, Any]] = []
        left = max_output
        for fill in fills:
            message = fill(values)
            if message is None:
                return None
            filled += message
            left -= len(message[0]["content"])
        return filled if left >= 0 else None

    return fill_all


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
        self._pick: _Pick = _picker(names)
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

    def fill_with_texts(self, role: str, count: int, max_output: int) -> TextFill:
        """Give what makes the one message of this template; see `fill_with_texts`."""
        copy, join, pick, names = self._pieces.copy, "".join, self._pick, slice(1, None, 2)

        def fill(values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
            if len(values) != count:
                return None
            pieces = copy()
            try:
                pieces[names] = pick(values)
                # Joining texts is all the check that they need, in less than half of the time of
                # the way that can tell what is wrong: it refuses what is no text, and takes a
                # subclass for the text that it holds.
                text = join(pieces)
            except (KeyError, TypeError):
                return None
            if len(text) > max_output or not (text.isascii() or is_unicode(text)):
                return None
            return [{"role": role, "content": text}]

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


def _picker(names: list[str]) -> _Pick:
    if not names:
        return lambda _values: ()
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return itemgetter(*names)
