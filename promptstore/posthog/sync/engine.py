"""A sync: compare, then do the steps one by one, and remember each that succeeded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, TypeVar

from promptstore.errors import (
    ConflictError,
    InvalidArgumentError,
    MassDeletionError,
    PromptFileError,
    RemoteConflictError,
    RemoteError,
    RemoteNotFoundError,
    RemoteRejectedError,
    SyncRefusedError,
    TemplateError,
)
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync import pulling
from promptstore.posthog.sync.comparison import (
    Comparison,
    Direction,
    Step,
    SyncOptions,
    chosen,
    compare,
    is_held,
)
from promptstore.posthog.sync.labels import LabelSync
from promptstore.posthog.sync.remote import RemotePrompts, SyncRules
from promptstore.posthog.sync.state import RemoteRecord, RemoteState
from promptstore.store.store import PromptStore

MAX_DESCRIPTION: Final = 400
Outcome: TypeAlias = Literal["done", "held", "conflict", "failed"]
_Answer = TypeVar("_Answer")

_OF_ONE_PROMPT: Final = (
    ConflictError,
    InvalidArgumentError,
    PromptFileError,
    RemoteConflictError,
    RemoteNotFoundError,
    RemoteRejectedError,
    SyncRefusedError,
    TemplateError,
)
"""Faults that say nothing about the other prompts, so that the sync goes on with those."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one step.

    Attributes:
        step: The step.
        outcome: Whether it is done, held back for want of an option, left as a conflict, or failed.
        note: More about it, in words.
    """

    step: Step
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a sync did.

    Attributes:
        results: One for each step of the chosen directions, and for each conflict.
    """

    results: list[Result] = field(default_factory=list)

    def of(self, outcome: Outcome) -> list[Result]:
        """List the results with an outcome."""
        return [result for result in self.results if result.outcome == outcome]

    @property
    def is_clean(self) -> bool:
        """Return whether nothing was left as a conflict and nothing failed."""
        return not self.of("conflict") and not self.of("failed")


class Sync:
    """Keeps a store and one remote in step.

    Args:
        store: The store.
        remote: The remote.
        name: The remote's name, which also names the reference with its state.
        rules: How its prompts are kept in step.
    """

    def __init__(
        self,
        store: PromptStore,
        remote: RemotePrompts,
        name: str,
        rules: SyncRules | None = None,
    ) -> None:
        self.name = name
        self.rules = rules or SyncRules()
        self._store = store
        self._remote = remote
        self._state = RemoteState(store.repository, name, store.root)

    def compare(self) -> Comparison:
        """Look at both sides and plan; nothing is written.

        Raises:
            RemoteError: The remote cannot be read.
        """
        return compare(self._store, self._state, self._remote, self.rules)

    def apply(
        self,
        comparison: Comparison,
        options: SyncOptions,
        on_result: Callable[[Result], None] = lambda _result: None,
    ) -> Report:
        """Do the steps of a comparison one by one.

        It can be stopped at any point and run again: what is done is not done twice. Each step is
        recorded as soon as it is done, so a process that is killed leaves at most one that is not.

        Args:
            comparison: Both sides and the plan.
            options: What a person decides.
            on_result: Told of each result as it comes.

        Returns:
            What became of each step.

        Raises:
            MassDeletionError: Too many prompts would be deleted; nothing was changed.
            InvalidArgumentError: Conflicts would go onto the store's own branch.
            RepositoryError: Git does not know who commits.
            RemoteError: The remote failed in a way that concerns all prompts. What was done before
                is remembered.
        """
        self._state.check_writable()
        self._refuse_own_branch(options.branch)
        steps = chosen(comparison, options)
        self._refuse_mass_deletion(steps, comparison, options)
        report = Report()
        self._state.join()
        self._state.record(comparison.agreed)
        for step in steps:
            result = _done(comparison, step, options)
            report.results.append(result)
            on_result(result)
        return report

    def bring_labels(self, options: SyncOptions) -> list[Result]:
        """Bring labels over, after the prompts were synced.

        Args:
            options: What a person decides; a preference settles labels that both sides moved.

        Returns:
            What became of each label that differs.

        Raises:
            RemoteError: The remote failed, or knows no labels.
        """
        self._state.check_writable()
        labels = LabelSync(self.compare())
        self._state.join()
        try:
            return [
                _labelled(labels, step, options)
                for step in labels.steps
                if step.direction == "conflict" or step.direction in options.directions
            ]
        finally:
            labels.remember()

    def _refuse_own_branch(self, branch: str | None) -> None:
        own = self._store.branch or self._store.repository.head().branch
        if branch is not None and branch == own:
            raise InvalidArgumentError(
                message=f"the store is on the branch {branch!r} itself; name another one for the "
                "remote's side of conflicts"
            )

    def _refuse_mass_deletion(
        self, steps: Collection[Step], comparison: Comparison, options: SyncOptions
    ) -> None:
        names = [
            step.name
            for step in steps
            if step.verb == "archive" and not is_held(step, comparison, options)
        ]
        total = sum(not record.deleted for record in comparison.base.values())
        if len(names) * 3 > total and not options.confirmed:
            raise MassDeletionError(remote=self.name, names=names, total=total)


def _done(both: Comparison, step: Step, options: SyncOptions) -> Result:
    if is_held(step, both, options):
        return Result(step, "held", "left alone; --allow-delete deletes it on this side too")
    try:
        if step.direction == "push":
            return Result(step, "done", _push(both, step.name))
        if step.direction == "pull":
            return Result(step, "done", pulling.pull(both, step.name))
        return _settled(both, step, options)
    except _OF_ONE_PROMPT as error:
        return Result(step, "failed", str(error))


def _settled(both: Comparison, step: Step, options: SyncOptions) -> Result:
    """Settle a conflict by what was chosen, or leave it."""
    name, is_on_remote = step.name, step.name in both.remote
    pulls, pushes = "pull" in options.directions, "push" in options.directions
    if name in both.merges and pulls and options.prefer is None:
        # The remote gets it now or by the next push.
        prompt = pulling.take_in(both, name, both.merges[name])
        if not pushes:
            return Result(step, "done", f"merged: {pulling.describe(prompt)}; push it now")
        content = both.codec.encode(prompt)
        note = _publish(both, name, content, prompt.commit, prompt.snapshot_commit)
        return Result(step, "done", f"merged, {note}")
    if options.prefer == "remote" and pulls and (options.allow_delete or is_on_remote):
        return Result(step, "done", f"took the remote's side: {pulling.pull(both, name)}")
    if options.prefer == "local" and (options.allow_delete or name in both.local):
        # What the remote held is kept in its state first.
        known = both.known.get(name)
        if is_on_remote:
            both.state.record({name: both.record(name)})
        elif known is not None:
            both.state.record({name: known.archived(both.snapshot.commit)})
        then = f", {_push(both, name)}" if pushes else "; push it now"
        return Result(step, "done", f"kept git's side{then}")
    if options.branch is not None and is_on_remote:
        return Result(step, "conflict", pulling.offer(both, name, options.branch))
    return Result(step, "conflict", pulling.advise(both, step, options))


def _push(both: Comparison, name: str) -> str:
    """Bring git's side of a prompt to the remote."""
    local = both.local.get(name)
    if local is None or local.prompt.deleted:
        return _push_archive(both, name)
    return _publish(both, name, local.content, local.prompt.commit, both.snapshot.commit)


def _publish(
    both: Comparison, name: str, content: RemoteContent, commit: str | None, synced: str | None
) -> str:
    remote_name = both.rules.to_remote(name)
    row = both.rows.get(name) or _brought_back(both, name, remote_name)
    if row is not None and both.codec.read(row).digest == content.digest:
        return f"version {row.version} on the remote"
    description = _description(both, commit)

    def write() -> RemotePrompt:
        if row is None:
            return both.api.create(remote_name, content, description)
        return both.api.publish(row, content, description)

    def find() -> RemotePrompt | None:
        found = both.api.read(remote_name)
        wanted = replace(content, config={}) if both.api.is_legacy else content
        return found if found and both.codec.read(found).digest == wanted.digest else None

    answer = _certainly(write, find)
    record = RemoteRecord.of(answer, both.codec.read(answer))
    labels = both.known[name].labels if name in both.known else {}
    both.state.record({name: replace(record, synced=synced, labels=labels)})
    return f"version {answer.version} on the remote"


def _brought_back(both: Comparison, name: str, remote_name: str) -> RemotePrompt | None:
    """Unarchive a prompt, so that its id and history live on; None where that cannot be."""
    known = both.known.get(name)
    if known is None or not known.deleted:
        return None
    row = _certainly(lambda: both.api.unarchive(remote_name), lambda: both.api.read(remote_name))
    if row is None:
        return None
    seen = RemoteRecord.of(row, both.codec.read(row))
    if seen.digest != known.content.digest:
        reason = "it came back with another text than was known. Sync again."
        raise ConflictError(names=[name], reason=reason)
    both.state.record({name: replace(seen, synced=both.snapshot.commit)})
    return row


def _push_archive(both: Comparison, name: str) -> str:
    row = both.rows[name]

    def find() -> bool | None:
        # The list is asked, as a busy server says of a single prompt that it is not there.
        return None if row.name in {one.name for one in both.api.fetch()} else True

    _certainly(lambda: both.api.archive(row), find)
    both.state.record({name: both.remote[name].archived(both.snapshot.commit)})
    return "archived on the remote"


def _certainly(write: Callable[[], _Answer], find: Callable[[], _Answer | None]) -> _Answer:
    """Write, and where the answer was lost look whether it happened."""
    try:
        return write()
    except RemoteError as error:
        if not error.may_have_written:
            raise
        found = find()
        if found is None:
            raise
        return found


def _description(both: Comparison, commit: str | None) -> str:
    """Return what the remote is told about a version: the commit that it is from."""
    if commit is None:
        return "From git"
    subject = both.store.repository.commit(commit).message.strip().partition("\n")[0]
    return f"{commit[:12]} {subject}".strip()[:MAX_DESCRIPTION]


def _labelled(labels: LabelSync, step: Step, options: SyncOptions) -> Result:
    """Bring one label over; of one that both sides moved the preferred side wins."""
    direction = step.direction
    if direction == "conflict" and options.prefer is not None:
        wanted: Direction = "push" if options.prefer == "local" else "pull"
        direction = wanted if wanted in options.directions else direction
    try:
        if direction == "push":
            done, why_not = labels.push(step.name), "its version was never on the remote"
        elif direction == "pull":
            done, why_not = labels.pull(step.name), "its version was never in git"
        else:
            advice = "`--prefer local` in a push or `--prefer remote` in a pull settles it"
            return Result(step, "conflict", f"{step.reason}; {advice}")
    except _OF_ONE_PROMPT as error:
        return Result(step, "failed", str(error))
    return Result(step, "held", why_not) if done is None else Result(step, "done", done)
