"""Writing prompts and labels: edits become one commit on a branch, and nothing is ever lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, TypedDict

from promptstore.errors import (
    ConflictError,
    HistoryUnavailableError,
    InvalidArgumentError,
    PromptFileError,
    RepositoryError,
)
from promptstore.git.checkout import Filters
from promptstore.git.commits import FileChange
from promptstore.git.identity import CommitNote, choose_signatures, compose_message
from promptstore.git.locks import Deadline
from promptstore.git.reading import Repository, translated
from promptstore.git.refs import check_branch_name
from promptstore.git.writing import Update, update_ref
from promptstore.history.backend import labels_commit
from promptstore.history.labels import (
    BRANCH,
    LabelTable,
    Target,
    plan_moves,
    read_labels,
)
from promptstore.model.prompt import Prompt, identified
from promptstore.promptfile.reader import loads
from promptstore.store.edits import Edit, PlannedFile, default_message, plan_edits
from promptstore.store.lookup import Lookup
from promptstore.store.snapshot import Snapshot


class Attribution(TypedDict, total=False):
    """Who commits, and what the commit says; each may be left out.

    Attributes:
        message: The commit's message. By default one line that says what happened.
        author: Who wrote the change, as ``Name <email>``. By default whom git knows.
        committer: Who commits it. By default whom git knows, else the author.
        authored_at: When it was written, with a time zone. By default this moment.
        trailers: Facts for programs at the end of the message, such as ``{"Ticket": "PRM-7"}``.
    """

    message: str | None
    author: str | None
    committer: str | None
    authored_at: datetime | None
    trailers: Mapping[str, str] | None


Moves: TypeAlias = Mapping[str, Mapping[str, Target | None]]
"""Where labels are to point, by label and prompt name; None takes a label away."""


def commit_edits(
    lookup: Lookup,
    lock_timeout: float,
    edits: Mapping[str, Edit],
    expected: Mapping[str, int],
    attribution: Attribution,
    *,
    base: Snapshot | None = None,
    new_branch: str | None = None,
    force: bool = False,
) -> dict[str, Prompt]:
    """Make one commit of edits; see `PromptStore.commit`.

    Args:
        lookup: Where prompts are found.
        lock_timeout: How long locks of other processes are waited for, in seconds.
        edits: The edits by prompt name.
        expected: The version that a prompt must be at, by name; 0 for one that never was.
        attribution: Who commits, and what the commit says.
        base: The prompts that the edits were made for; None for those at the tip.
        new_branch: A branch to make at the base, which gets the commit.
        force: Whether includes may be left without what they name.
    """
    if not edits:
        raise InvalidArgumentError(message="there is nothing to commit: no edits are given")
    backend = lookup.writable()
    repository, state = backend.repository, backend.refresh()
    base = lookup.tip(state) if base is None else base
    # The title is the branch's name, unless HEAD is detached.
    if new_branch is not None:
        ref = _new_ref(new_branch)
    else:
        own = state.title if state.title != "HEAD" else backend.writable_branch()
        ref = f"refs/heads/{own}"
    start = base.commit if new_branch is not None else None
    planned = plan_edits(base, backend.root, edits, force=force)
    changed = _cleaned(repository, [file for file in planned if file.changes], base.commit)
    note = _note(repository, attribution, default_message(changed or planned))
    for name in expected:
        # It brings the index of versions up, for which no other writer shall wait.
        _newest_number(base, name)

    def plan(tip: str | None) -> Sequence[FileChange]:
        if new_branch is not None and tip is not None:
            reason = f"there is a branch {new_branch!r} already. Choose another name."
            raise ConflictError(names=[*edits], reason=reason)
        # Others wait for the write lock by now, so nothing else is looked at again.
        is_base = (tip or start) == base.commit
        now = base if is_base else lookup.tip(state._replace(tip=tip))
        _check_base(planned, base, now, expected)
        return [FileChange(file.name, file.path, file.data) for file in changed]

    update = update_ref(repository, ref, plan, note, deadline=Deadline(lock_timeout), start=start)
    warnings = update.warnings
    backend.invalidate()
    files = {file.name: file.after for file in changed}
    try:
        after = lookup.tip(state._replace(tip=update.commit or base.commit))
        prompts = {name: after.read(name, deleted=True) for name in edits}
    except (RepositoryError, HistoryUnavailableError) as error:
        # It is committed, whatever cannot be read afterwards.
        warnings = (*warnings, f"the commit {update.commit} was made, but then: {error}")
        after = base.overlaid(files)
        prompts = {name: after.read(name, deleted=True) for name in edits}
    return {
        name: identified(prompt, is_unchanged=name not in files, warnings=warnings)
        for name, prompt in prompts.items()
    }


def _new_ref(branch: str) -> str:
    # Git keeps a branch as a file, and so cannot have one beside what is above or below it.
    if f"{BRANCH}/".startswith(f"{branch}/") or branch.startswith(f"{BRANCH}/"):
        raise ConflictError(names=[branch], reason=f"this would take the place of {BRANCH}.")
    return check_branch_name(branch)


def _cleaned(
    repository: Repository, files: Sequence[PlannedFile], commit: str | None
) -> list[PlannedFile]:
    """Apply the content filters of .gitattributes, unless git would then hold no prompts."""
    with translated(repository.git_dir):
        filters = Filters(repository.handle, commit)
        cleaned = [file._replace(data=filters.clean(file.path, file.data)) for file in files]
    for before, after in zip(files, cleaned, strict=True):
        try:
            if after.data != before.data:
                loads(after.data, after.path)
        except PromptFileError as error:
            raise RepositoryError(
                path=after.path,
                reason="the content filter that .gitattributes names for it leaves git with what "
                "is no prompt file, and promptstore reads what git has. Take it out of the filter "
                f"with the line `{after.path} -filter` at the end of .gitattributes.",
            ) from error
    return cleaned


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
    note = _note(repository, attribution, _label_message(moves))

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


def _note(repository: Repository, attribution: Attribution, default: str) -> CommitNote:
    people = choose_signatures(
        repository,
        attribution.get("author"),
        attribution.get("committer"),
        attribution.get("authored_at"),
    )
    text = attribution.get("message")
    message = compose_message(default if text is None else text, attribution.get("trailers") or {})
    return CommitNote(*people, message)


def _check_base(
    planned: Sequence[PlannedFile], base: Snapshot, now: Snapshot, expected: Mapping[str, int]
) -> None:
    """Check that nothing happened to the prompts since they were looked at."""
    for name, number in expected.items():
        there = _newest_number(now, name)
        if there != number:
            says = f"is at version {there}" if there else "does not exist"
            raise ConflictError(
                names=[name],
                reason=f"it {says} by now, and version {number} was expected. "
                f"Look at it again (`promptstore diff {name}`), then write.",
            )
    if now.commit == base.commit:
        return
    moved = [file.name for file in planned if _blob(now, file.name) != _blob(base, file.name)]
    if moved:
        raise ConflictError(
            names=moved,
            reason="somebody else changed this meanwhile. Look at it again, then write.",
        )


def _newest_number(snapshot: Snapshot, name: str) -> int:
    if snapshot.commit is None:
        return 0
    if snapshot.history is None:
        raise HistoryUnavailableError(
            reason="so no version can be expected. A shallow clone gets its history by "
            "`git fetch --unshallow`."
        )
    latest = snapshot.history.timeline.latest(name)
    return latest.number if latest else 0


def _blob(snapshot: Snapshot, name: str) -> str | None:
    file = snapshot.find(name)
    return file.blob if file else None


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
