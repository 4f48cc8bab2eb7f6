"""``BASE..HEAD`` → every prompt that is another one at its end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from promptstore.compare.diff import PromptDiff, diff_prompts
from promptstore.compare.sequences import opcodes
from promptstore.errors import Problem, PromptFileError, PromptStoreError
from promptstore.lint.check import Settings
from promptstore.lint.context import LintContext
from promptstore.model.prompt import Prompt, texts
from promptstore.model.rendering import render_prompt
from promptstore.review.impact import IMPACTS, Judgement, judge
from promptstore.store.snapshot import Snapshot

Kind: TypeAlias = Literal[
    "added", "removed", "renamed", "deleted", "restored", "changed", "affected", "broken", "fixed"
]
"""``deleted`` is a tombstone, ``removed`` a file that is gone, ``affected`` a prompt whose own
file is the same and whose includes are not."""

_ALIKE: Final = 0.6
_MOST_COMPARISONS: Final = 10_000
_EMPTY: Final = PromptDiff((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChange:
    """One prompt that a range of commits changes.

    Attributes:
        name: Its name at the end of the range; for a removed one its last.
        path: Its file.
        kind: What happened to it.
        judgement: What that does to its callers.
        old_name: The name that it had before a rename.
        via: For a prompt that is only affected: the way from it to the changed include.
        diff: What changed in it.
        before: The prompt at the start of the range, where both ends have it and can be read.
        after: The prompt at its end, likewise.
        renders: The examples whose rendered texts differ, or that neither side renders.
        problems: The faults of a broken file.
    """

    name: str
    path: str
    kind: Kind
    judgement: Judgement
    old_name: str | None = None
    via: tuple[str, ...] = ()
    diff: PromptDiff = _EMPTY
    before: Prompt | None = None
    after: Prompt | None = None
    renders: tuple[RenderChange, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class RenderChange:
    """One example whose rendered text differs, or that neither side renders.

    Attributes:
        example: The number of the example, from 1.
        before: The text, or why there is none.
        after: The text, or why there is none.
        rendered_before: Whether it could be rendered before.
        renders_now: Whether it can be rendered after.
    """

    example: int
    before: str
    after: str
    rendered_before: bool
    renders_now: bool

    @property
    def differs(self) -> bool:
        """Whether the texts differ."""
        return self.before != self.after

    @property
    def fails_now(self) -> bool:
        """Whether it rendered before and does not now."""
        return self.rendered_before and not self.renders_now

    @property
    def title(self) -> str:
        """What is shown, as a heading."""
        renders = self.rendered_before or self.renders_now
        what = "rendered with example" if renders else "neither side renders with example"
        return f"{what} {self.example}"


@dataclass(frozen=True, slots=True)
class RangeDiff:
    """What a range of commits does to the prompts.

    Attributes:
        base: The commit at its start, or None for a folder.
        head: The commit at its end, or None for a folder.
        changes: The prompts that changed: the worst impact first, then by name.
    """

    base: str | None
    head: str | None
    changes: tuple[PromptChange, ...]

    def of(self, impact: str) -> list[PromptChange]:
        """List the changes of one impact."""
        return [change for change in self.changes if change.judgement.impact == impact]


def compare(
    before: Snapshot, after: Snapshot, examples: Mapping[str, Any] | None = None
) -> RangeDiff:
    """Find what became of every prompt between two snapshots.

    Only files whose content differs are read, and what includes them.

    Args:
        before: The prompts at the start.
        after: The prompts at the end.
        examples: Values to render changed prompts with: by name, one mapping of values or a list
            of them.

    Returns:
        The changes.
    """
    old, new = LintContext(before, Settings()), LintContext(after, Settings())
    differing = {
        name for name in old.known & new.known if old.file(name).blob != new.file(name).blob
    }
    added, removed = new.known - old.known, old.known - new.known
    renames = _renames(old, new, removed, added)
    changes = [
        *(_changed(before, after, name, name) for name in differing),
        *(_changed(before, after, was, now) for now, was in renames.items()),
        *(_added(after, name) for name in added - renames.keys()),
        *(_removed(before, name) for name in removed - set(renames.values())),
        *_affected(before, after, old, new, differing | added | removed),
    ]
    tried = (_rendered(change, examples or {}) for change in changes if change is not None)
    return RangeDiff(before.commit, after.commit, tuple(sorted(tried, key=_order)))


def _order(change: PromptChange) -> tuple[int, bool, str]:
    return IMPACTS.index(change.judgement.impact), change.kind == "affected", change.name


def _read(snapshot: Snapshot, name: str) -> Prompt | PromptFileError:
    try:
        return snapshot.read(name, deleted=True)
    except PromptFileError as error:
        return error


def _changed(before: Snapshot, after: Snapshot, was: str, name: str) -> PromptChange | None:
    old, new = _read(before, was), _read(after, name)
    path = after.file(name).path
    change = partial(PromptChange, name=name, path=path)
    if isinstance(new, PromptFileError):
        return _broken(name, path, new, old)
    if isinstance(old, PromptFileError):
        fixed = Judgement("compatible", ("its file was broken and can be read now",))
        return change(kind="fixed", judgement=fixed)
    diff = diff_prompts(old, new)
    change = partial(change, diff=diff, before=old, after=new)
    if was != name:
        judgement = _renamed(judge(old, new), was, name, is_gone=not old.deleted)
        return change(kind="renamed", judgement=judgement, old_name=was)
    if diff.is_empty:
        return None  # Only layout or comments.
    kind: Kind = "changed"
    if old.deleted != new.deleted:
        kind = "deleted" if new.deleted else "restored"
    return change(kind=kind, judgement=judge(old, new))


def _renamed(judgement: Judgement, was: str, name: str, *, is_gone: bool) -> Judgement:
    if not is_gone:
        return judgement
    reason = f"calls that ask for {was} fail: the name is {name} now"
    more = judgement.reasons if judgement.impact != "compatible" else ()
    return Judgement("breaking", (reason, *more))


def _broken(
    name: str, path: str, error: PromptFileError, old: Prompt | PromptFileError | None
) -> PromptChange:
    """Return the change of a prompt that cannot be read, by its own file or by an include."""
    is_own = error.path == path
    reason = "its file is broken" if is_own else f"{error.path}, which it includes, is broken"
    if isinstance(old, PromptFileError):
        reason += ", as before"
    was_fine = isinstance(old, Prompt) and not old.deleted
    return PromptChange(
        name=name, path=path, kind="broken",
        judgement=Judgement("breaking" if was_fine else "compatible", (reason,)),
        problems=tuple(error.problems) if is_own else (),
    )  # fmt: skip


def _added(after: Snapshot, name: str) -> PromptChange:
    new, path = _read(after, name), after.file(name).path
    if isinstance(new, PromptFileError):
        return _broken(name, path, new, None)
    blank = Prompt(prompt="")
    return PromptChange(
        name=name, path=path, kind="added", judgement=Judgement("compatible", ("new",)),
        diff=replace(diff_prompts(blank, new), changes=()),
    )  # fmt: skip


def _removed(before: Snapshot, name: str) -> PromptChange:
    old, path = _read(before, name), before.file(name).path
    was_there = not isinstance(old, Prompt) or not old.deleted
    judgement = (
        Judgement("breaking", ("its file is gone: calls that ask for it fail",))
        if was_there
        else Judgement("compatible", ("it was deleted before",))
    )
    return PromptChange(name=name, path=path, kind="removed", judgement=judgement)


def _affected(
    before: Snapshot, after: Snapshot, old: LintContext, new: LintContext, touched: set[str]
) -> Iterable[PromptChange]:
    """Find the prompts whose file is the same and whose includes are not."""
    ways = new.ways_to(touched)
    for name in sorted((ways.keys() - touched) & old.known):
        if old.document(name) is None:
            continue  # Its own file is broken, before and after.
        change = partial(
            PromptChange, name=name, path=new.file(name).path, kind="affected", via=ways[name]
        )
        one, other = _read(before, name), _read(after, name)
        if isinstance(one, PromptFileError) or isinstance(other, PromptFileError):
            judgement = _judge_readable(one, other)
            if judgement is not None:
                yield change(judgement=judgement)
            continue
        if one.digest == other.digest and one.includes.keys() == other.includes.keys():
            continue
        diff = diff_prompts(one, other)
        yield change(judgement=judge(one, other), diff=diff, before=one, after=other)


def _judge_readable(
    one: Prompt | PromptFileError, other: Prompt | PromptFileError
) -> Judgement | None:
    """Judge a prompt that includes a file which is broken on one side; None for one on both."""
    if isinstance(one, Prompt):
        assert isinstance(other, PromptFileError)
        if one.deleted:
            return Judgement("compatible", ("it is deleted, before and after",))
        return Judgement("breaking", (f"it cannot be rendered any more: {other.path} is broken",))
    if isinstance(other, Prompt):
        return Judgement("compatible", ("what it includes was broken and can be read now",))
    return None


def _renames(
    old: LintContext, new: LintContext, removed: AbstractSet[str], added: AbstractSet[str]
) -> dict[str, str]:
    """Pair what went with what came: the same id or content first, then the most alike.

    Returns:
        The old names by new name.
    """
    gone, come = _readable(old, removed), _readable(new, added)
    pairs: dict[str, str] = {}
    for key in (lambda prompt: prompt.id, _text_of):
        _pair_equal(gone, come, key, pairs)
    if len(gone) * len(come) > _MOST_COMPARISONS:
        return pairs
    lines = {
        side: {name: _text_of(prompt).splitlines() for name, prompt in prompts.items()}
        for side, prompts in (("gone", gone), ("come", come))
    }
    likeness = sorted(
        (
            (_likeness(lines["gone"][was], lines["come"][now]), was, now)
            for was in gone
            for now in come
            if gone[was].is_chat == come[now].is_chat
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    for degree, was, now in likeness:
        if degree >= _ALIKE and was in gone and now in come:
            _take(gone, come, was, now, pairs)
    return pairs


def _pair_equal(
    gone: dict[str, Prompt],
    come: dict[str, Prompt],
    key: Callable[[Prompt], Any],
    pairs: dict[str, str],
) -> None:
    by_key = {key(prompt): name for name, prompt in reversed(gone.items())}
    for now, prompt in list(come.items()):
        was = by_key.get(key(prompt))
        if key(prompt) and was is not None and was in gone:
            _take(gone, come, was, now, pairs)


def _take(
    gone: dict[str, Prompt], come: dict[str, Prompt], was: str, now: str, pairs: dict[str, str]
) -> None:
    pairs[now] = was
    del gone[was], come[now]


def _readable(context: LintContext, names: AbstractSet[str]) -> dict[str, Prompt]:
    documents = {name: context.document(name) for name in sorted(names)}
    return {name: document.prompt for name, document in documents.items() if document}


def _text_of(prompt: Prompt) -> str:
    return "\n".join(text for _, text in texts(prompt))


def _likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """Return which part of the lines of two strings is the same, from 0 to 1."""
    total = len(one) + len(other)
    if 2 * (Counter(one) & Counter(other)).total() < _ALIKE * total:
        return 0.0
    same = sum(i2 - i1 for tag, i1, i2, _, _ in opcodes(one, other) if tag == "equal")
    return 2 * same / total if total else 0.0


def _rendered(change: PromptChange, examples: Mapping[str, Any]) -> PromptChange:
    """Render both sides with the example values of the prompt, where there are any."""
    given = examples.get(change.name, examples.get(change.old_name or ""))
    if given is None or change.before is None or change.after is None:
        return change
    renders: list[RenderChange] = []
    for number, values in enumerate(given if isinstance(given, list) else [given], 1):
        old, rendered_before = _text(change.before, values)
        new, renders_now = _text(change.after, values)
        if old != new or not rendered_before:
            renders.append(RenderChange(number, old, new, rendered_before, renders_now))
    judgement = change.judgement
    failing = tuple(
        f"example {found.example} fails now: {found.after}" for found in renders if found.fails_now
    )
    if failing:
        kept = judgement.reasons if judgement.impact == "breaking" else ()
        judgement = Judgement("breaking", (*kept, *failing))
    return replace(change, renders=tuple(renders), judgement=judgement)


def _text(prompt: Prompt, values: Any) -> tuple[str, bool]:
    if not isinstance(values, Mapping):
        return f"these are no values: {json.dumps(values)[:60]}", False
    try:
        return str(render_prompt(prompt, values)), True
    except PromptStoreError as error:
        return str(error), False
