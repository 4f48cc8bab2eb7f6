"""One template and data → text.

Three languages, declared and never guessed: ``jinja2`` (a data-only part of it), ``simple``
(``{{name}}`` and nothing else) and ``none`` (the text itself). A template is compiled once and
rendered often. Jinja2 is loaded only when a template needs more than substitution.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from promptstore.template.base import (
    TEMPLATE_KINDS,
    Budget,
    Limits,
    Reference,
    Source,
    Template,
    TemplateKind,
    find_includes,
)
from promptstore.template.substitution import (
    TextFill,
    compile_substitution,
    fill_with_texts,
    find_names,
)

__all__ = [
    "TEMPLATE_KINDS",
    "Budget",
    "Limits",
    "Reference",
    "References",
    "Source",
    "Template",
    "TemplateKind",
    "TextFill",
    "check_syntax",
    "compile_template",
    "fill_with_texts",
    "find_includes",
    "find_references",
]

_KEPT_TEMPLATES: Final = 4096

_Closure: TypeAlias = tuple[tuple[str, Source], ...]


class References(NamedTuple):
    """What one template text uses, what it includes left aside.

    Attributes:
        variables: Each use of a name from outside, in the order of the text.
        includes: Each include.
    """

    variables: list[Reference]
    includes: list[Reference]


def check_syntax(source: Source) -> None:
    """Check that a text is a template of its language.

    Args:
        source: The template.

    Raises:
        TemplateSyntaxError: It is none.
    """
    if compile_substitution(source) is None:
        find_references(source)


def find_references(source: Source) -> References:
    """Find every name and include that a template uses, with their lines.

    Args:
        source: The template.

    Returns:
        The names and includes.

    Raises:
        TemplateSyntaxError: The text is not a template of its language.
    """
    substitution = compile_substitution(source)
    if substitution is not None:
        return References(find_names(source), [])
    from promptstore.template.jinja import find_jinja_references

    return References(*find_jinja_references(source))


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
    substitution = compile_substitution(source)
    if substitution is not None:
        return substitution
    # Jinja2 takes longer to load than most prompts take to render, and most need none of it.
    from promptstore.template.jinja import compile_jinja

    return compile_jinja(source, dict(closure), limits)
