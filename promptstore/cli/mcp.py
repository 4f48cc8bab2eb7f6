"""``promptstore mcp``: the Model Context Protocol over standard input and output."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from promptstore.cli.app import opened
from promptstore.errors import MissingExtraError


def mcp(
    context: typer.Context,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Let nobody propose changes.")
    ] = False,
) -> None:
    """Serve the prompts to an agent that starts this command.

    It speaks the Model Context Protocol over standard input and output.
    """
    if find_spec("mcp") is None:
        raise MissingExtraError(extra="mcp", purpose="The Model Context Protocol")
    from promptstore.mcp.access import Access
    from promptstore.mcp.server import serve_stdio

    with opened(context) as store:
        serve_stdio(Access(store, may_write=not read_only))
