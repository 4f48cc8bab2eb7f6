"""The commands that serve: ``promptstore serve``, ``token`` (its keys) and ``mcp``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptstore.cli.app import AsJson, Place, opened
from promptstore.cli.output import print_error, print_json, print_listing
from promptstore.errors import InvalidArgumentError, MissingExtraError
from promptstore.server.tokens import SCOPES, Token, TokenFile

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
    from promptstore.server.asking import model_from_environment
    from promptstore.server.serving import serve as serve_settings

    if model is not None and model_url is None:
        raise InvalidArgumentError(message="--model names a model at a --model-url; give that too")
    asked = None if model_url is None else model_from_environment(model_url, model)
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
    for key, value in (("public_url", public_url), ("fetch_interval", fetch_interval)):
        if value is not None:
            option = key.replace("_", "-")
            raise InvalidArgumentError(
                message=f"--{option} is about one project; write `{key}` into {projects}"
            )
    if place != Place():
        raise InvalidArgumentError(
            message=f"--repo, --root and --branch are about one project; write them into {projects}"
        )
    return read_settings(projects)


token_app = typer.Typer(
    name="token", help="Make, list and revoke keys of the server.", no_args_is_help=True
)


@token_app.command("create")
def create(
    context: typer.Context,
    user: Annotated[
        str,
        typer.Option(help="Whose it is, as 'Name <email>': the author of what is written with it."),
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What it may do, again for more: {', '.join(SCOPES)}. "
            "By default it reads prompts."
        ),
    ] = None,
    project: Annotated[
        list[int] | None,
        typer.Option(help="A project that it may see, again for more; by default the first one."),
    ] = None,
    projects: Projects = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it.

    It is shown this once: only its hash is kept.
    """
    settings = chosen_settings(context.obj, projects)
    numbers = [one.id for one in settings.projects]
    unknown = sorted(set(project or ()) - set(numbers))
    if unknown:
        listed = ", ".join(map(str, numbers))
        raise InvalidArgumentError(message=f"there is no project {unknown[0]}; there are: {listed}")
    token, key = TokenFile(settings.tokens).create(
        user, scope or ["llm_prompt:read"], project or numbers[:1]
    )
    if as_json:
        print_json({"key": key, **token.model_dump(exclude={"digest"})})
        return
    typer.echo(key)
    print_error(f"token {token.id} for {token.user}; the key is not shown again")


@token_app.command("list")
def list_tokens(context: typer.Context, projects: Projects = None, as_json: AsJson = False) -> None:
    """List the tokens, without their keys.

    Each with its id, user, scopes, projects and time of creation.
    """
    tokens = _tokens(context, projects).tokens()
    rows = [token.model_dump(exclude={"digest"}) for token in tokens]
    heads = ("ID", "USER", "SCOPES", "PROJECTS", "CREATED")
    print_listing(rows, heads, [*map(_cells, tokens)], as_json=as_json)


@token_app.command("revoke")
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The id, as `list` shows it.", metavar="ID")],
    projects: Projects = None,
) -> None:
    """Revoke a token; its key is refused from the next request on."""
    gone = _tokens(context, projects).revoke(token)
    typer.echo(f"revoked token {gone.id} of {gone.user}")


def _tokens(context: typer.Context, projects: Path | None) -> TokenFile:
    return TokenFile(chosen_settings(context.obj, projects).tokens)


def _cells(token: Token) -> tuple[str, ...]:
    numbers = ", ".join(map(str, token.projects))
    return (token.id, token.user, ", ".join(token.scopes), numbers, token.created_at)


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
