"""Rules about templates and their variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from promptstore.errors import Problem, TemplateSyntaxError
from promptstore.lint.library import Library, hint
from promptstore.lint.rule import Rule
from promptstore.model.messages import Insert

TEMPLATE_SYNTAX: Final = Rule(
    "PS201",
    "A text is not a template of its language.",
    "The prompt cannot be rendered at all. The message says what the template language refuses. A "
    "text that is full of braces but is no template wants `template: none`, or `raw` around it.",
    bad='prompt: "{% if x %}Hello"',
    good='prompt: "{% if x %}Hello{% endif %}"',
)
UNDECLARED_VARIABLE: Final = Rule(
    "PS202",
    "A text uses a variable that the prompt does not declare.",
    "Once `variables:` is there it is a contract: a render that needs a variable outside of it "
    "fails. Declare the variable, or mend its name.",
    bad='variables:\n  name: {}\nprompt: "{{ name }}, {{ nmae }}"',
    good='variables:\n  name: {}\nprompt: "{{ name }}, {{ name }}"',
)
UNUSED_VARIABLE: Final = Rule(
    "PS203",
    "A declared variable is used nowhere.",
    "Every caller has to give a value that no text reads, or believes that it does something. "
    "Remove the declaration, or use the variable.",
    bad='variables:\n  name: {}\n  tone: {}\nprompt: "{{ name }}"',
    good='variables:\n  name: {}\nprompt: "{{ name }}"',
    severity="warning",
)


def template_syntax(library: Library, name: str) -> Iterator[Problem]:
    """Find texts that are no templates."""
    for text in library.texts(name):
        error = text.references
        if isinstance(error, TemplateSyntaxError):
            message = error.message[:1].upper() + error.message[1:]
            yield Problem(*library.place(name, text, error.line), TEMPLATE_SYNTAX.code, message)


def undeclared_variables(library: Library, name: str) -> Iterator[Problem]:
    """Find variables that a text uses and nobody declares."""
    prompt = library.prompt(name)
    if prompt.variables is None or prompt.deleted:
        return
    declared = _declared(library, name)
    for text, references in library.references(name):
        for variable, line in references.variables:
            if variable not in declared:
                advice = hint(variable, declared) or f" Add `{variable}:` there."
                message = f"The variable {variable!r} is not declared in `variables:`.{advice}"
                yield Problem(*library.place(name, text, line), UNDECLARED_VARIABLE.code, message)
    for text, include in library.includes(name):
        for variable in sorted(_used(library, include.name) - declared):
            message = (
                f"The included prompt {include.name!r} uses the variable {variable!r}, "
                "which neither of the two declares."
            )
            place = library.place(name, text, include.line)
            yield Problem(*place, UNDECLARED_VARIABLE.code, message)


def unused_variables(library: Library, name: str) -> Iterator[Problem]:
    """Find variables that are declared and never used."""
    prompt = library.prompt(name)
    if prompt.deleted or not prompt.variables or not _is_whole(library, name):
        return
    used = _used(library, name)
    for variable in prompt.variables:
        if variable not in used:
            place = library.key_position(name, ("variables", variable))
            message = f"The variable {variable!r} is declared but used nowhere; remove it."
            yield Problem(*place, UNUSED_VARIABLE.code, message)


def _is_whole(library: Library, name: str) -> bool:
    """Tell whether all texts that a prompt is put together from can be read."""
    reached = library.closure(name)
    included = {include.name for at in reached for _, include in library.includes(at)}
    return included <= set(reached) and not any(
        isinstance(text.references, TemplateSyntaxError)
        for at in reached
        for text in library.texts(at)
    )


def _declared(library: Library, name: str) -> set[str]:
    """Collect what a prompt and its includes declare."""
    found: set[str] = set()
    for reached in library.closure(name):
        found.update(library.prompt(reached).variables or {})
    prompt = library.prompt(name)
    return found | {item.insert for item in prompt.messages or () if isinstance(item, Insert)}


def _used(library: Library, name: str) -> set[str]:
    """Collect what a prompt and its includes use."""
    used: set[str] = set()
    for reached in library.closure(name):
        for _, references in library.references(reached):
            used.update(reference.name for reference in references.variables)
        messages = library.prompt(reached).messages or ()
        used.update(item.insert for item in messages if isinstance(item, Insert))
    return used
