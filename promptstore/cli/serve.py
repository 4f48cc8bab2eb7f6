"""``promptstore serve``: the HTTP server."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptstore.cli.app import Place
from promptstore.errors import InvalidArgumentError, MissingExtraError
from promptstore.store.store import DEFAULT_ROOT

if TYPE_CHECKING:
    from promptstore.server.settings import Settings

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
    model_url: Annotated[
        str | None,
        typer.Option(
            help="The base URL of a language model that speaks OpenAI's API; its key is in "
            "PROMPTSTORE_MODEL_KEY.",
            metavar="URL",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model's name, if not that in the prompt's config.", metavar="NAME"),
    ] = None,
    logs: Annotated[
        str | None,
        typer.Option(
            help="Where log entries are kept: a folder, or clickhouse://USER@HOST/DATABASE.",
            metavar="PLACE",
        ),
    ] = None,
    logs_retention: Annotated[
        int, typer.Option(help="For how many days entries are kept.", min=1, max=3650)
    ] = 15,
    fetch_interval: Annotated[
        float | None,
        typer.Option(
            help="Serve the remote's branch, fetched every so many seconds; then nothing is "
            "written. A webhook at /hooks/fetch with the secret in PROMPTSTORE_HOOK_SECRET asks "
            "for a fetch at once.",
            metavar="SECONDS",
        ),
    ] = None,
    allow_direct: Annotated[
        bool,
        typer.Option(
            "--allow-direct",
            help="Let pages commit to the served branch; otherwise only to new branches.",
        ),
    ] = False,
) -> None:
    """Serve PostHog's prompt API, and pages for people."""
    if not all(map(find_spec, ("fastapi", "fastapi_swagger", "uvicorn"))):
        raise MissingExtraError(extra="server", purpose="The server")
    from promptstore.server.models import model_from_environment
    from promptstore.server.serving import serve as serve_settings

    if projects is not None and public_url is not None:
        raise InvalidArgumentError(
            message=f"--public-url is about one project; write `public_url` into {projects}"
        )
    if model is not None and model_url is None:
        raise InvalidArgumentError(message="--model names a model at a --model-url; give that too")
    asked = None if model_url is None else model_from_environment(model_url, model)
    if projects is not None and fetch_interval is not None:
        raise InvalidArgumentError(
            message=f"--fetch-interval is about one project; write `fetch_interval` into {projects}"
        )
    settings = chosen_settings(context.obj, projects, public_url, fetch_interval)
    serve_settings(
        settings,
        host=host,
        port=port,
        no_auth=no_auth,
        model=asked,
        logs=logs,
        retention=logs_retention,
        allow_direct=allow_direct,
    )


def chosen_settings(
    place: Place,
    projects: Path | None,
    public_url: str | None = None,
    fetch_interval: float | None = None,
) -> Settings:
    """Read the settings of a server from its file, or make those for one repository.

    Args:
        place: Where the repository is, unless there is a file.
        projects: The file of several projects, or None.
        public_url: The URL that clients use, or None.
        fetch_interval: How many seconds lie between two fetches, or None for none.
    """
    from promptstore.server.settings import read_settings, single_project

    if projects is None:
        return single_project(place.repo, place.root, place.branch, public_url, fetch_interval)
    if place != Place(Path(), DEFAULT_ROOT, None):
        raise InvalidArgumentError(
            message=f"--repo, --root and --branch are about one project; write them into {projects}"
        )
    return read_settings(projects)
