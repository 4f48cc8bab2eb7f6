"""Compiling a template, and the templates that only put values in: most of them.

Those are ``simple``, ``none``, and ``jinja2`` without any logic. Jinja2 itself is loaded only when
a template needs more than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from promptstore.errors import RenderError, VariableError
from promptstore.template.source import (
    Budget,
    Limits,
    Reference,
    References,
    Source,
    Template,
    find_includes,
    is_variable_name,
)

_SIMPLE: Final = re.compile(r"\{\{[ \t]*([^\s{}]+)[ \t]*\}\}")
_JINJA_NAME: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_KEPT_TEMPLATES: Final = 4096

_Closure: TypeAlias = tuple[tuple[str, Source], ...]


def check_syntax(source: Source) -> None:
    """Check that a text is a template of its language.

    Args:
        source: The template.

    Raises:
        TemplateSyntaxError: It is none.
    """
    find_references(source)


def find_references(source: Source) -> References:
    """Return every name and include that a template uses, with their lines.

    Args:
        source: The template.

    Returns:
        The names and includes.

    Raises:
        TemplateSyntaxError: The text is not a template of its language.
    """
    if _split(source) is None:
        from promptstore.template.jinja import find_jinja_references

        return find_jinja_references(source)
    places = ((match[1], match.start()) for match in _find_names(source))
    names = [Reference(name, source.text.count("\n", 0, at) + 1) for name, at in places]
    return References(names, [])


def compile_template(source: Source, includes: Mapping[str, Source], limits: Limits) -> Template:
    """Compile a template, or take what the same text was compiled to before.

    Args:
        source: The template.
        includes: What it may include, by name: everything it reaches, directly or not.
        limits: The limits that count while compiling.

    Returns:
        The compiled template.

    Raises:
        TemplateSyntaxError: The text is not a template of its language.
        IncludeError: An include is missing, cyclic or too deep.
    """
    return _compile(source, _closure(source, includes), limits)


def split_simple(text: str) -> list[str]:
    """Split a ``simple`` text into literal text and names, in turn, beginning with literal text."""
    return _pieces(Source(text, "simple"))


def to_text(value: Any) -> str:
    """Write a value as ``simple`` puts it in: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def optional_message(name: str) -> str:
    """Return what to tell who printed an optional variable without a value."""
    return (
        f"the variable {name!r} is optional and has no value here; "
        f"put it between {{% if {name} %}} and {{% endif %}}, or declare a default"
    )


class Substitution:
    """A compiled template of literal text and names.

    Args:
        source: The template.
        pieces: Literal text and names, in turn, beginning and ending with literal text.
    """

    __slots__ = ("_length", "_name", "_pieces", "_places", "_write", "includes", "required",
                 "variables")  # fmt: skip

    def __init__(self, source: Source, pieces: list[str]) -> None:
        self.variables = self.required = frozenset(pieces[1::2])
        self.includes: tuple[str, ...] = ()
        self._name = source.name
        self._pieces = pieces
        self._places = tuple(enumerate(pieces))[1::2]
        self._length = sum(map(len, pieces[::2]))
        self._write: Callable[[Any], str] = to_text if source.kind == "simple" else str

    def render(self, values: Mapping[str, Any], optional: Collection[str], budget: Budget) -> str:
        """Fill the template; see `Template.render`."""
        pieces, write, left = self._pieces.copy(), self._write, budget.output
        length = self._length
        try:
            for place, name in self._places:
                pieces[place] = text = write(values[name])
                length += len(text)
                if length > left:
                    break
        except KeyError:
            raise self._missing(values, optional) from None
        budget.spend_output(length)
        return "".join(pieces)

    def _missing(
        self, values: Mapping[str, Any], optional: Collection[str]
    ) -> VariableError | RenderError:
        missing = [name for name in dict.fromkeys(self._pieces[1::2]) if name not in values]
        printed = next((name for name in missing if name in optional), None)
        if printed is None:
            return VariableError(name=self._name, missing=missing)
        return RenderError(message=optional_message(printed), template=self._name)


def _split(source: Source) -> list[str] | None:
    """Split a template into literal text and names, or return None when it has more than that."""
    if source.kind != "jinja2":
        return _pieces(source)
    if "{%" in source.text or "{#" in source.text:
        return None
    pieces = _pieces(source)
    # A brace before a name may belong to it: `{{{a}}` begins with the braces that come first.
    is_plain = all("{{" not in piece and not piece.endswith("{") for piece in pieces[::2])
    is_named = all(is_variable_name("jinja2", name) for name in pieces[1::2])
    return pieces if is_plain and is_named else None


def _pieces(source: Source) -> list[str]:
    pieces: list[str] = []
    end = 0
    for match in _find_names(source):
        pieces += source.text[end : match.start()], match[1]
        end = match.end()
    return [*pieces, source.text[end:]]


def _find_names(source: Source) -> Iterator[re.Match[str]]:
    if source.kind == "jinja2":
        yield from _JINJA_NAME.finditer(source.text)
    elif source.kind == "simple":
        for match in _SIMPLE.finditer(source.text):
            if is_variable_name("simple", match[1]):
                yield match


def _closure(source: Source, includes: Mapping[str, Source]) -> _Closure:
    """Pick what a template really reaches, so that the same template is compiled only once."""
    reached: dict[str, Source] = {}
    pending = list(find_includes(source))
    while pending:
        name = pending.pop()
        if name in includes and name not in reached:
            reached[name] = includes[name]
            pending += find_includes(includes[name])
    return tuple(sorted(reached.items()))


@lru_cache(maxsize=_KEPT_TEMPLATES)
def _compile(source: Source, closure: _Closure, limits: Limits) -> Template:
    pieces = _split(source)
    if pieces is not None:
        return Substitution(source, pieces)
    # Jinja2 takes longer to load than most prompts take to render, and most need none of it.
    from promptstore.template.jinja import compile_jinja

    return compile_jinja(source, dict(closure), limits)
