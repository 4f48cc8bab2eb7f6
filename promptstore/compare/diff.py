"""What changed between two prompts."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from promptstore.compare.sequences import opcodes, unified
from promptstore.model.parts import MESSAGE_KEYS, Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.values import equal_as_json
from promptstore.model.variables import MISSING, Variable


@dataclass(frozen=True, slots=True)
class TextChange:
    """One content that differs.

    Attributes:
        title: What it is, for example ``message 1 (system)``.
        diff: The unified diff of its lines, without the two lines of file names.
        before: The older text.
        after: The newer one.
    """

    title: str
    diff: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class PromptDiff:
    """What changed between two prompts.

    Attributes:
        changes: A sentence for each change that is not one of text.
        texts: The texts that differ.
    """

    changes: tuple[str, ...]
    texts: tuple[TextChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.changes and not self.texts


def diff_prompts(before: Prompt, after: Prompt) -> PromptDiff:
    """Compare the content of two prompts.

    Args:
        before: The older one.
        after: The newer one.

    Returns:
        What changed.
    """
    pairs = _paired(_slots(before), _slots(after))
    moves = _moves(pairs)
    kept = _without(pairs, moves)
    changes = [
        *_deletion(before, after),
        *_fields(before, after),
        *_declaring(before.variables, after.variables),
        *_variables(before.variables or {}, after.variables or {}),
        *_keys("config", before.config, after.config),
        *_keys("metadata", before.metadata, after.metadata),
        *_keys("", before.extensions, after.extensions),
        *_includes(before.includes, after.includes),
        *(f"{old.title} moved to place {new.number}" for old, new in moves),
        *_slot_changes(kept),
    ]
    return PromptDiff(tuple(changes), tuple(_text_changes(kept)))


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place for text in a prompt.

    Attributes:
        kind: What stands there: ``text``, a role, or ``insert NAME``.
        text: The text; empty for an insert.
        number: The number of the message, or None for the text of a text prompt.
    """

    kind: str
    text: str
    number: int | None

    @property
    def title(self) -> str:
        return "the text" if self.number is None else f"message {self.number} ({self.kind})"


def _slots(prompt: Prompt) -> list[_Slot]:
    if prompt.prompt is not None:
        return [_Slot("text", prompt.prompt, None)]
    return [_slot(item, number) for number, item in enumerate(prompt.messages or (), 1)]


def _slot(item: Message | Insert, number: int) -> _Slot:
    if isinstance(item, Insert):
        return _Slot(f"insert {item.insert}", "", number)
    content = item.content
    text = content if isinstance(content, str) else _json(list(content or ()), indent=2)
    rest = {key: getattr(item, key) for key in MESSAGE_KEYS[2:]}
    said = {key: value for key, value in rest.items() if value is not None}
    if said:
        text = f"{text}\n{_json(said, indent=2)}" if content else _json(said, indent=2)
    return _Slot(item.role, text, number)


_Pair: TypeAlias = tuple[_Slot | None, _Slot | None]


def _paired(before: list[_Slot], after: list[_Slot]) -> list[_Pair]:
    """Pair what belongs together: the same message first, then the same role in the same place."""
    old_keys = [(slot.kind, slot.text) for slot in before]
    new_keys = [(slot.kind, slot.text) for slot in after]
    pairs: list[_Pair] = []
    for tag, i1, i2, j1, j2 in opcodes(old_keys, new_keys):
        old, new = before[i1:i2], after[j1:j2]
        if tag == "equal":
            pairs += zip(old, new, strict=True)
        else:
            pairs += _paired_by_kind(old, new)
    return pairs


def _paired_by_kind(old: list[_Slot], new: list[_Slot]) -> Iterator[_Pair]:
    if len(old) == len(new):
        yield from zip(old, new, strict=True)
        return
    left = _queued((slot.kind, slot) for slot in old)
    paired: set[_Slot] = set()
    for slot in new:
        match = left[slot.kind].popleft() if left[slot.kind] else None
        if match is not None:
            paired.add(match)
        yield match, slot
    yield from ((slot, None) for slot in old if slot not in paired)


def _moves(pairs: list[_Pair]) -> list[tuple[_Slot, _Slot]]:
    """Return what was taken away in one place and stands unchanged in another."""
    removed = _queued(((old.kind, old.text), old) for old, new in pairs if old and not new)
    return [
        (removed[new.kind, new.text].popleft(), new)
        for old, new in pairs
        if new and not old and removed[new.kind, new.text]
    ]


def _queued(slots: Iterable[tuple[Hashable, _Slot]]) -> dict[Hashable, deque[_Slot]]:
    queues: dict[Hashable, deque[_Slot]] = defaultdict(deque)
    for key, slot in slots:
        queues[key].append(slot)
    return queues


def _without(pairs: list[_Pair], moves: list[tuple[_Slot, _Slot]]) -> list[_Pair]:
    halves: set[_Pair] = {(old, None) for old, _ in moves} | {(None, new) for _, new in moves}
    return [pair for pair in pairs if pair not in halves]


def _slot_changes(pairs: list[_Pair]) -> Iterator[str]:
    for before, after in pairs:
        if before is None and after is not None:
            yield f"{after.title} added"
        elif after is None and before is not None:
            yield f"{before.title} removed"
        elif before is not None and after is not None and before.kind != after.kind:
            yield f"{before.title} became {after.title}"


def _text_changes(pairs: list[_Pair]) -> Iterator[TextChange]:
    for before, after in pairs:
        old, new = before.text if before else "", after.text if after else ""
        if old != new:
            slot = after or before
            yield TextChange(slot.title if slot else "", unified(old, new), old, new)


def _deletion(before: Prompt, after: Prompt) -> Iterator[str]:
    if after.deleted and not before.deleted:
        why = f": {after.deleted_reason}" if after.deleted_reason else ""
        instead = f" (replaced by {after.replaced_by})" if after.replaced_by else ""
        yield f"deleted{why}{instead}"
    elif before.deleted and not after.deleted:
        yield "restored"
    elif before.deleted_reason != after.deleted_reason or before.replaced_by != after.replaced_by:
        yield "the reason or the replacement of the deletion changed"


def _fields(before: Prompt, after: Prompt) -> Iterator[str]:
    if before.is_chat != after.is_chat:
        yield "became a chat prompt" if after.is_chat else "became a text prompt"
    for name in ("description", "template", "id"):
        yield from _change(name, getattr(before, name), getattr(after, name))
    old, new = set(before.tags), set(after.tags)
    yield from (f"tag {tag!r} added" for tag in after.tags if tag not in old)
    yield from (f"tag {tag!r} removed" for tag in before.tags if tag not in new)


def _declaring(
    before: Mapping[str, Variable] | None, after: Mapping[str, Variable] | None
) -> Iterator[str]:
    """Yield a change between an empty declaration, which refuses every value, and none."""
    if before is None and after is not None and not after:
        yield "variables are declared now: there are none"
    elif after is None and before is not None and not before:
        yield "variables are not declared any more"


def _variables(before: Mapping[str, Variable], after: Mapping[str, Variable]) -> Iterator[str]:
    for name in after:
        if name not in before:
            needs = "required" if after[name].needs_value else "optional"
            yield f"variable {name!r} added ({after[name].type}, {needs})"
    for name in before:
        if name not in after:
            yield f"variable {name!r} removed"
        else:
            yield from _variable(name, before[name], after[name])


def _variable(name: str, before: Variable, after: Variable) -> Iterator[str]:
    if before.needs_value != after.needs_value:
        yield f"variable {name!r} is now {'required' if after.needs_value else 'optional'}"
    for field in ("type", "enum", "description"):
        old, new = getattr(before, field), getattr(after, field)
        yield from _change(f"{field} of the variable {name!r}", old, new)
    yield from _change(
        f"default of the variable {name!r}", before.default, after.default, absent=MISSING
    )


def _keys(title: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys([*before, *after]):
        path = f"{title}.{key}" if title else key
        old, new = before.get(key), after.get(key)
        if key not in before:
            yield f"{path} added: {_json(new)}"
        elif key not in after:
            yield f"{path} removed (was {_json(old)})"
        elif isinstance(old, dict) and isinstance(new, dict):
            yield from _keys(path, old, new)
        elif not equal_as_json(old, new):
            yield f"{path}: {_json(old)} → {_json(new)}"


def _includes(before: Mapping[str, Prompt], after: Mapping[str, Prompt]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        if not equal_as_json(before[name].content, after[name].content):
            yield f"the included prompt {name!r} changed"


def _change(what: str, old: Any, new: Any, absent: Any = None) -> Iterator[str]:
    """Yield how one field changed, as a sentence."""
    if old is absent and new is absent:
        return
    if old is absent:
        yield f"{what} added: {_json(new)}"
    elif new is absent:
        yield f"{what} removed (was {_json(old)})"
    elif not equal_as_json(old, new):
        yield f"{what}: {_json(old)} → {_json(new)}"


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
