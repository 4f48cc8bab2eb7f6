"""``promptstore label``: movable names that point prompts at versions.

With ``--json`` one array of objects. `set`, `remove` and `rollback`: `label`, `name`, `before` and
`after` (each `version` and `commit`, or null), `changed`, and with ``--dry-run`` `diff`. `list`:
`label`, `name`, `version` and `commit`. `log`: `label`, `name`, `before`, `after`, `commit`,
`author`, `moved_at` (ISO 8601 with a zone) and `message`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer

from promptstore.cli.app import AsJson, NameOnly, complete_label, complete_name, opened
from promptstore.cli.inputs import At, Selection, no_labels, parse_time, select
from promptstore.cli.output import (
    print_diff,
    print_error,
    print_json,
    print_lines,
    print_listing,
    short_time,
)
from promptstore.cli.writing import Order, Yes, confirm, diff_files, expect_all, takes_order
from promptstore.errors import InvalidArgumentError, LabelNotFoundError
from promptstore.history.labels import (
    LabelMove,
    LabelTable,
    Target,
    check_label,
    is_label,
    is_protected,
)
from promptstore.model.values import near_matches
from promptstore.store.store import PromptStore


def _complete_name_or_label(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a prompt's name, and behind one the label too."""
    labels = complete_label(context, incomplete) if context.params.get("label") else []
    return [*complete_name(context, incomplete), *labels]


Label = Annotated[
    str,
    typer.Argument(
        help="The label, such as production.", metavar="LABEL", autocompletion=complete_label
    ),
]
OptionalLabel = Annotated[
    str | None,
    typer.Argument(help="Only this label.", metavar="LABEL", autocompletion=complete_label),
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
    help="Set, move, roll back and list labels such as production.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class _Step(NamedTuple):
    """What happens to a label of one prompt.

    Attributes:
        label: The label.
        name: The prompt's name.
        before: Where the label points, or None.
        after: Where it is to point, or None.
    """

    label: str
    name: str
    before: Target | None
    after: Target | None

    @property
    def changes(self) -> bool:
        return self.before != self.after

    def __str__(self) -> str:
        before, after = (
            f"{self.name}@{target.version}" if target else "none"
            for target in (self.before, self.after)
        )
        if not self.changes:
            return f"{self.label}: {after}, nothing changed"
        if before == after and self.after:
            return f"{self.label}: {after}, with the includes of {self.after.commit[:7]}"
        return f"{self.label}: {before} → {after}"

    def as_json(self) -> dict[str, Any]:
        own = {"label": self.label, "name": self.name}
        return own | _ends(self) | {"changed": self.changes}


@label_app.command("set")
@takes_order
def set_label(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            help="NAME (its newest version), NAME@3, NAME@staging (where that label points) or "
            "NAME@main~2 (rev).",
            metavar="NAME[@VERSION]",
            autocompletion=_complete_name_or_label,
        ),
    ],
    label: Label,
    expected: Expected = None,
    yes: Yes = False,
    *,
    order: Order,
) -> None:
    """Point a label at versions of prompts, in one commit.

    A label whose name says that others rely on it (production, prod, live, stable, also as a part
    such as eu-production) is moved only after a question; without a terminal add --yes.
    """
    with opened(context) as store:
        table = _labels(store, "set", names, label)
        selections = _select_all(store, names)
        steps = [_step(store, table, label, *pair) for pair in selections.items()]
        near = near_matches(label, table.targets)
        if label not in table.targets and near:  # maybe a typo
            print_error(f"note: {label!r} is a new label; there is {' and '.join(map(repr, near))}")
        if not order.dry_run:
            expecting = _seen(steps, yes=yes) | expect_all(selections, expected)
            # The commits that were shown are the ones that are set, whatever happens meanwhile.
            wanted = {step.name: step.after.commit for step in steps if step.after}
            store.set_labels(label, wanted, expected=expecting, **order.attribution)
        _show(store, steps, order)


@label_app.command("remove")
@takes_order
def remove_label(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(help="The prompts.", metavar="NAME", autocompletion=_complete_name_or_label),
    ],
    label: Label,
    expected: Expected = None,
    yes: Yes = False,
    *,
    order: Order,
) -> None:
    """Take a label off prompts, in one commit.

    Asks as `promptstore label set` does.
    """
    with opened(context) as store:
        table = _labels(store, "remove", names, label)
        steps = [_Step(label, name, table.find(label, name), None) for name in dict.fromkeys(names)]
        if not order.dry_run:
            expecting = _seen(steps, yes=yes) | expect_all(names, expected)
            store.remove_labels(label, names, expected=expecting, **order.attribution)
        _show(store, steps, order)


@label_app.command("rollback")
@takes_order
def rollback_label(
    context: typer.Context, name: NameOnly, label: Label, yes: Yes = False, *, order: Order
) -> None:
    """Point a label back at the version before its last move.

    Asks as `promptstore label set` does.
    """
    with opened(context) as store:
        now = _labels(store, "rollback", [name], label).find(label, name)
        before = next((move.before for move in store.label_history(label, name)), None)
        if before is None:
            store.rollback_label(name, label)  # raises what says why it cannot go back
            return
        steps = [_Step(label, name, now, before)]
        if not order.dry_run:
            _seen(steps, yes=yes)
            store.rollback_label(name, label, **order.attribution)
        _show(store, steps, order)


@label_app.command("list")
def list_labels(
    context: typer.Context, label: OptionalLabel = None, at: At = None, as_json: AsJson = False
) -> None:
    """List where the labels point, or where they pointed at a time.

    Each with its label, prompt, version and the commit that it was set at. A broken file of a
    label hides no other: it is reported on stderr, and the exit code is 1.
    """
    with opened(context) as store:
        then = parse_time(at) if at else None
        table = store.labels(then)
        there_are_none = no_labels(store, then)
    labels = sorted(table.targets) if label is None else [label]
    rows = [
        {"label": key, "name": name, **target._asdict()}
        for key in labels
        for name, target in sorted(table.of_label(key).items())
    ]
    cells = [(row["label"], row["name"], str(row["version"]), row["commit"][:7]) for row in rows]
    print_listing(rows, ("LABEL", "NAME", "VERSION", "COMMIT"), cells, as_json=as_json)
    if not rows and not table.broken:
        print_error(there_are_none)
    for error in table.broken.values() if label is None else ():
        print_error(f"error: {error}")
    if label is None and table.broken:
        raise typer.Exit(1)


@label_app.command("log")
def log_labels(
    context: typer.Context,
    label: OptionalLabel = None,
    name: Annotated[
        str | None, typer.Option(help="Only moves for this prompt.", autocompletion=complete_name)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List who moved which label where, newest first.

    Each with its time, label, prompt, version before and after, commit, author and subject.
    """
    with opened(context) as store:
        moves = store.label_history(label, name)
        if not moves:
            _refuse_unknown(store, label, name)
    heads = ("TIME", "LABEL", "NAME", "FROM", "TO", "COMMIT", "AUTHOR", "SUBJECT")
    print_listing([*map(_move_row, moves)], heads, [*map(_move_cells, moves)], as_json=as_json)
    if not moves:
        print_error("no label like that was ever moved")


def _labels(store: PromptStore, command: str, names: Sequence[str], label: str) -> LabelTable:
    """Return all labels; a label that stands before its prompts is refused, or that is none."""
    first, *others = names
    table, prompts = store.labels(), store.snapshot().names()
    is_last_a_prompt = label.partition("@")[0] in prompts and label not in table.targets
    if is_last_a_prompt and is_label(first) and first not in prompts:
        words = shlex.join([*others, label, first])
        raise InvalidArgumentError(
            message=f"the label comes last: `promptstore label {command} {words}`"
        )
    check_label(label)
    return table


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
    return _Step(label, name, before, Target(prompt.version, prompt.snapshot_commit))


def _seen(steps: Sequence[_Step], *, yes: bool) -> dict[str, int]:
    """Ask before a protected label is moved, and return the versions that were seen then."""
    moved = [step for step in steps if step.before and step.changes]
    if not moved or not is_protected(moved[0].label):
        return {}
    confirm(f"Move {', '.join(map(str, moved))}?", yes=yes)
    return {step.name: step.before.version for step in moved if step.before}


def _show(store: PromptStore, steps: Sequence[_Step], order: Order) -> None:
    """Print the steps that were written, or what they would change."""
    shown = [(step, {"diff": _diff(store, step)} if order.dry_run else {}) for step in steps]
    if order.as_json:
        print_json([step.as_json() | more for step, more in shown])
        return
    for step, more in shown:
        print_lines(str(step))
        if more.get("diff"):
            print_diff(more["diff"])


def _diff(store: PromptStore, step: _Step) -> str:
    before, after = (
        store.snapshot(target.commit).find(step.name) if target else None
        for target in (step.before, step.after)
    )
    return diff_files(before, after)


def _move_row(move: LabelMove) -> dict[str, Any]:
    keys = ("label", "name", "commit", "author", "moved_at", "message")
    return {key: getattr(move, key) for key in keys} | _ends(move)


def _ends(move: _Step | LabelMove) -> dict[str, Any]:
    ends = {"before": move.before, "after": move.after}
    return {key: target and target._asdict() for key, target in ends.items()}


def _move_cells(move: LabelMove) -> tuple[str, ...]:
    ends = (str(target.version) if target else "-" for target in (move.before, move.after))
    subject = move.message.partition("\n")[0]
    what = (short_time(move.moved_at), move.label, move.name)
    return (*what, *ends, move.commit[:7], move.author, subject)


def _refuse_unknown(store: PromptStore, label: str | None, name: str | None) -> None:
    """Refuse a label or a prompt that there never was, with what was probably meant."""
    if label is not None and not store.label_history(label):
        raise LabelNotFoundError(label=label, near=sorted(store.labels().targets))
    snapshot = store.snapshot()
    if name is not None and name not in snapshot.names():
        raise snapshot.not_found(name)
