"""Moves of labels become one commit on the branch of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from promptstore.errors import ConflictError
from promptstore.git.commits import FileChange
from promptstore.git.reading import Repository
from promptstore.git.writing import Deadline, Update, update_ref
from promptstore.history.backend import labels_commit
from promptstore.history.labels import BRANCH, LabelTable, Target, plan_moves, read_labels
from promptstore.model.prompt import Prompt
from promptstore.store.writing import Attribution, compose_note

Moves: TypeAlias = Mapping[str, Mapping[str, Target | None]]
"""Where labels are to point, by label and prompt name; None takes a label away."""


def move_labels(
    repository: Repository,
    lock_timeout: float,
    moves: Moves,
    expected: Mapping[str, Mapping[str, int]],
    attribution: Attribution,
) -> Update:
    """Make one commit of moves of labels.

    Args:
        repository: The repository.
        lock_timeout: How long locks of other processes are waited for, in seconds.
        moves: Where a label is to point, by label and prompt name; None takes it away.
        expected: The version that it must point at now, by label and prompt name; 0 for none.
        attribution: Who commits, and what the commit says.

    Returns:
        What came of it.

    Raises:
        PromptStoreError: As for `plan_moves` and `update_ref`.
    """
    start = labels_commit(repository)
    note = compose_note(repository, attribution, _label_message(moves))

    def plan(tip: str | None) -> Sequence[FileChange]:
        if tip not in (None, start):
            _check_labels(repository, moves, start, tip)
        return [
            change
            for label, targets in moves.items()
            for change in plan_moves(
                repository, tip or start, label, targets, expected.get(label, {})
            )
        ]

    ref, deadline = f"refs/heads/{BRANCH}", Deadline(lock_timeout)
    return update_ref(repository, ref, plan, note, deadline=deadline, start=start)


def plan_renamed_labels(
    table: LabelTable, old: Prompt, new: Prompt
) -> tuple[Moves, dict[str, dict[str, int]], list[str]]:
    """Plan how labels follow a prompt that was renamed.

    Returns:
        The moves and the versions expected before them, as `move_labels` takes them, and what is
        to be said of labels that stay.
    """
    old_name, new_name = str(old.name), str(new.name)
    moves: dict[str, dict[str, Target | None]] = {}
    expected: dict[str, dict[str, int]] = {}
    warnings: list[str] = []
    for label, targets in table.targets.items():
        if old_name not in targets:
            continue
        version = targets[old_name].version
        if version != old.version:
            warnings.append(
                f"the label {label!r} stays at version {version} of {old_name!r}; "
                f"`promptstore label set {new_name} {label}` moves it"
            )
        elif new.version is not None and new.snapshot_commit is not None:
            target = Target(new.version, new.snapshot_commit)
            moves[label] = {old_name: None, new_name: target}
            expected[label] = {old_name: version}
    return moves, expected, warnings


def _check_labels(
    repository: Repository,
    moves: Moves,
    start: str | None,
    tip: str | None,
) -> None:
    """Check that nobody else moved the same labels of the same prompts meanwhile."""
    before, now = (
        read_labels(repository, commit).targets if commit else {} for commit in (start, tip)
    )
    for label, targets in moves.items():
        old, new = before.get(label, {}), now.get(label, {})
        moved = [name for name in targets if old.get(name) != new.get(name)]
        if moved:
            raise ConflictError(
                names=moved,
                reason=f"somebody else moved the label {label!r} meanwhile. Look again, then "
                "move it.",
            )


def _label_message(moves: Moves) -> str:
    lines = [
        _move_sentence(label, name, target)
        for label, targets in moves.items()
        for name, target in targets.items()
    ]
    if len(lines) == 1:
        return lines[0]
    names = {name for targets in moves.values() for name in targets}
    title = f"Move {', '.join(moves)} of {len(names)} prompts"
    return "\n".join([title, "", *(f"- {line}" for line in lines)])


def _move_sentence(label: str, name: str, target: Target | None) -> str:
    if target is None:
        return f"Take {label} off {name}"
    return f"Point {label} at {name} version {target.version}"
