"""Rules about what a prompt includes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from promptstore.errors import Problem
from promptstore.lint.library import Library, hint
from promptstore.lint.rule import Rule
from promptstore.template import Limits

_FIXED: Final = "prompt: \"{% include 'shared/tone' %}\""

MISSING_INCLUDE: Final = Rule(
    "PS301",
    "A text includes a prompt that does not exist.",
    "The render fails. An include names a prompt from the root of the prompts' folder, without "
    "`.yaml`, whatever folder the including prompt is in.",
    bad="prompt: \"{% include 'shared/tune' %}\"",
    good=_FIXED,
)
DELETED_INCLUDE: Final = Rule(
    "PS302",
    "A text includes a prompt that is deleted.",
    "The render fails as long as the tombstone is there. Include the replacement that it names, or "
    "restore the prompt.",
    bad="prompt: \"{% include 'old/tone' %}\"",
    good=_FIXED,
)
CYCLIC_INCLUDE: Final = Rule(
    "PS303",
    "A text includes itself, directly or not.",
    "Such a text would never end, so the render is refused. Move what both need into a third "
    "prompt.",
    bad="# the prompt a\nprompt: \"{% include 'a' %}\"",
    good=_FIXED,
)
DEEP_INCLUDE: Final = Rule(
    "PS304",
    "Includes are nested too deeply.",
    "A render follows includes ten deep by default. Such a chain is hard to review, too: include "
    "the pieces side by side.",
)
CHAT_INCLUDE: Final = Rule(
    "PS305",
    "A text includes a chat prompt; only a text prompt can be included.",
    "An include puts one text into another; a list of messages has no place there. Make the common "
    "part a text prompt and include it from both.",
)
BROKEN_INCLUDE: Final = Rule(
    "PS306",
    "A text includes a prompt whose file is broken.",
    "The including prompt fails for the fault of another file. Mend that file; its own problems "
    "are reported there.",
)

RULES: Final = (
    MISSING_INCLUDE,
    DELETED_INCLUDE,
    CYCLIC_INCLUDE,
    DEEP_INCLUDE,
    CHAT_INCLUDE,
    BROKEN_INCLUDE,
)


def unfit_includes(library: Library, name: str) -> Iterator[Problem]:
    """Find includes that cannot be followed."""
    if library.prompt(name).deleted:
        return
    for text, include in library.includes(name):
        fault = _fault(library, name, include.name)
        if fault:
            rule, message = fault
            yield Problem(*library.place(name, text, include.line), rule.code, message)


def _fault(library: Library, name: str, target: str) -> tuple[Rule, str] | None:
    if target not in library.known:
        advice = hint(target, library.names)
        return MISSING_INCLUDE, f"There is no prompt {target!r} to include.{advice}"
    if library.document(target) is None:
        return BROKEN_INCLUDE, f"The included prompt {target!r} has a broken file."
    included = library.prompt(target)
    if included.deleted:
        instead = f" Use {included.replaced_by!r} instead." if included.replaced_by else ""
        return DELETED_INCLUDE, f"The included prompt {target!r} is deleted.{instead}"
    if included.is_chat:
        return CHAT_INCLUDE, f"{target!r} is a chat prompt; only a text prompt can be included."
    if name in library.closure(target):
        return CYCLIC_INCLUDE, f"{target!r} includes {name!r} in turn; includes cannot go round."
    depth = Limits().max_include_depth
    if 1 + _depth(library, target, depth) > depth:
        return DEEP_INCLUDE, f"Includes are nested deeper than {depth} from here on."
    return None


def _depth(library: Library, name: str, most: int) -> int:
    """Measure how deep the includes of a prompt go, at the most so far."""
    level, depth = {name}, 0
    while level and depth < most:
        level = {include.name for at in level for _, include in library.includes(at)}
        depth += bool(level)
    return depth
