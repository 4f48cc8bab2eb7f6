"""``promptstore show``: one prompt, as it is.

With ``--json`` one object: the keys of `promptstore.cli.output.identity`, `includes` (the names of
all included prompts) and `content` (what the file says, keys at their default left out).
"""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.opening import Worktree, complete_name
from promptstore.cli.showing import show_as_json, show_prompt, show_source
from promptstore.cli.times import At, parse_time

Name = Annotated[
    str,
    typer.Argument(
        help="NAME, NAME@3 (version), NAME@production (label) or NAME@main~2 (rev).",
        metavar="NAME[@SEL]",
        autocompletion=complete_name,
    ),
]


def show(
    context: typer.Context,
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Print the file as it is.")] = False,
    worktree: Worktree = False,
    at: At = None,
) -> None:
    """Show one prompt, be it deleted or not.

    What it is, its variables and its texts. With --at as it was then: NAME@production is what the
    label pointed at.
    """
    shown = show_source if source else show_as_json if as_json else show_prompt
    shown(context.obj, name, worktree=worktree, at=parse_time(at) if at else None)
