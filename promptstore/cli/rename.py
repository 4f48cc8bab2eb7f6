"""``promptstore rename``: a prompt gets another name.

With ``--json`` one array with an object for the prompt: what `promptstore.cli.writing` says.
"""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.opening import complete_name, opened_to_write
from promptstore.cli.writing import (
    AsJson,
    Author,
    ExpectedVersion,
    Force,
    Message,
    Trailers,
    print_written,
    read_attribution,
    refuse_uncommitted,
)


def rename(
    context: typer.Context,
    old: Annotated[
        str, typer.Argument(help="The prompt.", metavar="OLD", autocompletion=complete_name)
    ],
    new: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW")],
    expected_version: ExpectedVersion = None,
    message: Message = None,
    author: Author = None,
    trailer: Trailers = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Give a prompt another name, in one commit.

    The old name says from then on where the prompt went. Labels that point at the newest version
    come along; those that point at an older one are named and stay.
    """
    attribution = read_attribution(message, author, trailer)
    with opened_to_write(context) as (store, base):
        refuse_uncommitted(store, base, old)
        prompt = store.rename(
            old, new, expected_version=expected_version, force=force, **attribution
        )
        print_written(store, [prompt], as_json=as_json)
