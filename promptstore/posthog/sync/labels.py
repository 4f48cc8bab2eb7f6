"""Labels on both sides: compared with what they were at the last sync, and brought over.

Version numbers differ on both sides, so a label is compared by the content that it points at. A
label is only taken away where both sides had it alike at the last sync of labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from promptstore.errors import PromptFileError, SyncRefusedError
from promptstore.history.labels import is_label
from promptstore.posthog.sync.comparison import Comparison, plan
from promptstore.posthog.sync.state import RemoteRecord

Labelled = tuple[str, str, str]
"""A label, the name of a prompt, and the digest that the label points at."""


class LabelSync:
    """The labels of all prompts that both sides have, the plan, and the acts that bring them over.

    Args:
        both: The prompts of both sides, after they were synced.

    Attributes:
        steps: The plan; each step is named like ``production of greet``.

    Raises:
        RemoteError: A version that only a label points at cannot be read.
    """

    def __init__(self, both: Comparison) -> None:
        self._both = both
        self._targets = both.store.labels().targets
        self._keys: dict[str, tuple[str, str]] = {}
        names = set(self._labelled())
        # What the remote ever held, newest first, and its versions as far as they are sure.
        self._past = {name: both.history.remote_past(name) for name in names}
        self._numbers = {name: self._numbered(name) for name in names}
        # By label the digests that it points at, in git, on the remote, and at the last sync.
        self._here = self._digests(self._labels_here(names))
        self._there = self._digests(self._labels_there())
        base = self._digests(
            (label, name, digest)
            for name in names
            for label, digest in both.known[name].labels.items()
        )
        self.steps = plan(base, self._here, self._there)
        differing = {step.name for step in self.steps}
        self._agreed = {key: self._here.get(key) for key in self._keys if key not in differing}

    def push(self, key: str) -> str | None:
        """Bring git's label to the remote; None where what it points at was never there."""
        label, name = self._keys[key]
        row, digest = self._both.rows[name], self._here.get(key)
        if digest is None:
            self._both.api.remove_label(row.name, label)
            self._agreed[key] = None
            return "taken off on the remote"
        number = self._numbers[name].get(digest) or self._older_number(name, digest)
        if number is None:
            return None
        self._both.api.set_label(row.name, label, number)
        self._agreed[key] = digest
        return f"version {number} on the remote"

    def pull(self, key: str) -> str | None:
        """Bring the remote's label to git; None where what it points at was never here."""
        label, name = self._keys[key]
        digest = self._there.get(key)
        if digest is None:
            self._both.store.remove_label(name, label)
            self._agreed[key] = None
            return "taken off in git"
        past = self._both.history.local_past(name)
        number = next((number for number, one in past if one == digest), None)
        if number is None:
            return None
        self._both.store.set_label(name, label, version=number)
        self._agreed[key] = digest
        return f"version {number} in git"

    def remember(self) -> None:
        """Record what both sides have alike by now."""
        known, moved = self._both.known, dict[str, RemoteRecord]()
        for key, digest in self._agreed.items():
            label, name = self._keys[key]
            record = moved.get(name, known[name])
            labels = {one: target for one, target in record.labels.items() if one != label}
            labels |= {} if digest is None else {label: digest}
            moved[name] = replace(record, labels=labels)
        self._both.state.record({name: one for name, one in moved.items() if one != known[name]})

    def _digests(self, labels: Iterable[Labelled]) -> dict[str, str]:
        found = {}
        for label, name, digest in labels:
            key = f"{label} of {name}"
            self._keys[key] = label, name
            found[key] = digest
        return found

    def _labelled(self) -> Iterator[str]:
        """Name the prompts that both sides have and at least one knows a label of."""
        both = self._both
        in_git = {name for targets in self._targets.values() for name in targets}
        for name in both.remote.keys() & both.local.keys() & both.known.keys():
            is_labelled = both.rows[name].labels or both.known[name].labels
            if (name in in_git or is_labelled) and not both.local[name].prompt.deleted:
                yield name

    def _labels_here(self, names: set[str]) -> Iterator[Labelled]:
        for label, targets in self._targets.items():
            for name in names & targets.keys():
                try:
                    prompt = self._both.store.get(name, label=label)
                    digest = self._both.codec.encode(prompt).digest
                except (PromptFileError, SyncRefusedError):
                    # Nothing can be said of it, so it looks like what was never on the remote.
                    digest = f"unreadable version {targets[name].version}"
                yield label, name, digest

    def _labels_there(self) -> Iterator[Labelled]:
        for name, known in self._numbers.items():
            for label, number in self._both.rows[name].labels.items():
                if not is_label(label):
                    continue
                if number not in known.values():
                    digest = self._digest_of(name, number)
                    if digest is None:
                        continue
                    known[digest] = number
                yield label, name, next(key for key, one in known.items() if one == number)

    def _digest_of(self, name: str, number: int) -> str | None:
        found = self._both.api.read(self._both.rows[name].name, number)
        return self._both.codec.read(found).digest if found else None

    def _numbered(self, name: str) -> dict[str, int]:
        """Number what the remote held; numbers begin anew where it was archived and made anew."""
        seen = self._both.remote[name]
        found = {seen.content.digest: seen.version}
        lowest = seen.version
        for record in self._past[name]:
            if record.deleted or record.version > lowest:
                break
            lowest = record.version
            found.setdefault(record.content.digest, record.version)
        return found

    def _older_number(self, name: str, digest: str) -> int | None:
        """Find a version from before the prompt was archived, which the remote may still have."""
        for record in self._past[name]:
            if record.content.digest == digest and self._digest_of(name, record.version) == digest:
                return record.version
        return None
