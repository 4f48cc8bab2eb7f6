"""``promptstore restore``: a deleted prompt, or an old text of one, comes back.

With ``--json`` what `promptstore.cli.writing` says.
"""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.opening import complete_name, opened_to_write
from promptstore.cli.selection import Selected, select
from promptstore.cli.writing import (
    ExpectedVersion,
    Order,
    carry_out,
    expect_all,
    new_problems,
    takes_order,
    warn,
)
from promptstore.errors import InvalidArgumentError
from promptstore.store.edits import Restoration
from promptstore.store.store import PromptStore


@takes_order
def restore(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="NAME, NAME@3 (version) or NAME@production (label).",
            metavar="NAME[@SEL]",
            autocompletion=complete_name,
        ),
    ],
    version: Annotated[
        int | None, typer.Option(help="The version to bring back.", metavar="N", min=1)
    ] = None,
    expected_version: ExpectedVersion = None,
    *,
    order: Order,
) -> None:
    """Bring a deleted prompt back, or make an old version the newest one.

    This is an ordinary commit: nothing of the history is lost.
    """
    with opened_to_write(context) as (store, base):
        selected = select(store, name)
        edits = {selected.name: Restoration(_version(store, selected, version))}
        after = store.draft(edits)
        warn(new_problems(store, base, after, edits))
        carry_out(store, base, after, edits, expect_all(edits, expected_version), order)


def _version(store: PromptStore, selected: Selected, version: int | None) -> int | None:
    name, selection = selected
    if not selection:
        return version
    if version is not None:
        raise InvalidArgumentError(message=f"say --version or {name}@N, not both")
    if "label" in selection:
        return store.labels().find(selection["label"], name).version
    if "version" in selection:
        return selection["version"]
    raise InvalidArgumentError(
        message=f"restore takes a version or a label; `promptstore log {name}` lists the versions"
    )
