"""Labels on both sides: brought over where the version that they point at is on the other side.

Version numbers differ on both sides, so a label is carried by content: the state's history says
which digest each version of the remote had.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic

from promptstore.errors import LabelNotFoundError, PromptFileError, SyncRefusedError
from promptstore.labels import is_label
from promptstore.store import PromptStore
from promptstore.sync.comparison import Comparison, SyncRules
from promptstore.sync.encoding import encode
from promptstore.sync.planning import Direction
from promptstore.sync.sides import AnyRow, Remote


@dataclass(frozen=True, slots=True)
class LabelSync(Generic[AnyRow]):
    """Brings labels over.

    Attributes:
        store: The store.
        remote: The remote.
        rules: How prompts are kept in step.
        comparison: Both sides, after the prompts were synced.
        versions: The version on the remote by prompt name and digest, as far as known.
    """

    store: PromptStore
    remote: Remote[AnyRow]
    rules: SyncRules
    comparison: Comparison[AnyRow]
    versions: dict[tuple[str, str], int]

    def bring(self, directions: Collection[Direction]) -> list[str]:
        """Bring labels in the given directions, and say what was done and what could not be."""
        notes: list[str] = []
        if "pull" in directions:
            notes += self._pull()
        if "push" in directions:
            notes += self._push()
        return notes

    def _push(self) -> list[str]:
        notes = []
        for label, targets in sorted(self.store.labels().targets.items()):
            for name in sorted(targets):
                seen = self.comparison.remote.get(name)
                version = self._version_there(name, label)
                if seen is None or not self.rules.takes(name):
                    continue
                if version is None:
                    notes.append(f"{label} of {name}: its version was never on the remote")
                elif seen.row.labels.get(label) != version:
                    self.remote.set_label(seen.row.name, label, version)
                    notes.append(f"{label} of {name}: version {version} on the remote")
        return notes

    def _pull(self) -> list[str]:
        notes = []
        for name, seen in sorted(self.comparison.remote.items()):
            for label, number in sorted(seen.row.labels.items()):
                if not is_label(label) or self._version_there(name, label) == number:
                    continue
                version = self._version_here(name, number)
                if version is None:
                    notes.append(f"{label} of {name}: version {number} there was never in git")
                    continue
                self.store.set_label(name, label, version=version)
                notes.append(f"{label} of {name}: version {version} in git")
        return notes

    def _version_there(self, name: str, label: str) -> int | None:
        """Find the remote's version that holds what a label of git points at."""
        try:
            prompt = self.store.get(name, label=label)
            wire = encode(
                prompt, keeps_config=self.comparison.keeps_config, as_source=self.rules.as_source
            )
        except (LabelNotFoundError, PromptFileError, SyncRefusedError):
            return None
        return self.versions.get((name, wire.digest))

    def _version_here(self, name: str, number: int) -> int | None:
        """Find git's newest version that holds what a version of the remote does."""
        wanted = {digest for (owner, digest), known in self.versions.items()
                  if owner == name and known == number}  # fmt: skip
        if name not in self.comparison.local or not wanted:
            return None
        for version in self.store.history(name):
            if version.deleted:
                continue
            try:
                prompt = self.store.get(name, version=version.number)
                wire = encode(
                    prompt,
                    keeps_config=self.comparison.keeps_config,
                    as_source=self.rules.as_source,
                )
            except (PromptFileError, SyncRefusedError):
                continue
            if wire.digest in wanted:
                return version.number
        return None
