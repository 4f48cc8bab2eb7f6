"""The base, the local and the remote side of every prompt, and the plan that follows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from promptstore.compare.sequences import unified_lines
from promptstore.errors import PromptFileError, SyncRefusedError
from promptstore.model.prompt import Prompt
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync.bases import SyncHistory
from promptstore.posthog.sync.remote import Codec, RemotePrompts, SyncRules, content_lines
from promptstore.posthog.sync.state import DELETED, RemoteRecord, RemoteState, refuse_unkeepable
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

Digests: TypeAlias = Mapping[str, str]
"""By prompt name the digest, or `DELETED`; a name that is not there was never seen there."""

Direction: TypeAlias = Literal["push", "pull", "conflict"]
Verb: TypeAlias = Literal["create", "update", "archive", "restore", "settle"]
Preference: TypeAlias = Literal["local", "remote"]

_LARGE: Final = 100_000
"""From how many characters on a text may be too large for a file, however it is written."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to happen to one prompt.

    Attributes:
        name: Its name in git.
        direction: To which side the change goes: ``push`` to the remote, ``pull`` to git;
            ``conflict`` where both changed.
        verb: What happens there; ``settle`` for a conflict.
        reason: Why, in words.
    """

    name: str
    direction: Direction
    verb: Verb
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What a person decides about one sync.

    Attributes:
        directions: Which steps are done.
        prefer: The side that wins a conflict, or None to leave conflicts alone.
        branch: The branch that gets the remote's side of conflicts, or None.
        allow_delete: Whether a prompt that is gone from the remote, or a file that was removed
            without a tombstone, is deleted on the other side too.
        confirmed: Whether more than a third of the prompts may be deleted.
    """

    directions: Collection[Direction] = ("push", "pull")
    prefer: Preference | None = None
    branch: str | None = None
    allow_delete: bool = False
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class LocalPrompt:
    """One prompt in git.

    Attributes:
        prompt: The prompt.
        content: What the remote would hold of it.
    """

    prompt: Prompt
    content: RemoteContent

    @property
    def digest(self) -> str:
        """The digest, or `DELETED`."""
        return DELETED if self.prompt.deleted else self.content.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The three sides of each prompt, and what is to be done.

    Attributes:
        store: The store.
        state: What remembers the remote's side.
        api: The remote.
        rules: How prompts are kept in step.
        codec: How the remote holds prompts.
        history: What both sides held before.
        snapshot: The store's side as of one commit.
        known: What the remote held at the last sync, by name in git.
        base: What both sides were at the last sync that this branch has taken in.
        local: The prompts in git.
        remote: The prompts on the remote, by name in git.
        rows: What the remote said of them.
        refused: Why prompts take no part, by name.
        steps: The plan.
        merges: What the two sides of a conflict are together, where their changes do not touch.
    """

    store: PromptStore
    state: RemoteState
    api: RemotePrompts
    rules: SyncRules
    codec: Codec
    history: SyncHistory
    snapshot: Snapshot
    known: Mapping[str, RemoteRecord]
    base: Mapping[str, RemoteRecord]
    local: Mapping[str, LocalPrompt]
    remote: Mapping[str, RemoteRecord]
    rows: Mapping[str, RemotePrompt]
    refused: Mapping[str, str]
    steps: tuple[Step, ...]
    merges: Mapping[str, RemoteContent]

    @property
    def agreed(self) -> dict[str, RemoteRecord]:
        """What both sides hold alike, where the last sync does not know it yet."""
        open_names = {step.name for step in self.steps} | self.refused.keys()
        agreed: dict[str, RemoteRecord] = {}
        for name in self.remote.keys() - open_names:
            record, before = self.record(name), self.known.get(name)
            if before is None or before.identity != record.identity:
                agreed[name] = record
        for name in self.known.keys() - self.remote.keys() - open_names:
            if not self.known[name].deleted:
                agreed[name] = self.known[name].archived(self.snapshot.commit)
        return agreed

    def record(self, name: str, synced: str | None = None) -> RemoteRecord:
        """Return what the remote holds as a record that git's side is in step with.

        Args:
            name: The prompt's name.
            synced: The commit at which it is; None for that of the snapshot.
        """
        labels = self.known[name].labels if name in self.known else {}
        return replace(self.remote[name], synced=synced or self.snapshot.commit, labels=labels)

    def show(self, name: str) -> str:
        """Return what differs between git and the remote, as a unified diff of their lines."""
        local, seen = self.local.get(name), self.remote.get(name)
        here = content_lines(local.content) if local and not local.prompt.deleted else []
        there = content_lines(seen.content) if seen else []
        return "\n".join(["--- git", "+++ remote", *unified_lines(here, there)])


def compare(
    store: PromptStore, state: RemoteState, api: RemotePrompts, rules: SyncRules
) -> Comparison:
    """Look at both sides and at the state of the last sync, and plan.

    Args:
        store: The store.
        state: The state of the remote.
        api: The remote.
        rules: The rules.

    Raises:
        RemoteError: The remote cannot be read.
    """
    snapshot = store.snapshot()
    answers = api.fetch()
    codec = Codec(rules.as_source, not api.is_legacy, api.is_native)
    known = {name: held for name, held in state.read(codec).items() if rules.takes(name)}
    history = SyncHistory(store, state, api, codec, snapshot.commit or store.position().tip)
    refused: dict[str, str] = {}
    rows: dict[str, RemotePrompt] = {}
    remote: dict[str, RemoteRecord] = {}
    for row in answers:
        with _noting(refused, row.name):
            name = rules.to_local(row.name)
            with _noting(refused, name):
                if rules.takes(name):
                    rows[name] = row
                    seen = remote[name] = RemoteRecord.of(row, codec.read(row))
                    if name not in known or known[name].content.digest != seen.digest:
                        refuse_unkeepable(name, seen.content)
    local: dict[str, LocalPrompt] = {}
    for name in filter(rules.takes, snapshot.names()):
        with _noting(refused, name):
            local[name] = _local(name, snapshot.read(name, deleted=True), codec, rules)
    base: dict[str, RemoteRecord] = {}
    for name in known.keys() | remote.keys():
        held, here = known.get(name), local[name].digest if name in local else DELETED
        there = remote[name].digest if name in remote else DELETED
        if held is None or not held.digest == here == there:
            held = history.base(name, held, here, rows.get(name))
        if held is not None:
            base[name] = held
    _refuse_twins(refused, local, remote)
    steps = plan(
        *(
            {name: item.digest for name, item in side.items() if name not in refused}
            for side in (base, local, remote)
        )
    )
    merges = {
        step.name: _merged(step.name, codec, base, local, remote)
        for step in steps
        if step.direction == "conflict"
    }
    return Comparison(
        store=store,
        state=state,
        api=api,
        rules=rules,
        codec=codec,
        history=history,
        snapshot=snapshot,
        known=known,
        base=base,
        local=local,
        remote=remote,
        rows=rows,
        refused=refused,
        steps=steps,
        merges={name: merged for name, merged in merges.items() if merged is not None},
    )


@contextmanager
def _noting(refused: dict[str, str], name: str) -> Iterator[None]:
    """Note why a prompt takes no part, and go on with the next one."""
    try:
        yield
    except SyncRefusedError as error:
        refused[name] = error.reason
    except PromptFileError as error:
        refused[name] = str(error)


def _local(name: str, prompt: Prompt, codec: Codec, rules: SyncRules) -> LocalPrompt:
    if prompt.deleted:
        # Its text goes nowhere, so it may be what it likes.
        return LocalPrompt(prompt, RemoteContent(""))
    rules.to_remote(name)
    content = codec.encode(prompt)
    if len(content.text) + len(str(content.config)) > _LARGE:
        refuse_unkeepable(name, content)
    return LocalPrompt(prompt, content)


def _refuse_twins(refused: dict[str, str], local: Collection[str], remote: Collection[str]) -> None:
    """Refuse names that some file systems could not tell apart."""
    folded = {name.casefold(): name for name in local}
    for name in remote:
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            refused[name] = f"it differs from {twin!r} in letter case only."


def _merged(
    name: str,
    codec: Codec,
    base: Mapping[str, RemoteRecord],
    local: Mapping[str, LocalPrompt],
    remote: Mapping[str, RemoteRecord],
) -> RemoteContent | None:
    """Merge both sides of a conflict; None where their changes touch."""
    sides = (side.get(name) for side in (base, local, remote))
    contents = [item.content for item in sides if item and item.digest != DELETED]
    return codec.merge(*contents) if len(contents) == 3 else None


def plan(base: Digests, local: Digests, remote: Digests) -> tuple[Step, ...]:
    """Work out what makes both sides equal, from what they were at the last sync.

    Args:
        base: What both sides were then.
        local: What git holds now.
        remote: What the remote holds now.

    Returns:
        One step for each prompt that differs, sorted by name; equal sides give none.
    """
    names = sorted(base.keys() | local.keys() | remote.keys())
    found = (_step(name, base.get(name), local.get(name), remote.get(name)) for name in names)
    return tuple(step for step in found if step is not None)


def _step(name: str, base: str | None, local: str | None, remote: str | None) -> Step | None:
    was, here, there = (None if side == DELETED else side for side in (base, local, remote))
    if here == there:
        return None
    if there == was:
        return Step(name, "push", *_happened(base, here, "in git"))
    if here == was:
        return Step(name, "pull", *_happened(base, there, "on the remote"))
    if was is None and here and there:
        reason = "both sides have it, with different texts and no common past"
    elif here is None:
        reason = "deleted in git, changed on the remote"
    elif there is None:
        reason = "changed in git, deleted on the remote"
    else:
        reason = "changed on both sides"
    return Step(name, "conflict", "settle", reason)


def _happened(base: str | None, now: str | None, where: str) -> tuple[Verb, str]:
    if now is None:
        return "archive", f"deleted {where}"
    if base is None:
        return "create", f"new {where}"
    return (
        ("restore", f"brought back {where}") if base == DELETED else ("update", f"changed {where}")
    )


def chosen(comparison: Comparison, options: SyncOptions) -> list[Step]:
    """List the steps that a sync takes up, pulls first: those of its directions, and conflicts."""
    wanted = [
        step
        for step in comparison.steps
        if step.direction == "conflict" or step.direction in options.directions
    ]
    return sorted(wanted, key=lambda step: (step.direction == "push", step.name))


def is_held(step: Step, comparison: Comparison, options: SyncOptions) -> bool:
    """Return whether a step would delete what nobody has said is to be deleted.

    A tombstone in git says so. That a prompt is gone from the remote, or its file from git, does
    not: it may be an accident.
    """
    if options.allow_delete:
        return False
    return step.verb == "archive" and (
        step.direction == "pull" or step.name not in comparison.local
    )
