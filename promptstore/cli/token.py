"""``promptstore token``: the keys of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptstore.cli.output import print_error, print_json, print_table
from promptstore.cli.serve import Projects, chosen_settings
from promptstore.errors import InvalidArgumentError
from promptstore.server.tokens import SCOPES, Token, TokenFile

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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
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
        print_json({"key": key, **_shown(token)})
        return
    typer.echo(key)
    print_error(f"token {token.id} for {token.user}; the key is not shown again")


@token_app.command("list")
def list_tokens(
    context: typer.Context,
    projects: Projects = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tokens, without their keys.

    Each with its id, user, scopes, projects and time of creation.
    """
    tokens = _tokens(context, projects).tokens()
    if as_json:
        print_json([_shown(token) for token in tokens])
        return
    heads = ("ID", "USER", "SCOPES", "PROJECTS", "CREATED")
    print_table(heads, [_cells(token) for token in tokens])


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


def _shown(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": token.user,
        "scopes": list(token.scopes),
        "projects": list(token.projects),
        "created_at": token.created_at,
    }


def _cells(token: Token) -> tuple[str, ...]:
    numbers = ", ".join(map(str, token.projects))
    return (token.id, token.user, ", ".join(token.scopes), numbers, token.created_at)
