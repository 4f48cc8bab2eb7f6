"""``promptstore translate``: text in another language, by a server's model."""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.app import AsJson
from promptstore.cli.asking import DEFAULT_HOST, Host, OfProject, client_of
from promptstore.cli.output import print_json, print_lines


def translate(
    text: Annotated[str, typer.Argument(help="The text.")],
    to: Annotated[str, typer.Option(help="The language, such as fr.", metavar="CODE")] = "en",
    host: Host = DEFAULT_HOST,
    project: OfProject = "@current",
    as_json: AsJson = False,
) -> None:
    """Translate text by the model of a server."""
    with client_of(host, project) as client:
        found = client.translate(text, to)
    if as_json:
        print_json(found.model_dump())
    else:
        print_lines(found.translation)
