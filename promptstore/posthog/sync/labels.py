"""Labels on both sides: compared with what they were at the last sync, and brought over.

Version numbers differ on both sides, so a label is compared by the content that it points at. A
label is only taken away where both sides had it alike at the last sync of labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from promptstore.errors import PromptFileError, SyncRefusedError
from promptstore.history.labels import is_label
from promptstore.posthog.sync.comparison import Comparison, plan
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


class LabelSync:
    """The labels of all prompts that both sides have, the plan, and the acts that bring them over.

    Args:
        store: The store.
        remote: The remote.
        state: What remembers what both sides had.
        comparison: The prompts of both sides, after they were synced.

    Attributes:
        steps: The plan.

    Raises:
        RemoteError: A version that only a label points at cannot be read.
    """

    def __init__(
        self, store: PromptStore, remote: RemotePrompts, state: RemoteState, comparison: Comparison
    ) -> None:
        self._store = store
        self._remote = remote
        self._state = state
        self._comparison = comparison
        names = set(self._labelled())
        # What the remote ever held, newest first, and its versions as far as they are sure.
        self._past = state.past(names, comparison.codec)
        self._numbers = {name: self._numbered(name) for name in names}
        # By label the digests that it points at, in git, on the remote, and at the last sync.
        self._here = dict(self._labels_here(names))
        self._there = dict(self._labels_there())
        base = {
            LabelOf(label, name): digest
            for name in names
            for label, digest in comparison.known[name].labels.items()
        }
        sides = (base, self._here, self._there)
        keys = {str(key): key for side in sides for key in side}
        steps = plan(*({str(key): digest for key, digest in side.items()} for side in sides))
        self.steps = {keys[step.name]: step for step in steps}
        self._agreed: dict[LabelOf, str | None] = {
            key: self._here.get(key) for key in keys.values() if key not in self.steps
        }

    def push(self, key: LabelOf) -> str | None:
        """Bring git's label to the remote; None where what it points at was never there."""
        remote_name, digest = self._comparison.remote[key.name].row.name, self._here.get(key)
        if digest is None:
            self._remote.remove_label(remote_name, key.label)
            self._agreed[key] = None
            return "taken off on the remote"
        number = self._numbers[key.name].get(digest) or self._older_number(key.name, digest)
        if number is None:
            return None
        self._remote.set_label(remote_name, key.label, number)
        self._agreed[key] = digest
        return f"version {number} on the remote"

    def pull(self, key: LabelOf) -> str | None:
        """Bring the remote's label to git; None where what it points at was never here."""
        digest = self._there.get(key)
        if digest is None:
            self._store.remove_label(key.name, key.label)
            self._agreed[key] = None
            return "taken off in git"
        digests = self._comparison.branch.digests(key.name)
        number = next((number for number, one in digests if one == digest), None)
        if number is None:
            return None
        self._store.set_label(key.name, key.label, version=number)
        self._agreed[key] = digest
        return f"version {number} in git"

    def remember(self) -> None:
        """Record what both sides have alike by now."""
        known, moved = self._comparison.known, dict[str, RemoteRecord]()
        for key, digest in self._agreed.items():
            record = moved.get(key.name, known[key.name])
            labels = {label: one for label, one in record.labels.items() if label != key.label}
            labels |= {} if digest is None else {key.label: digest}
            moved[key.name] = replace(record, labels=labels)
        self._state.record({name: one for name, one in moved.items() if one != known[name]})

    def _labelled(self) -> Iterator[str]:
        """Name the prompts that both sides have and at least one knows a label of."""
        sides = self._comparison
        in_git = {name for targets in self._store.labels().targets.values() for name in targets}
        for name in sides.remote.keys() & sides.local.keys() & sides.known.keys():
            is_labelled = sides.remote[name].row.labels or sides.known[name].labels
            if (name in in_git or is_labelled) and not sides.local[name].prompt.deleted:
                yield name

    def _labels_here(self, names: set[str]) -> Iterator[tuple[LabelOf, str]]:
        for label, targets in self._store.labels().targets.items():
            for name in names & targets.keys():
                try:
                    prompt = self._store.get(name, label=label)
                    digest = self._comparison.codec.encode(prompt).digest
                except (PromptFileError, SyncRefusedError):
                    # Nothing can be said of it, so it looks like what was never on the remote.
                    digest = f"unreadable version {targets[name].version}"
                yield LabelOf(label, name), digest

    def _labels_there(self) -> Iterator[tuple[LabelOf, str]]:
        for name, known in self._numbers.items():
            row = self._comparison.remote[name].row
            for label, number in row.labels.items():
                if not is_label(label):
                    continue
                if number not in known.values():
                    found = self._remote.read(row.name, number)
                    if found is None:
                        continue
                    known[self._comparison.seen(found).digest] = number
                yield LabelOf(label, name), next(key for key, one in known.items() if one == number)

    def _numbered(self, name: str) -> dict[str, int]:
        """Number what the remote held; numbers begin anew where it was archived and made anew."""
        seen = self._comparison.remote[name]
        found = {seen.content.digest: seen.row.version}
        lowest = seen.row.version
        for record in self._past[name]:
            if record.deleted or record.version > lowest:
                break
            lowest = record.version
            found.setdefault(record.content.digest, record.version)
        return found

    def _older_number(self, name: str, digest: str) -> int | None:
        """Find a version from before the prompt was archived, which the remote may still have."""
        for record in self._past[name]:
            if record.content.digest == digest:
                found = self._remote.read(self._comparison.remote[name].row.name, record.version)
                if found is not None and self._comparison.seen(found).digest == digest:
                    return record.version
        return None
