"""Building bundles, and comparing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from itertools import takewhile
from typing import Final

from promptstore.errors import (
    BundleError,
    HistoryUnavailableError,
    InvalidArgumentError,
    PromptFileError,
    TemplateError,
)
from promptstore.history.backend import RefState
from promptstore.history.cache import included_names
from promptstore.history.labels import Target
from promptstore.history.versions import Change, Timeline
from promptstore.model.rendering import signature
from promptstore.model.values import is_name
from promptstore.store.bundle import Bundle, BundledCommit, BundledVersion, is_chosen
from promptstore.store.lookup import Lookup
from promptstore.store.snapshot import History, Snapshot

_MAX_SHOWN: Final = 5
_ABSENT: Final = object()


def build(
    lookup: Lookup,
    *,
    only: Sequence[str] = (),
    label: Sequence[str] = (),
    with_history: int = 1,
    force: bool = False,
    like: Bundle | None = None,
) -> Bundle:
    """Build a bundle of the branch that a store reads.

    Args:
        lookup: Where the prompts are.
        only: Patterns of names, such as ``support/*``; what they include comes along. None are all.
        label: Labels: the bundle holds what these point at, and nothing else.
        with_history: Of how many of the newest versions of each prompt the text is held.
        force: Whether prompts are taken along that cannot be read or rendered.
        like: Another bundle, at whose commit and with whose choices this one is built instead.

    Raises:
        BundleError: Prompts that would be in it cannot be read or rendered.
        InvalidArgumentError: There is no prompt to put in.
        LabelNotFoundError: There is no such label.
        HistoryUnavailableError: Versions cannot be counted here.
        PromptFileError: The file of a label is broken.
    """
    backend = lookup.backend
    state = backend.state()
    if like is not None:
        state = state._replace(
            tip=backend.resolve(like.commit), title=like.branch, labels=like.labels_commit
        )
        only, label, with_history = like.only, like.label, like.with_history
    if reason := backend.why_no_versions(state):
        raise HistoryUnavailableError(reason=reason)
    if state.tip is None:
        raise InvalidArgumentError(message=f"{state.title} has no commit to build a bundle from")
    found = _Collected(lookup, state, tuple(only))
    labels = found.labels(label)
    tip = lookup.tip(state)
    if not label:
        found.add_newest(tip, with_history)
    for name_of_label, targets in labels.items():
        found.add_labelled(tip, name_of_label, targets)
    if not found.blobs:
        raise InvalidArgumentError(
            message=f"no prompt in {tip.place} is chosen; `promptstore list` shows the names"
        )
    if found.faults and not force and like is None:
        raise BundleError(
            path=tip.place,
            reason="not all of its prompts can be used. Correct them (`promptstore check`), choose "
            "others with --only (only=…), or force this (force=True, --force).\n"
            + "\n".join(dict.fromkeys(found.faults)),
        )
    return Bundle(
        commit=state.tip,
        branch=state.title,
        labels_commit=state.labels,
        root=backend.root,
        only=tuple(only),
        label=tuple(label),
        with_history=with_history,
        commits={commit: found.commit(commit) for commit in sorted(found.commits | {state.tip})},
        versions=found.versions(),
        trees=found.trees,
        blobs=found.blobs,
        labels=labels,
    )


def differences(one: Bundle, other: Bundle) -> list[str]:
    """List what differs between two bundles, in words; nothing where they are the same."""
    found = []
    for item in fields(Bundle):
        mine, theirs = getattr(one, item.name), getattr(other, item.name)
        if mine == theirs:
            continue
        if isinstance(mine, Mapping):
            keys = sorted(
                key
                for key in {*mine, *theirs}
                if mine.get(key, _ABSENT) != theirs.get(key, _ABSENT)
            )
            more = f" and {len(keys) - _MAX_SHOWN} more" if len(keys) > _MAX_SHOWN else ""
            found.append(f"{item.name} differ: {', '.join(keys[:_MAX_SHOWN])}{more}")
        else:
            found.append(f"{item.name} is {mine!r}, not {theirs!r}")
    return found


class _Collected:
    """What a bundle is going to hold.

    Args:
        lookup: Where the prompts are.
        state: Where the branch and the labels are.
        only: The patterns of names.
    """

    def __init__(self, lookup: Lookup, state: RefState, only: Sequence[str]) -> None:
        self._lookup = lookup
        self._state = state
        self._only = only
        self._versions: dict[str, dict[int, BundledVersion]] = {}
        self.trees: dict[str, dict[str, BundledVersion | None]] = {}
        self.blobs: dict[str, bytes] = {}
        self.commits: set[str] = set()
        self.faults: list[str] = []

    def chooses(self, name: str) -> bool:
        """Return whether a name is asked for."""
        return is_chosen(name, self._only)

    def commit(self, commit_id: str) -> BundledCommit:
        """Read a commit."""
        found = self._lookup.backend.commit(commit_id)
        return BundledCommit(found.author, found.committed_at, found.message)

    def versions(self) -> dict[str, tuple[BundledVersion, ...]]:
        """Return the versions of the branch by name, the newest first."""
        return {
            name: tuple(found[number] for number in sorted(found, reverse=True))
            for name, found in self._versions.items()
        }

    def labels(self, wanted: Sequence[str]) -> dict[str, dict[str, Target]]:
        """Return where labels point those prompts that are asked for."""
        table = self._lookup.backend.labels(self._state)
        names = wanted or sorted({*table.targets, *table.broken})
        return {
            name: {
                prompt: target
                for prompt, target in table.of_label(name).items()
                if self.chooses(prompt)
            }
            for name in names
        }

    def add_newest(self, tip: Snapshot, count: int) -> None:
        """Add the newest versions of all prompts that are asked for, and of what they include."""
        self.trees.setdefault(str(tip.commit), {})
        for name in filter(self.chooses, tip.names()):
            self._check(tip, name)
            self.add(tip, name)
        history = tip.history
        assert history is not None
        ever = set(filter(self.chooses, history.timeline.latest_of_all()))
        for name in sorted(ever | self.trees[str(tip.commit)].keys()):
            changes = history.timeline.history(name)
            newest = list(takewhile(lambda change: not _is_alive(history, change), changes))
            # Who deleted a prompt, and what it was before, is told with the error.
            for change in changes[: max(count, len(newest) + 1 if newest else 0)]:
                self._keep(name, change)
                if change.entry is not None:
                    self.add(self._lookup.at(self._state, change.commit, "version"), name)
            self._keep_known(history.timeline, name, 1)

    def add_labelled(self, tip: Snapshot, label: str, targets: Mapping[str, Target]) -> None:
        """Add what a label points at."""
        history = tip.history
        assert history is not None
        for name, target in targets.items():
            snapshot = self._lookup.at(self._state, target.commit, label)
            self._check(snapshot, name)
            self.add(snapshot, name)
            # Of who made it when the whole history tells, beside its newest and first version.
            latest = history.timeline.latest(name)
            for number in {1, target.version, latest.number} if latest else ():
                self._keep_known(history.timeline, name, number)

    def _keep_known(self, timeline: Timeline, name: str, number: int) -> None:
        change = timeline.nth(name, number)
        if change is not None:
            self._keep(name, change)

    def add(self, snapshot: Snapshot, name: str) -> None:
        """Add a prompt as of a commit, and what it includes there."""
        commit = str(snapshot.commit)
        tree = self.trees.setdefault(commit, {})
        pending = [name]
        while pending:
            name = pending.pop()
            file = None if name in tree else snapshot.find(name)
            if file is None:
                tree.setdefault(name, None)
                continue
            change = snapshot.history.timeline.latest(name) if snapshot.history else None
            assert change is not None
            tree[name] = BundledVersion(change.number, change.commit, file.blob)
            self.commits.add(change.commit)
            self.blobs[file.blob] = file.read()
            with suppress(PromptFileError):
                pending += filter(is_name, included_names(snapshot.parse(file)))

    def _check(self, snapshot: Snapshot, name: str) -> None:
        """Note what would fail where the bundle is read."""
        try:
            prompt = snapshot.read(name, deleted=True)
            if not prompt.deleted:
                signature(prompt)
        except (PromptFileError, TemplateError) as error:
            self.faults.append(f"{name}: {error}")

    def _keep(self, name: str, change: Change) -> None:
        version = BundledVersion(change.number, change.commit, change.blob)
        self._versions.setdefault(name, {})[change.number] = version
        self.commits.add(change.commit)


def _is_alive(history: History, change: Change) -> bool:
    return change.entry is not None and not history.is_tombstone(change.entry.id)
