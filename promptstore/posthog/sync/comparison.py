"""The base, the local and the remote side of every prompt, and the plan that follows."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from promptstore.errors import PromptFileError, SyncRefusedError
from promptstore.model.prompt import Prompt
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync.bases import BranchHistory, find_bases
from promptstore.posthog.sync.remote import Codec, RemotePrompts, SyncRules, content_lines
from promptstore.posthog.sync.state import DELETED, RemoteRecord, RemoteState, refuse_unkeepable
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

Digests: TypeAlias = Mapping[str, str]
"""By prompt name the digest, or `DELETED`; a name that is not there was never seen there."""

Direction: TypeAlias = Literal["push", "pull", "conflict"]
Verb: TypeAlias = Literal["create", "update", "archive", "restore", "settle"]

_LARGE: Final = 100_000
"""From how many characters on a text may be too large for a file, however it is written."""

_MAX_MISSED: Final = 20
"""How many versions of a remote are looked at for one that was pushed and not recorded."""


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


@dataclass(frozen=True, slots=True)
class SeenPrompt:
    """One prompt on the remote.

    Attributes:
        row: What the remote said.
        content: What it holds.
    """

    row: RemotePrompt
    content: RemoteContent

    @property
    def digest(self) -> str:
        """The digest."""
        return self.content.digest

    def record(self, synced: str | None = None, before: RemoteRecord | None = None) -> RemoteRecord:
        """Return it as a record to remember.

        Args:
            synced: The commit at which git's side is in step with it.
            before: What was remembered so far, of which the labels are kept.
        """
        row, labels = self.row, before.labels if before else {}
        return RemoteRecord(
            self.content, False, row.name, row.id, row.version, synced, labels=labels
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The three sides of each prompt, and what is to be done.

    Attributes:
        snapshot: The store's side as of one commit.
        branch: What the store's branch has held.
        codec: How the remote holds prompts.
        known: What the remote held at the last sync, by name in git.
        base: What both sides were at the last sync that this branch has taken in.
        local: The prompts in git.
        remote: The prompts on the remote, by name in git.
        refused: Why prompts take no part, by name.
        steps: The plan.
        merges: What the two sides of a conflict are together, where their changes do not touch.
    """

    snapshot: Snapshot
    branch: BranchHistory
    codec: Codec
    known: Mapping[str, RemoteRecord]
    base: Mapping[str, RemoteRecord]
    local: Mapping[str, LocalPrompt]
    remote: Mapping[str, SeenPrompt]
    refused: Mapping[str, str]
    steps: tuple[Step, ...]
    merges: Mapping[str, RemoteContent]

    @property
    def agreed(self) -> dict[str, RemoteRecord]:
        """What both sides hold alike, where the last sync does not know it yet."""
        open_names = {step.name for step in self.steps} | self.refused.keys()
        agreed: dict[str, RemoteRecord] = {}
        for name in self.remote.keys() - open_names:
            record = self.record(name)
            before = self.known.get(name)
            if before is None or before.identity != record.identity:
                agreed[name] = record
        for name in self.known.keys() - self.remote.keys() - open_names:
            if not self.known[name].deleted:
                agreed[name] = archived(self.known[name], self.snapshot.commit)
        return agreed

    def seen(self, row: RemotePrompt) -> SeenPrompt:
        """Return an answer of the remote with what it holds."""
        return SeenPrompt(row, self.codec.read(row))

    def record(self, name: str, synced: str | None = None) -> RemoteRecord:
        """Return what the remote holds as a record that git's side is in step with.

        Args:
            name: The prompt's name.
            synced: The commit at which it is; None for that of the snapshot.
        """
        return self.remote[name].record(synced or self.snapshot.commit, self.known.get(name))

    def show(self, name: str) -> str:
        """Return what differs between git and the remote, as a unified diff of their lines."""
        local, seen = self.local.get(name), self.remote.get(name)
        here = content_lines(local.content) if local and not local.prompt.deleted else []
        there = content_lines(seen.content) if seen else []
        return "\n".join(difflib.unified_diff(here, there, "git", "remote", lineterm=""))


def archived(record: RemoteRecord, synced: str | None) -> RemoteRecord:
    """Return the record of a prompt that the remote holds no more.

    Args:
        record: What it held last.
        synced: The commit at which git's side is in step with that.
    """
    return replace(record, deleted=True, synced=synced, pending=None, labels={})


def compare(
    store: PromptStore, state: RemoteState, remote: RemotePrompts, rules: SyncRules
) -> Comparison:
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
    codec = Codec(rules.as_source, remote.keeps_config, remote.is_native)
    records = state.read(codec)
    known = {name: record for name, record in records.items() if rules.takes(name)}
    refused: dict[str, str] = {}
    there: dict[str, SeenPrompt] = {}
    for row in rows:
        with _noting(refused, row.name):
            name = rules.to_local(row.name)
            with _noting(refused, name):
                if rules.takes(name):
                    seen = there[name] = SeenPrompt(row, codec.read(row))
                    if name not in known or known[name].content.digest != seen.digest:
                        refuse_unkeepable(name, seen.content)
    here: dict[str, LocalPrompt] = {}
    for name in filter(rules.takes, snapshot.names()):
        with _noting(refused, name):
            here[name] = _local(name, snapshot.read(name, deleted=True), codec, rules)
    branch = BranchHistory(store, state.remote, snapshot.commit or store.position().tip, codec)

    def missed(name: str, after: int) -> Iterator[RemoteRecord]:
        newest = there[name].row
        first = max(after, newest.version - 1 - _MAX_MISSED)
        for number in range(newest.version - 1, first, -1):
            found = remote.read(newest.name, number)
            if found is not None:
                yield SeenPrompt(found, codec.read(found)).record()

    base = find_bases(
        known,
        {name: local.digest for name, local in here.items()},
        {name: seen.record() for name, seen in there.items()},
        branch,
        sources={
            name: (seen.row.version_description or "").partition(" ")[0]
            for name, seen in there.items()
        },
        past=lambda names: state.past(names, codec),
        missed=missed,
    )
    _refuse_twins(refused, here, there)
    steps = plan(
        *(
            {name: item.digest for name, item in side.items() if name not in refused}
            for side in (base, here, there)
        )
    )
    return Comparison(
        snapshot=snapshot,
        branch=branch,
        codec=codec,
        known=known,
        base=base,
        local=here,
        remote=there,
        refused=refused,
        steps=steps,
        merges={
            step.name: merged
            for step in steps
            if step.direction == "conflict"
            and (merged := _merged(step.name, codec, base, here, there)) is not None
        },
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


def _refuse_twins(
    refused: dict[str, str], here: Mapping[str, LocalPrompt], there: Mapping[str, SeenPrompt]
) -> None:
    """Refuse names that some file systems could not tell apart."""
    folded: dict[str, str] = {name.casefold(): name for name in here}
    for name in there:
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            refused[name] = f"it differs from {twin!r} in letter case only."


def _merged(
    name: str,
    codec: Codec,
    base: Mapping[str, RemoteRecord],
    here: Mapping[str, LocalPrompt],
    there: Mapping[str, SeenPrompt],
) -> RemoteContent | None:
    """Merge both sides of a conflict; None where their changes touch."""
    if name not in base or base[name].deleted or name not in there:
        return None
    if name not in here or here[name].prompt.deleted:
        return None
    return codec.merge(base[name].content, here[name].content, there[name].content)


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
    was, here, there = map(_alive, (base, local, remote))
    if here == there:
        return None
    if there == was:
        return Step(name, "push", _verb(base, here), f"{_happened(base, here)} in git")
    if here == was:
        return Step(name, "pull", _verb(base, there), f"{_happened(base, there)} on the remote")
    if was is None and here and there:
        reason = "both sides have it, with different texts and no common past"
    elif here is None:
        reason = "deleted in git, changed on the remote"
    elif there is None:
        reason = "changed in git, deleted on the remote"
    else:
        reason = "changed on both sides"
    return Step(name, "conflict", "settle", reason)


def _alive(digest: str | None) -> str | None:
    return None if digest == DELETED else digest


def _verb(base: str | None, now: str | None) -> Verb:
    if now is None:
        return "archive"
    if base is None:
        return "create"
    return "restore" if base == DELETED else "update"


def _happened(base: str | None, now: str | None) -> str:
    words: dict[Verb, str] = {
        "archive": "deleted",
        "create": "new",
        "restore": "brought back",
        "update": "changed",
    }
    return words[_verb(base, now)]
