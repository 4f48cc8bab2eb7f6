"""Moves of labels become one commit on the branch of labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from promptstore.errors import ConflictError
from promptstore.git.commits import FileChange
from promptstore.git.reading import Repository
from promptstore.git.writing import Deadline, Update, update_ref
from promptstore.history.backend import labels_commit
from promptstore.history.labels import BRANCH, LabelTable, Target, read_labels, targets_in
from promptstore.model.prompt import Prompt
from promptstore.model.values import SUFFIX
from promptstore.promptfile.anyyaml import parse_yaml
from promptstore.promptfile.writer import write_flow, write_key
from promptstore.store.writing import Attribution, compose_note

Moves: TypeAlias = Mapping[str, Mapping[str, Target | None]]
"""Where labels are to point, by label and prompt name; None takes a label away."""

_WHOLE_LINE: Final = re.compile(r"\}[ \t]*(?:#.*)?\n?\Z")


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
        ConflictError: A label points at another version than expected.
        LabelNotFoundError: It is to be taken away where it is not.
        PromptStoreError: As for `update_ref`.
    """
    start = labels_commit(repository)
    note = compose_note(repository, attribution, _label_message(moves))

    def plan(tip: str | None) -> Sequence[FileChange]:
        if tip not in (None, start):
            _check_labels(repository, moves, start, tip)
        return [
            change
            for label, targets in moves.items()
            for change in _plan(repository, tip or start, label, targets, expected.get(label, {}))
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


def _plan(
    repository: Repository,
    commit: str | None,
    label: str,
    targets: Mapping[str, Target | None],
    expected: Mapping[str, int],
) -> list[FileChange]:
    """Work out what moving a label does to its file.

    Args:
        repository: The repository.
        commit: The newest commit of the labels branch, or None where there is none.
        label: The label.
        targets: Where it is to point, by prompt name; None takes it away.
        expected: The version that it must point at now, by prompt name; 0 for none.

    Returns:
        The change of the label's file; nothing where it says that already.

    Raises:
        ConflictError: It points at another version than expected.
        LabelNotFoundError: It is to be taken away where it is not.
        PromptFileError: Its file is broken.
    """
    file = f"{label}{SUFFIX}"
    entry = repository.find(repository.commit(commit).tree, file) if commit else None
    source = repository.blob(entry.id) if entry else b""
    content = parse_yaml(source, f"{BRANCH}:{file}") if source else {}
    present = targets_in(content)
    for name, number in expected.items():
        _expect(label, name, present.get(name), number)
    for name, target in targets.items():
        if target is None and name not in present:
            (read_labels(repository, commit) if commit else LabelTable()).find(label, name)
    if all(present.get(name) == target for name, target in targets.items()):
        return []
    data = _edit_file(source.decode(), content if isinstance(content, dict) else {}, targets)
    return [FileChange(f"label {label}", file, data.encode() if data.strip() else None)]


def _expect(label: str, name: str, target: Target | None, number: int) -> None:
    there = target.version if target else 0
    if there == number:
        return
    says = f"points at version {there}" if there else "does not point at it"
    wanted = f"not at version {number}" if number else "though it should not"
    raise ConflictError(
        names=[name],
        reason=f"the label {label!r} {says} by now, {wanted}. Look again, then move it.",
    )


def _edit_file(text: str, content: dict[str, Any], targets: Mapping[str, Target | None]) -> str:
    """Change the lines of some prompts; the other lines stay, comments too."""
    wanted = {
        **content,
        **{name: target._asdict() if target else None for name, target in targets.items()},
    }
    lines = text.splitlines(keepends=True)
    found = {name: at for name in content if (at := _line_of(lines, name)) is not None}
    if len(found) < len(content):
        # It is not laid out as one line for each prompt, so the layout cannot be kept.
        lines, found = [], {}
    for name in found.keys() & targets.keys():
        lines[found[name]] = _write_line(name, wanted[name])
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for name in sorted(wanted.keys() - found.keys()):
        place = _place_for(name, found, len(lines))
        lines.insert(place, _write_line(name, wanted[name]))
        found = {other: at + (at >= place) for other, at in found.items()} | {name: place}
    return "".join(lines)


def _place_for(name: str, found: Mapping[str, int], end: int) -> int:
    """Find the line before which a prompt belongs by its name."""
    before = [at for other, at in found.items() if other < name]
    behind = [at for other, at in found.items() if other > name]
    if before:
        return max(before) + 1
    return min(behind, default=end)


def _line_of(lines: list[str], name: str) -> int | None:
    start = f"{write_key(name)}: {{"
    numbers = [number for number, line in enumerate(lines) if line.startswith(start)]
    if len(numbers) != 1 or not _WHOLE_LINE.search(lines[numbers[0]]):
        return None
    return numbers[0]


def _write_line(name: str, target: Any) -> str:
    return "" if target is None else f"{write_key(name)}: {write_flow(target)}\n"


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
