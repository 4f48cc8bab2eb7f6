"""``promptstore delete``: the tombstone of prompts.

With ``--json`` what `promptstore.cli.writing` says.
"""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.opening import complete_name, opened_to_write
from promptstore.cli.writing import (
    ExpectedVersion,
    Order,
    Yes,
    carry_out,
    changes,
    confirm,
    expect_all,
    new_problems,
    refuse,
    takes_order,
    warn,
)
from promptstore.store.edits import Deletion


@takes_order
def delete(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(help="The prompts.", metavar="NAME...", autocompletion=complete_name),
    ],
    reason: Annotated[
        str | None, typer.Option(help="Why, for people who ask for it later.", metavar="TEXT")
    ] = None,
    replaced_by: Annotated[
        str | None,
        typer.Option(
            help="The prompt to use instead.", metavar="NAME", autocompletion=complete_name
        ),
    ] = None,
    expected_version: ExpectedVersion = None,
    yes: Yes = False,
    *,
    order: Order,
) -> None:
    """Delete prompts, in one commit.

    The texts stay in their files and in history, and `promptstore restore` brings them back. On a
    terminal you are asked first; elsewhere add --yes.
    """
    edits = dict.fromkeys(names, Deletion(reason, replaced_by))
    with opened_to_write(context) as (store, base):
        after = store.draft(edits)
        problems = new_problems(store, base, after, edits)
        refuse([found for found in problems if found.name in edits and not order.force])
        warn(found for found in problems if found.name not in edits or order.force)
        changed = changes(base, after, edits)
        if changed and not order.dry_run:
            confirm(f"Delete {', '.join(changed)}?", yes=yes)
        carry_out(store, base, after, edits, expect_all(edits, expected_version), order)
