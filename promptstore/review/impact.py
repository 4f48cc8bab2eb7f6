"""What a change does to the callers of a prompt, in one word with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from promptstore.errors import TemplateError
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import Signature, signature
from promptstore.model.values import as_key, equal_as_json
from promptstore.model.variables import MISSING, Variable

Impact: TypeAlias = Literal["breaking", "behaviour", "compatible"]
"""``breaking``: a call that rendered before fails now. ``behaviour``: a model reads something
else, or the config differs. ``compatible``: neither."""

IMPACTS: Final[tuple[Impact, ...]] = get_args(Impact)

_WIDER: Final = {("integer", "number")}


@dataclass(frozen=True, slots=True)
class Judgement:
    """An impact with its reasons.

    Attributes:
        impact: The word.
        reasons: Why, as short clauses; at least one.
    """

    impact: Impact
    reasons: tuple[str, ...]


def judge(before: Prompt, after: Prompt) -> Judgement:
    """Return what a change does to the callers of a prompt.

    Args:
        before: The prompt as it was, with what it includes.
        after: The prompt as it is.

    Returns:
        The impact: the worst that any part of the change has.
    """
    if before.deleted and not after.deleted:
        return Judgement("compatible", ("restored: calls that failed render again",))
    if before.deleted:
        return Judgement("compatible", ("it is deleted, before and after",))
    broken = tuple(_broken(before, after))
    if broken:
        return Judgement("breaking", broken)
    behaviour = tuple(_behaviour(before, after))
    if behaviour:
        return Judgement("behaviour", behaviour)
    return Judgement("compatible", tuple(_compatible(before, after)) or ("nothing that matters",))


def _renders(prompt: Prompt) -> bool:
    try:
        return not signature(prompt).undeclared
    except TemplateError:
        return False


def _broken(before: Prompt, after: Prompt) -> Iterator[str]:
    if after.deleted:
        instead = f"; {after.replaced_by} replaces it" if after.replaced_by else ""
        yield f"deleted{instead}"
        return
    if before.is_chat and not after.is_chat:
        yield "became a text prompt"
    elif after.is_chat and not before.is_chat:
        yield "became a chat prompt: it has no single text any more"
    try:
        old = signature(before)
    except TemplateError:
        return  # No call rendered before.
    if old.undeclared:
        return
    try:
        new = signature(after)
    except TemplateError as error:
        yield f"it cannot be rendered any more: {error}"
        return
    for name in new.undeclared:
        yield f"it cannot be rendered any more: nobody declares the variable {name!r}"
    yield from _signature_breaks(old, new)


def _signature_breaks(old: Signature, new: Signature) -> Iterator[str]:
    for name in new.required:
        if name not in old.variables:
            yield f"new required variable {name!r}"
        elif name not in old.required:
            yield f"variable {name!r} is required now"
    for name in old.variables:
        if name not in new.variables:
            yield f"variable {name!r} removed"
            continue
        yield from _narrowed(name, old.variables[name], new.variables[name])


def _narrowed(name: str, old: Variable, new: Variable) -> Iterator[str]:
    is_wider = new.type in ("any", old.type) or (old.type, new.type) in _WIDER
    if not is_wider:
        yield f"variable {name!r} was of the type {old.type} and is of the type {new.type}"
    if new.enum is None:
        return
    if old.enum is None:
        yield f"variable {name!r} takes only some values now"
        return
    kept = set(map(as_key, new.enum))
    gone = [value for value in old.enum if as_key(value) not in kept]
    if gone:
        shown = ", ".join(repr(value) for value in gone)
        yield f"variable {name!r} does not take {shown} any more"


def _behaviour(before: Prompt, after: Prompt) -> Iterator[str]:
    if before.prompt != after.prompt or before.messages != after.messages:
        yield "the text changed" if before.prompt is not None else "the messages changed"
    if before.template != after.template:
        yield f"the template language is {after.template} now"
    if not equal_as_json(before.config, after.config):
        yield "the config changed"
    yield from _changed_includes(before.includes, after.includes)
    for name, variable in before.contract.items():
        other = after.contract.get(name)
        if other is not None and not _same_default(variable, other):
            yield f"another default of the variable {name!r}"


def _changed_includes(before: Mapping[str, Prompt], after: Mapping[str, Prompt]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        if old.prompt != new.prompt or old.template != new.template:
            yield f"the included prompt {name} changed"


def _same_default(one: Variable, other: Variable) -> bool:
    if one.default is MISSING or other.default is MISSING:
        return one.default is other.default
    return equal_as_json(one.default, other.default)


def _compatible(before: Prompt, after: Prompt) -> Iterator[str]:
    if not _renders(before) and _renders(after):
        yield "it could not be rendered before and can be now"
    for field in ("description", "tags", "metadata", "extensions", "id"):
        if getattr(before, field) != getattr(after, field):
            yield f"only {field}" if field != "extensions" else "only x- keys"
    old, new = before.variables or {}, after.variables or {}
    added = [name for name in new if name not in old]
    if added:
        yield "new optional variables " + ", ".join(repr(name) for name in added)
    if any(name in new and old[name] != new[name] for name in old):
        yield "variables that take what they took"
