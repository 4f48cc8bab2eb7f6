"""Both sides and what they were at the last sync, laid beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final, Generic

from promptstore.compare.merge import (
    MergeConflictError,
    merge_mappings,
    merge_messages,
    merge_text_values,
)
from promptstore.errors import PromptFileError, SyncRefusedError
from promptstore.model.prompt import Prompt
from promptstore.model.values import FrozenDict, freeze, thaw
from promptstore.posthog.sync.bases import BranchPast, find_bases
from promptstore.posthog.sync.encoding import Wire, encode, read_messages
from promptstore.posthog.sync.naming import NameRule
from promptstore.posthog.sync.planning import DELETED, Step, plan
from promptstore.posthog.sync.sides import AnyRow, Remote
from promptstore.posthog.sync.state import Held, RemoteState, refuse_unkeepable
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

_LARGE: Final = 100_000
"""From how many characters on a text may be too large for a file, however it is written."""


@dataclass(frozen=True, slots=True)
class SyncRules:
    """How the prompts of one remote are kept in step.

    Attributes:
        naming: How names are spelled there.
        only: Patterns such as ``support/*``; empty takes all prompts.
        as_source: Whether templates go out as they are, logic and includes too.
    """

    naming: NameRule = field(default_factory=NameRule)
    only: tuple[str, ...] = ()
    as_source: bool = False

    def takes(self, name: str) -> bool:
        """Tell whether a prompt takes part."""
        return not self.only or any(fnmatchcase(name, pattern) for pattern in self.only)


@dataclass(frozen=True, slots=True)
class Local:
    """One prompt in git.

    Attributes:
        prompt: The prompt.
        wire: What a remote would hold of it.
    """

    prompt: Prompt
    wire: Wire

    @property
    def digest(self) -> str:
        """The digest, or `DELETED`."""
        return DELETED if self.prompt.deleted else self.wire.digest


@dataclass(frozen=True, slots=True)
class Seen(Generic[AnyRow]):
    """One prompt on the remote.

    Attributes:
        row: What the remote said.
        wire: What it holds.
    """

    row: AnyRow
    wire: Wire

    def held(self, taken_in: str | None = None, before: Held | None = None) -> Held:
        """Give it as a state to remember.

        Args:
            taken_in: The commit with which git's side has seen it.
            before: What was remembered so far, of which the labels are kept.
        """
        row, labels = self.row, before.labels if before else FrozenDict()
        return Held(self.wire, False, row.name, row.id, row.version, taken_in, labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Generic[AnyRow]):
    """Both sides, and what is to be done.

    Attributes:
        snapshot: The store's side as of one commit.
        branch: What the store's branch has held.
        keeps_config: Whether the remote has a place for configs.
        known: What the remote held at the last sync, by name in git.
        base: What both sides were at the last sync that this branch has taken in.
        local: The prompts in git.
        remote: The prompts on the remote, by name in git.
        refused: Why prompts take no part, by name.
        steps: The plan.
        merges: What the two sides of a conflict are together, where their changes do not touch.
    """

    snapshot: Snapshot
    branch: BranchPast
    keeps_config: bool
    known: Mapping[str, Held]
    base: Mapping[str, Held]
    local: Mapping[str, Local]
    remote: Mapping[str, Seen[AnyRow]]
    refused: Mapping[str, str]
    steps: tuple[Step, ...]
    merges: Mapping[str, Wire]

    @property
    def agreed(self) -> dict[str, Held]:
        """What both sides hold alike, where the last sync does not know it yet."""
        open_names = {step.name for step in self.steps} | self.refused.keys()
        agreed: dict[str, Held] = {}
        for name in self.remote.keys() - open_names:
            held = self.seen(name)
            before = self.known.get(name)
            if before is None or before.identity != held.identity:
                agreed[name] = held
        for name in self.known.keys() - self.remote.keys() - open_names:
            if not self.known[name].deleted:
                agreed[name] = archived(self.known[name], self.snapshot.commit)
        return agreed

    def wire_of(self, row: AnyRow) -> Wire:
        """Give what the remote holds of a prompt."""
        return wire_of(row, keeps_config=self.keeps_config)

    def seen(self, name: str, taken_in: str | None = None) -> Held:
        """Give what the remote holds as a state that git's side has seen.

        Args:
            name: The prompt's name.
            taken_in: The commit with which it has; None for that of the snapshot.
        """
        commit = taken_in or self.snapshot.commit
        return self.remote[name].held(commit, self.known.get(name))


def archived(held: Held, taken_in: str | None) -> Held:
    """Give the state of a prompt that the remote holds no more.

    Args:
        held: What it held last.
        taken_in: The commit with which git's side has seen that.
    """
    return Held(held.wire, True, held.spelling, held.id, held.version, taken_in)


def wire_of(row: AnyRow, *, keeps_config: bool) -> Wire:
    """Give what a remote holds of a prompt; JSON content as its JSON text."""
    content: Any = thaw(row.prompt)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    config = (row.config or FrozenDict()) if keeps_config else FrozenDict()
    return Wire(text, config)


def compare(
    store: PromptStore,
    state: RemoteState,
    remote: Remote[AnyRow],
    rules: SyncRules,
) -> Comparison[AnyRow]:
    """Look at both sides and at the state of the last sync, and plan.

    Args:
        store: The store.
        state: The state of the remote.
        remote: The remote.
        rules: The rules.

    Raises:
        RemoteError: The remote cannot be read.
    """
    snapshot = store.snapshot()
    rows = remote.fetch()
    keeps_config = remote.keeps_config
    refused: dict[str, str] = {}
    known = {
        name: held
        for name, held in state.read(keeps_config=keeps_config).items()
        if rules.takes(name)
    }
    there: dict[str, Seen[AnyRow]] = {}
    for row in rows:
        with _noting(refused, row.name, rules.naming.to_local) as name:
            if name is None or not rules.takes(name):
                continue
            seen = there[name] = Seen(row, wire_of(row, keeps_config=keeps_config))
            if name not in known or known[name].wire.digest != seen.wire.digest:
                refuse_unkeepable(name, seen.wire)
    here: dict[str, Local] = {}
    for name in filter(rules.takes, snapshot.names()):
        with _noting(refused, name, lambda name: name):
            prompt = snapshot.read(name, deleted=True)
            wire = _encoded(prompt, rules, keeps_config=keeps_config)
            if not prompt.deleted:
                rules.naming.to_remote(name)
                if len(wire.text) + len(str(wire.config)) > _LARGE:
                    refuse_unkeepable(name, wire)
            here[name] = Local(prompt, wire)
    branch = BranchPast(
        store,
        state.remote,
        snapshot.commit or store.position().tip,
        partial(encode, keeps_config=keeps_config, as_source=rules.as_source),
    )
    base = find_bases(
        known,
        {name: item.digest for name, item in here.items()},
        {name: seen.held() for name, seen in there.items()},
        branch,
        partial(state.past, keeps_config=keeps_config),
    )
    _refuse_twins(refused, here, there)
    steps = plan(*(_digests(side, refused) for side in (base, here, there)))
    merges = {
        step.name: merged
        for step in steps
        if step.direction == "conflict"
        and (merged := _merged(step.name, base, here, there)) is not None
    }
    return Comparison(
        snapshot=snapshot,
        branch=branch,
        keeps_config=keeps_config,
        known=known,
        base=base,
        local=here,
        remote=there,
        refused=refused,
        steps=steps,
        merges=merges,
    )


class _noting:  # noqa: N801 - it is used like a function
    """Notes why a prompt takes no part, and goes on with the next one."""

    def __init__(self, refused: dict[str, str], name: str, translate: Callable[[str], str]) -> None:
        self._refused = refused
        self._name = name
        self._translate = translate

    def __enter__(self) -> str | None:
        try:
            self._name = self._translate(self._name)
        except SyncRefusedError as error:
            self._refused[self._name] = error.reason
            return None
        return self._name

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if isinstance(error, SyncRefusedError):
            self._refused[self._name] = error.reason
            return True
        if isinstance(error, PromptFileError):
            self._refused[self._name] = str(error)
            return True
        return False


def _encoded(prompt: Prompt, rules: SyncRules, *, keeps_config: bool) -> Wire:
    if prompt.deleted:
        # Its text goes nowhere, so it may be what it likes.
        return Wire("")
    return encode(prompt, keeps_config=keeps_config, as_source=rules.as_source)


def _digests(
    side: Mapping[str, Held] | Mapping[str, Local] | Mapping[str, Seen[AnyRow]],
    refused: Mapping[str, str],
) -> dict[str, str]:
    return {
        name: item.wire.digest if isinstance(item, Seen) else item.digest
        for name, item in side.items()
        if name not in refused
    }


def _refuse_twins(
    refused: dict[str, str], here: Mapping[str, Local], there: Mapping[str, Seen[AnyRow]]
) -> None:
    """Refuse names that some file systems could not tell apart."""
    folded: dict[str, str] = {name.casefold(): name for name in here}
    for name in there:
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            refused[name] = f"it differs from {twin!r} in letter case only."


def _merged(
    name: str,
    base: Mapping[str, Held],
    here: Mapping[str, Local],
    there: Mapping[str, Seen[AnyRow]],
) -> Wire | None:
    """Merge both sides of a conflict; None where their changes touch."""
    if name not in base or base[name].deleted or name not in there:
        return None
    if name not in here or here[name].prompt.deleted:
        return None
    was, ours, theirs = base[name].wire, here[name].wire, there[name].wire
    try:
        text = _merged_text(was.text, ours.text, theirs.text)
        config = merge_mappings(thaw(was.config), thaw(ours.config), thaw(theirs.config))
    except MergeConflictError:
        return None
    return Wire(text, freeze(config))


def _merged_text(was: str, ours: str, theirs: str) -> str:
    first, second, third = (read_messages(text) for text in (was, ours, theirs))
    if first and second and third:
        items = merge_messages(first, second, third)
        return json.dumps(items, ensure_ascii=False, separators=(",", ":"))
    if first or second or third:
        raise MergeConflictError
    return merge_text_values(was, ours, theirs)
