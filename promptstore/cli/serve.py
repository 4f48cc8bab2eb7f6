"""``promptstore serve``: the HTTP server."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.place import Place
from promptstore.errors import MissingExtraError

Projects = Annotated[
    Path | None,
    typer.Option(
        "--projects", help="A YAML file of several projects, instead of -C.", metavar="FILE"
    ),
]


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    projects: Projects = None,
    public_url: Annotated[
        str | None,
        typer.Option(help="The URL that clients use, where a proxy stands before.", metavar="URL"),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Ask nobody for a key; on this machine only.")
    ] = False,
) -> None:
    """Serve PostHog's prompt API over this repository."""
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise MissingExtraError(extra="server", purpose="The server")
    from promptstore.server.serving import serve as serve_settings
    from promptstore.server.settings import read_settings, single_project

    place: Place = context.obj
    settings = (
        read_settings(projects)
        if projects is not None
        else single_project(place.repo, place.root, place.branch, public_url)
    )
    serve_settings(settings, host=host, port=port, no_auth=no_auth)
