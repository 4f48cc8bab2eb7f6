"""Rules about templates, and about the names that prompts refer to each other by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from promptstore.errors import SyncRefusedError, TemplateSyntaxError
from promptstore.lint.context import LintContext
from promptstore.lint.findings import Rule, Violation
from promptstore.model.parts import Insert
from promptstore.model.values import SUFFIX
from promptstore.template import Limits

TEMPLATE_SYNTAX: Final = Rule("PS201")
UNDECLARED_VARIABLE: Final = Rule("PS202")
UNUSED_VARIABLE: Final = Rule("PS203", severity="warning")
EATEN_LINE_END: Final = Rule("PS204", severity="warning", is_on=False)
MISSING_INCLUDE: Final = Rule("PS301")
DELETED_INCLUDE: Final = Rule("PS302")
CYCLIC_INCLUDE: Final = Rule("PS303")
DEEP_INCLUDE: Final = Rule("PS304")
CHAT_INCLUDE: Final = Rule("PS305")
BROKEN_INCLUDE: Final = Rule("PS306")
CASE_COLLISION: Final = Rule("PS401")
UNUSABLE_NAME: Final = Rule("PS402")
DEAD_REPLACEMENT: Final = Rule("PS403")
LOST_LABEL: Final = Rule("PS404")
REMOTE_NAME: Final = Rule("PS405")

INCLUDE_RULES: Final = (
    MISSING_INCLUDE,
    DELETED_INCLUDE,
    CYCLIC_INCLUDE,
    DEEP_INCLUDE,
    CHAT_INCLUDE,
    BROKEN_INCLUDE,
)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_TAG: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}")
_NAMED: Final = 3
"""How many names are shown of those that differ only in letter case."""


def template_syntax(context: LintContext, name: str) -> Iterator[Violation]:
    """Find texts that are no templates."""
    for text in context.texts(name):
        error = text.references
        if isinstance(error, TemplateSyntaxError):
            message = error.message[:1].upper() + error.message[1:]
            yield Violation(TEMPLATE_SYNTAX, message, text.keys, error.line)


def undeclared_variables(context: LintContext, name: str) -> Iterator[Violation]:
    """Find variables that a text uses and nobody declares."""
    prompt = context.prompt(name)
    if prompt.variables is None or prompt.deleted:
        return
    declared = _declared(context, name)
    for text, references in context.references(name):
        for variable, line in references.variables:
            if variable not in declared:
                advice = context.hint(variable, declared) or f" Add `{variable}:` there."
                message = f"The variable {variable!r} is not declared in `variables:`.{advice}"
                yield Violation(UNDECLARED_VARIABLE, message, text.keys, line)
    for text, include in context.includes(name):
        for variable in sorted(_used(context, include.name) - declared):
            message = (
                f"The included prompt {include.name!r} uses the variable {variable!r}, "
                "which neither of the two declares."
            )
            yield Violation(UNDECLARED_VARIABLE, message, text.keys, include.line)


def unused_variables(context: LintContext, name: str) -> Iterator[Violation]:
    """Find variables that are declared and never used."""
    prompt = context.prompt(name)
    if prompt.deleted or not prompt.variables or not _is_whole(context, name):
        return
    used = _used(context, name)
    for variable in prompt.variables:
        if variable not in used:
            message = f"The variable {variable!r} is declared but used nowhere; remove it."
            yield Violation(UNUSED_VARIABLE, message, ("variables", variable), is_key=True)


def eaten_line_ends(context: LintContext, name: str) -> Iterator[Violation]:
    """Find lines that the tag at their end joins with the next one."""
    if context.prompt(name).template != "jinja2":
        return
    for text in context.texts(name):
        for line in find_eaten_line_ends(text.text):
            message = "The tag at the end of this line takes its line end away; `+%}` keeps it."
            yield Violation(EATEN_LINE_END, message, text.keys, line)


def find_eaten_line_ends(text: str) -> list[int]:
    """Return the lines of a Jinja2 template, from 1, that end in a tag but hold more than tags.

    Such a tag takes the line end behind it away; a plus, as in ``{% endif +%}``, keeps it.
    """
    return [
        number
        for number, line in enumerate(_LINE_END.split(text)[:-1], 1)
        if line.endswith(("%}", "#}")) and line[-3] not in "+-" and _TAG.sub("", line).strip()
    ]


def _is_whole(context: LintContext, name: str) -> bool:
    """Return whether all texts that a prompt is put together from can be read."""
    reached = context.closure(name)
    return all(
        not isinstance(text.references, TemplateSyntaxError)
        and all(include.name in reached for include in text.references.includes)
        for at in reached
        for text in context.texts(at)
    )


def _declared(context: LintContext, name: str) -> set[str]:
    """Return what a prompt and its includes declare."""
    found: set[str] = set()
    for reached in context.closure(name):
        found.update(context.prompt(reached).variables or {})
    prompt = context.prompt(name)
    return found | {item.insert for item in prompt.messages or () if isinstance(item, Insert)}


def _used(context: LintContext, name: str) -> set[str]:
    """Return what a prompt and its includes use."""
    used: set[str] = set()
    for reached in context.closure(name):
        for _, references in context.references(reached):
            used.update(reference.name for reference in references.variables)
        messages = context.prompt(reached).messages or ()
        used.update(item.insert for item in messages if isinstance(item, Insert))
    return used


def unfit_includes(context: LintContext, name: str) -> Iterator[Violation]:
    """Find includes that cannot be followed."""
    if context.prompt(name).deleted:
        return
    for text, include in context.includes(name):
        fault = _fault(context, name, include.name)
        if fault:
            yield Violation(*fault, text.keys, include.line)


def _fault(context: LintContext, name: str, target: str) -> tuple[Rule, str] | None:
    if target not in context.known:
        advice = context.hint(target, context.names)
        return MISSING_INCLUDE, f"There is no prompt {target!r} to include.{advice}"
    if context.document(target) is None:
        return BROKEN_INCLUDE, f"The included prompt {target!r} has a broken file."
    included = context.prompt(target)
    if included.deleted:
        instead = f" Use {included.replaced_by!r} instead." if included.replaced_by else ""
        return DELETED_INCLUDE, f"The included prompt {target!r} is deleted.{instead}"
    if included.is_chat:
        return CHAT_INCLUDE, f"{target!r} is a chat prompt; only a text prompt can be included."
    if name in context.closure(target):
        return CYCLIC_INCLUDE, f"{target!r} includes {name!r} in turn; includes cannot go round."
    depth = Limits().max_include_depth
    if 1 + context.include_depth(target, depth) > depth:
        return DEEP_INCLUDE, f"Includes are nested deeper than {depth} from here on."
    return None


def case_collision(context: LintContext, name: str) -> Iterator[Violation]:
    """Find names that are this one in other letter case."""
    alike = context.by_folded[name.casefold()]
    if len(alike) > 1:
        others = [other for other in alike[: _NAMED + 1] if other != name][:_NAMED]
        more = len(alike) - 1 - len(others)
        shown = " and ".join(map(repr, others)) + (f" and {more} more" if more else "")
        message = f"The name differs from {shown} only in letter case; rename one of them."
        yield Violation(CASE_COLLISION, message)


def unrecognized_files(context: LintContext) -> Iterator[tuple[str, Violation]]:
    """Find files that look like prompts and are none, each with its path."""
    for path in context.unrecognized_files:
        if path.endswith(SUFFIX):
            message = (
                "The file is not read: it is a symbolic link, or its path holds other characters "
                "than letters, digits, '_', '-' and '.'."
            )
        else:
            message = "The file is not read: a prompt's file ends with .yaml. Rename it."
        yield path, Violation(UNUSABLE_NAME, message)


def dead_replacement(context: LintContext, name: str) -> Iterator[Violation]:
    """Find a replacement that cannot be had."""
    target = context.prompt(name).replaced_by
    if target is None:
        return
    if target not in context.known:
        advice = context.hint(target, context.names)
        message = f"There is no prompt {target!r} to replace this one.{advice}"
        yield Violation(DEAD_REPLACEMENT, message, ("replaced_by",))
    elif context.document(target) is not None and context.prompt(target).deleted:
        message = f"{target!r}, which replaces this prompt, is deleted itself."
        yield Violation(DEAD_REPLACEMENT, message, ("replaced_by",))


def remote_name(context: LintContext, name: str) -> Iterator[Violation]:
    """Find a name that a remote of the repository refuses."""
    if not context.settings.name_encoders:
        return
    document = context.document(name)
    if document is not None and document.prompt.deleted:
        return
    for remote, encode in context.settings.name_encoders.items():
        try:
            encode(name)
        except SyncRefusedError as error:
            message = f"The remote {remote!r} cannot hold the name {name!r}: {error.reason}"
            yield Violation(REMOTE_NAME, message, place=(1, 1))
