"""Labels on both sides: compared with what they were at the last sync, and brought over.

Version numbers differ on both sides, so a label is compared by the content that it points at. A
label is only taken away where both sides had it alike at the last sync of labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from promptstore.errors import PromptFileError, SyncRefusedError
from promptstore.history.labels import is_label
from promptstore.posthog.sync.comparison import Comparison, Step, plan
from promptstore.posthog.sync.remote import RemotePrompts
from promptstore.posthog.sync.state import RemoteRecord, RemoteState
from promptstore.store.store import PromptStore


class LabelOf(NamedTuple):
    """A label of one prompt.

    Attributes:
        label: The label.
        name: The prompt's name.
    """

    label: str
    name: str

    def __str__(self) -> str:
        return f"{self.label} of {self.name}"


@dataclass(frozen=True, slots=True)
class LabelSync:
    """The labels of both sides, and the acts that bring them over.

    Attributes:
        store: The store.
        remote: The remote.
        state: What remembers what both sides had.
        comparison: The prompts of both sides, after they were synced.
        here: The digests that git's labels point at.
        there: The digests that the remote's labels point at.
        past: What the remote ever held by prompt name, newest first, as far as is known.
        numbers: The versions on the remote by prompt name and digest, as far as they are sure.
        steps: The plan.
        agreed: What both sides have alike by now: a digest, or None where it was taken off.
    """

    store: PromptStore
    remote: RemotePrompts
    state: RemoteState
    comparison: Comparison
    here: Mapping[LabelOf, str]
    there: Mapping[LabelOf, str]
    past: Mapping[str, list[RemoteRecord]]
    numbers: Mapping[str, Mapping[str, int]]
    steps: Mapping[LabelOf, Step]
    agreed: dict[LabelOf, str | None] = field(default_factory=dict)

    def push(self, key: LabelOf) -> str | None:
        """Bring git's label to the remote; None where what it points at was never there."""
        remote_name, digest = self.comparison.remote[key.name].row.name, self.here.get(key)
        if digest is None:
            self.remote.remove_label(remote_name, key.label)
            self.agreed[key] = None
            return "taken off on the remote"
        number = self.numbers[key.name].get(digest) or self._older_number(key.name, digest)
        if number is None:
            return None
        self.remote.set_label(remote_name, key.label, number)
        self.agreed[key] = digest
        return f"version {number} on the remote"

    def _older_number(self, name: str, digest: str) -> int | None:
        """Find a version from before the prompt was archived, which the remote may still have."""
        for record in self.past[name]:
            if record.content.digest == digest:
                found = self.remote.read(self.comparison.remote[name].row.name, record.version)
                if found is not None and self.comparison.seen(found).digest == digest:
                    return record.version
        return None

    def pull(self, key: LabelOf) -> str | None:
        """Bring the remote's label to git; None where what it points at was never here."""
        digest = self.there.get(key)
        if digest is None:
            self.store.remove_label(key.name, key.label)
            self.agreed[key] = None
            return "taken off in git"
        digests = self.comparison.branch.digests(key.name)
        number = next((number for number, one in digests if one == digest), None)
        if number is None:
            return None
        self.store.set_label(key.name, key.label, version=number)
        self.agreed[key] = digest
        return f"version {number} in git"

    def remember(self) -> None:
        """Record what both sides have alike by now."""
        moved: dict[str, dict[str, str | None]] = defaultdict(dict)
        for key, digest in self.agreed.items():
            moved[key.name][key.label] = digest
        known = self.comparison.known
        records = {name: _with_labels(known[name], labels) for name, labels in moved.items()}
        self.state.record({name: one for name, one in records.items() if one != known[name]})


def compare_labels(
    store: PromptStore,
    remote: RemotePrompts,
    state: RemoteState,
    comparison: Comparison,
) -> LabelSync:
    """Look at the labels of all prompts that both sides have, and plan.

    Args:
        store: The store.
        remote: The remote.
        state: What remembers what both sides had.
        comparison: The prompts of both sides, after they were synced.

    Raises:
        RemoteError: A version that only a label points at cannot be read.
    """
    names = set(_labelled(store, comparison))
    past = state.past(names, comparison.codec)
    numbers = {name: _numbers(comparison, name, past[name]) for name in names}
    here = dict(_labels_here(store, comparison, names))
    there = dict(_labels_there(remote, comparison, numbers))
    base = {
        LabelOf(label, name): digest
        for name in names
        for label, digest in comparison.known[name].labels.items()
    }
    sides = [{str(key): digest for key, digest in side.items()} for side in (base, here, there)]
    keys = {str(key): key for key in (*base, *here, *there)}
    steps = {keys[step.name]: step for step in plan(*sides)}
    alike = {key: here.get(key) for key in keys.values() if key not in steps}
    return LabelSync(store, remote, state, comparison, here, there, past, numbers, steps, alike)


def _labelled(store: PromptStore, comparison: Comparison) -> Iterator[str]:
    """Name the prompts that both sides have and at least one knows a label of."""
    in_git = {name for targets in store.labels().targets.values() for name in targets}
    for name in comparison.remote.keys() & comparison.local.keys() & comparison.known.keys():
        is_labelled = comparison.remote[name].row.labels or comparison.known[name].labels
        if (name in in_git or is_labelled) and not comparison.local[name].prompt.deleted:
            yield name


def _labels_here(
    store: PromptStore, comparison: Comparison, names: set[str]
) -> Iterator[tuple[LabelOf, str]]:
    for label, targets in store.labels().targets.items():
        for name in names & targets.keys():
            try:
                content = comparison.codec.encode(store.get(name, label=label))
            except (PromptFileError, SyncRefusedError):
                # Nothing can be said of it, so it looks like what was never on the remote.
                yield LabelOf(label, name), f"unreadable version {targets[name].version}"
                continue
            yield LabelOf(label, name), content.digest


def _labels_there(
    remote: RemotePrompts, comparison: Comparison, numbers: Mapping[str, dict[str, int]]
) -> Iterator[tuple[LabelOf, str]]:
    for name, known in numbers.items():
        row = comparison.remote[name].row
        for label, number in row.labels.items():
            if not is_label(label):
                continue
            if number not in known.values():
                found = remote.read(row.name, number)
                if found is None:
                    continue
                known[comparison.seen(found).digest] = number
            yield LabelOf(label, name), next(key for key, one in known.items() if one == number)


def _numbers(comparison: Comparison, name: str, past: list[RemoteRecord]) -> dict[str, int]:
    """Number what the remote held; numbers begin anew where a prompt was archived and made anew."""
    seen = comparison.remote[name]
    found = {seen.content.digest: seen.row.version}
    lowest = seen.row.version
    for record in past:
        if record.deleted or record.version > lowest:
            break
        lowest = record.version
        found.setdefault(record.content.digest, record.version)
    return found


def _with_labels(record: RemoteRecord, moved: Mapping[str, str | None]) -> RemoteRecord:
    labels = {**record.labels, **moved}
    return replace(record, labels={key: x for key, x in labels.items() if x is not None})
