"""``promptstore label``: movable names that point prompts at versions.

With ``--json`` one array of objects. `set`, `remove` and `rollback`: `label`, `name`, `before` and
`after` (each `version` and `commit`, or null), `changed`, and with ``--dry-run`` `diff`. `list`:
`label`, `name`, `version` and `commit`. `log`: `label`, `name`, `before`, `after`, `commit`,
`author`, `moved_at` (ISO 8601 with a zone) and `message`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import typer

from promptstore.cli.opening import complete_label, complete_name, opened
from promptstore.cli.output import (
    print_diff,
    print_error,
    print_json,
    print_lines,
    print_table,
    when,
)
from promptstore.cli.selection import Selection, select
from promptstore.cli.times import At, parse_time
from promptstore.cli.writing import (
    AsJson,
    Author,
    DryRun,
    Message,
    Trailers,
    Yes,
    confirm,
    diff_files,
    expect_all,
    read_attribution,
)
from promptstore.errors import InvalidArgumentError, LabelNotFoundError, PromptNotFoundError
from promptstore.history.labels import LabelTable, Target, check_label
from promptstore.history.moves import LabelMove
from promptstore.history.sources import File
from promptstore.model.names import near_matches
from promptstore.store.store import PromptStore

_PROTECTED: Final = {"production", "prod", "live", "stable"}

Label = Annotated[
    str, typer.Argument(help="The label, such as production.", autocompletion=complete_label)
]
OptionalLabel = Annotated[
    str | None, typer.Argument(help="Only this label.", autocompletion=complete_label)
]
Expected = Annotated[
    int | None,
    typer.Option(
        "--expected",
        help="The version that it must point at now, 0 for none; another one is an error.",
        metavar="N",
        min=0,
    ),
]

label_app = typer.Typer(
    name="label",
    help="Point prompts at versions by movable names such as production.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class _Step(NamedTuple):
    """What happens to a label of one prompt.

    Attributes:
        name: The prompt's name.
        before: Where the label points, or None.
        after: Where it is to point, or None.
    """

    name: str
    before: Target | None
    after: Target | None

    @property
    def changes(self) -> bool:
        return self.before != self.after


@label_app.command("set")
def set_label(
    context: typer.Context,
    label: Label,
    names: Annotated[
        list[str],
        typer.Argument(
            help="NAME (its newest version), NAME@3, NAME@staging (where that label points) or "
            "NAME@main~2 (rev).",
            metavar="NAME[@SEL]...",
            autocompletion=complete_name,
        ),
    ],
    expected: Expected = None,
    message: Message = None,
    author: Author = None,
    trailer: Trailers = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Point a label at versions of prompts, in one commit.

    A label whose name says that others rely on it (production, prod, live, stable, also as a part
    such as eu-production) is moved only after a question; without a terminal add --yes.
    """
    attribution = read_attribution(message, author, trailer)
    check_label(label)
    with opened(context) as store:
        table = store.labels()
        try:
            selections = _select_all(store, names)
            steps = [_step(store, table, label, *pair) for pair in selections.items()]
        except PromptNotFoundError as error:
            if label in store.names():
                error.add_note(f"{label!r} is a prompt: the label comes first, then the prompts.")
            raise
        _note_new_label(label, table)
        if dry_run:
            _show_dry_run(store, label, steps, as_json=as_json)
            return
        expecting = _confirm(label, steps, yes=yes) | expect_all(selections, expected)
        # The commits that were shown are the ones that are set, whatever happens meanwhile.
        wanted = {step.name: step.after.commit for step in steps if step.after}
        store.set_labels(label, wanted, expected=expecting, **attribution)
    _print_steps(label, steps, as_json=as_json)


@label_app.command("remove")
def remove_label(
    context: typer.Context,
    label: Label,
    names: Annotated[
        list[str],
        typer.Argument(help="The prompts.", metavar="NAME...", autocompletion=complete_name),
    ],
    expected: Expected = None,
    message: Message = None,
    author: Author = None,
    trailer: Trailers = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a label off prompts, in one commit.

    Asks as `promptstore label set` does.
    """
    attribution = read_attribution(message, author, trailer)
    check_label(label)
    with opened(context) as store:
        table = store.labels()
        steps = [_Step(name, table.find(label, name), None) for name in dict.fromkeys(names)]
        if dry_run:
            _show_dry_run(store, label, steps, as_json=as_json)
            return
        expecting = _confirm(label, steps, yes=yes) | expect_all(names, expected)
        store.remove_labels(label, names, expected=expecting, **attribution)
    _print_steps(label, steps, as_json=as_json)


@label_app.command("rollback")
def rollback_label(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="The prompt.", metavar="NAME", autocompletion=complete_name)
    ],
    label: Label,
    message: Message = None,
    author: Author = None,
    trailer: Trailers = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Point a label back at what it pointed at before it was last moved.

    Asks as `promptstore label set` does.
    """
    attribution = read_attribution(message, author, trailer)
    with opened(context) as store:
        now = store.labels().find(check_label(label), name)
        before = next((move.before for move in store.label_history(label, name)), None)
        step = _Step(name, now, before)
        if before is not None:
            _confirm(label, [step], yes=yes)
        store.rollback_label(name, label, **attribution)
    _print_steps(label, [step], as_json=as_json)


@label_app.command("list")
def list_labels(
    context: typer.Context,
    label: OptionalLabel = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """List where the labels point, or where they pointed at a time.

    A broken file of a label hides no other: it is told on stderr, and the exit code is 1.
    """
    with opened(context) as store:
        table = store.labels(parse_time(at) if at else None)
    labels = sorted(table.targets) if label is None else [label]
    rows = [
        {"label": key, "name": name, **target._asdict()}
        for key in labels
        for name, target in sorted(table.of_label(key).items())
    ]
    if as_json:
        print_json(rows)
    else:
        cells = [
            (row["label"], row["name"], str(row["version"]), row["commit"][:7]) for row in rows
        ]
        print_table(("LABEL", "NAME", "VERSION", "COMMIT"), cells)
    if not rows and not table.broken:
        print_error("there are no labels; `promptstore label set LABEL NAME` sets one")
    for error in table.broken.values() if label is None else ():
        print_error(f"error: {error}")
    if label is None and table.broken:
        raise typer.Exit(1)


@label_app.command("log")
def log_labels(
    context: typer.Context,
    label: OptionalLabel = None,
    name: Annotated[
        str | None,
        typer.Option(help="Only moves for this prompt.", autocompletion=complete_name),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List who moved which label where, newest first."""
    with opened(context) as store:
        moves = store.label_history(label, name)
        if not moves:
            _refuse_unknown(store, label, name)
    if as_json:
        print_json([_move_row(move) for move in moves])
    else:
        heads = ("TIME", "LABEL", "NAME", "FROM", "TO", "COMMIT", "AUTHOR", "SUBJECT")
        print_table(heads, [_move_cells(move) for move in moves])
    if not moves:
        print_error("no label like that was ever moved")


def is_protected(label: str) -> bool:
    """Tell whether a label's name says that others rely on where it points."""
    return not _PROTECTED.isdisjoint(re.split(r"[._-]", label))


def _select_all(store: PromptStore, texts: Sequence[str]) -> dict[str, Selection]:
    chosen: dict[str, Selection] = {}
    for name, selection in (select(store, text) for text in texts):
        if chosen.setdefault(name, selection) != selection:
            raise InvalidArgumentError(message=f"{name!r} is given with two versions: give one")
    return chosen


def _step(
    store: PromptStore, table: LabelTable, label: str, name: str, selection: Selection
) -> _Step:
    prompt = store.get(name, **selection)
    before = table.targets.get(label, {}).get(name)
    if prompt.version is None or prompt.snapshot_commit is None:
        store.history(name)  # says why versions cannot be counted here
        raise InvalidArgumentError(message=f"{name!r} has no version that a label can point at")
    return _Step(name, before, Target(prompt.version, prompt.snapshot_commit))


def _note_new_label(label: str, table: LabelTable) -> None:
    """Say so when a label comes to be that looks like another one: it may be a typo."""
    near = near_matches(label, table.targets)
    if label not in table.targets and near:
        print_error(f"note: {label!r} is a new label; there is {' and '.join(map(repr, near))}")


def _confirm(label: str, steps: Sequence[_Step], *, yes: bool) -> dict[str, int]:
    """Ask before a protected label is moved, and give the versions that were seen for it."""
    moved = [step for step in steps if step.before and step.changes]
    if not moved or not is_protected(label):
        return {}
    confirm(f"Move {', '.join(_sentence(label, step) for step in moved)}?", yes=yes)
    return {step.name: step.before.version for step in moved if step.before}


def _show_dry_run(store: PromptStore, label: str, steps: Sequence[_Step], *, as_json: bool) -> None:
    if as_json:
        rows = [_step_row(label, step) | {"diff": _diff(store, step)} for step in steps]
        print_json(rows)
        return
    for step in steps:
        print_lines(_sentence(label, step))
        text = _diff(store, step)
        if text:
            print_diff(text)


def _diff(store: PromptStore, step: _Step) -> str:
    return diff_files(_file(store, step.name, step.before), _file(store, step.name, step.after))


def _file(store: PromptStore, name: str, target: Target | None) -> File | None:
    return store.snapshot(target.commit).find(name) if target else None


def _print_steps(label: str, steps: Sequence[_Step], *, as_json: bool) -> None:
    if as_json:
        print_json([_step_row(label, step) for step in steps])
        return
    for step in steps:
        print_lines(_sentence(label, step))


def _sentence(label: str, step: _Step) -> str:
    before, after = _title(step.name, step.before), _title(step.name, step.after)
    if not step.changes:
        return f"{label}: {after}, nothing changed"
    if before == after and step.after:
        return f"{label}: {after}, with the includes of {step.after.commit[:7]}"
    return f"{label}: {before} → {after}"


def _title(name: str, target: Target | None) -> str:
    return f"{name}@{target.version}" if target else "none"


def _step_row(label: str, step: _Step) -> dict[str, Any]:
    return {
        "label": label,
        "name": step.name,
        "before": _target_row(step.before),
        "after": _target_row(step.after),
        "changed": step.changes,
    }


def _target_row(target: Target | None) -> Mapping[str, Any] | None:
    return target._asdict() if target else None


def _move_row(move: LabelMove) -> dict[str, Any]:
    return {
        "label": move.label,
        "name": move.name,
        "before": _target_row(move.before),
        "after": _target_row(move.after),
        "commit": move.commit,
        "author": move.author,
        "moved_at": when(move.moved_at),
        "message": move.message,
    }


def _move_cells(move: LabelMove) -> tuple[str, ...]:
    return (
        when(move.moved_at),
        move.label,
        move.name,
        str(move.before.version) if move.before else "-",
        str(move.after.version) if move.after else "-",
        move.commit[:7],
        move.author,
        move.message.partition("\n")[0],
    )


def _refuse_unknown(store: PromptStore, label: str | None, name: str | None) -> None:
    """Say what was probably meant by a label or a prompt that there never was."""
    if label is not None and not store.label_history(label):
        raise LabelNotFoundError(label=label, near=sorted(store.labels().targets))
    snapshot = store.snapshot()
    if name is not None and name not in snapshot.names():
        raise snapshot.not_found(name)
