"""A sync: compare, then do the steps one by one, and remember each that succeeded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from promptstore.errors import (
    ConflictError,
    InvalidArgumentError,
    MassDeletionError,
    PromptFileError,
    RemoteConflictError,
    RemoteNotFoundError,
    RemoteRejectedError,
    SyncRefusedError,
    TemplateError,
)
from promptstore.posthog.sync.actions import Actions
from promptstore.posthog.sync.comparison import Comparison, Direction, Step, compare
from promptstore.posthog.sync.labels import LabelOf, LabelSync
from promptstore.posthog.sync.remote import RemotePrompts, SyncRules
from promptstore.posthog.sync.state import RemoteState
from promptstore.store.store import PromptStore

Preference: TypeAlias = Literal["local", "remote"]
Outcome: TypeAlias = Literal["done", "held", "conflict", "failed"]

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

        It can be stopped at any point and run again: what is done is not done twice.

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
        actions = Actions(self._store, self._remote, self.rules, comparison, self._state)
        self._state.join()
        self._state.record(comparison.agreed)
        for step in steps:
            result = _done(step, actions, options)
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
        labels = LabelSync(self._store, self._remote, self._state, self.compare())
        self._state.join()
        try:
            return [
                _labelled(key, step, labels, options)
                for key, step in labels.steps.items()
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


def _done(step: Step, actions: Actions, options: SyncOptions) -> Result:
    if is_held(step, actions.comparison, options):
        return Result(step, "held", "left alone; --allow-delete deletes it on this side too")
    try:
        if step.direction == "push":
            return Result(step, "done", actions.push(step.name))
        if step.direction == "pull":
            return Result(step, "done", actions.pull(step.name))
        return _settled(step, actions, options)
    except _OF_ONE_PROMPT as error:
        return Result(step, "failed", str(error))


def _settled(step: Step, actions: Actions, options: SyncOptions) -> Result:
    """Settle a conflict by what was chosen, or leave it."""
    name, comparison = step.name, actions.comparison
    pulls, pushes = "pull" in options.directions, "push" in options.directions
    if name in comparison.merges and pulls and options.prefer is None:
        return Result(step, "done", actions.merge(name, and_push=pushes))
    gone_from_remote = name not in comparison.remote
    if options.prefer == "remote" and pulls and (options.allow_delete or not gone_from_remote):
        return Result(step, "done", f"took the remote's side: {actions.pull(name)}")
    gone_from_git = name not in comparison.local
    if options.prefer == "local" and (options.allow_delete or not gone_from_git):
        return Result(step, "done", actions.keep_local(name, and_push=pushes))
    if options.branch is not None and not gone_from_remote:
        return Result(step, "conflict", actions.offer(name, options.branch))
    return Result(step, "conflict", _advice(step, comparison, options))


def _advice(step: Step, comparison: Comparison, options: SyncOptions) -> str:
    if step.name in comparison.merges:
        return f"{step.reason}, in different lines: `sync pull` merges them"
    is_deletion = step.name not in comparison.remote or step.name not in comparison.local
    if options.prefer is not None and is_deletion:
        return f"{step.reason}; say --allow-delete too"
    return (
        f"{step.reason}; settle it by `sync pull --prefer remote`, `sync push --prefer local` or "
        "`sync pull --branch NAME`"
    )


def _labelled(key: LabelOf, step: Step, labels: LabelSync, options: SyncOptions) -> Result:
    """Bring one label over; of one that both sides moved the preferred side wins."""
    direction = step.direction
    if direction == "conflict" and options.prefer is not None:
        wanted: Direction = "push" if options.prefer == "local" else "pull"
        direction = wanted if wanted in options.directions else direction
    try:
        if direction == "push":
            done, why_not = labels.push(key), "its version was never on the remote"
        elif direction == "pull":
            done, why_not = labels.pull(key), "its version was never in git"
        else:
            advice = "`--prefer local` in a push or `--prefer remote` in a pull settles it"
            return Result(step, "conflict", f"{step.reason}; {advice}")
    except _OF_ONE_PROMPT as error:
        return Result(step, "failed", str(error))
    return Result(step, "held", why_not) if done is None else Result(step, "done", done)
