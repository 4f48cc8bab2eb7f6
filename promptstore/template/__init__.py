"""One template and data → text.

Three languages, declared and never guessed: ``jinja2`` (a data-only part of it), ``simple``
(``{{name}}`` and nothing else) and ``none`` (the text itself). A template is compiled once and
rendered often.
"""

from promptstore.template.source import (
    TEMPLATE_KINDS,
    Budget,
    Limits,
    Reference,
    References,
    Source,
    Template,
    TemplateKind,
    compile_template,
    find_includes,
    find_references,
    is_variable_name,
    split_simple,
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
    "compile_template",
    "find_includes",
    "find_references",
    "is_variable_name",
    "split_simple",
]
