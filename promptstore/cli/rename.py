"""``promptstore rename``: a prompt gets another name.

With ``--json`` what `promptstore.cli.writing` says.
"""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.opening import complete_name, opened_to_write
from promptstore.cli.writing import (
    ExpectedVersion,
    Order,
    print_written,
    refuse_uncommitted,
    show_changes,
    takes_order,
)
from promptstore.store.edits import rename_edits


@takes_order
def rename(
    context: typer.Context,
    old: Annotated[
        str, typer.Argument(help="The prompt.", metavar="OLD", autocompletion=complete_name)
    ],
    new: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW")],
    expected_version: ExpectedVersion = None,
    *,
    order: Order,
) -> None:
    """Give a prompt another name, in one commit.

    The old name says from then on where the prompt went. Labels that point at the newest version
    come along; those that point at an older one are named and stay.
    """
    with opened_to_write(context) as (store, base):
        refuse_uncommitted(store, base, old)
        if order.dry_run:
            edits = rename_edits(base, old, new)
            show_changes(base, store.draft(edits), edits, as_json=order.as_json)
            return
        prompt = store.rename(
            old, new, expected_version=expected_version, force=order.force, **order.attribution
        )
        print_written(store, [prompt], as_json=order.as_json)
