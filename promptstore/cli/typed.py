"""``promptstore schema`` and ``promptstore stubs``: what editors and type checkers read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.files import write_back
from promptstore.cli.opening import opened
from promptstore.cli.output import print_error, print_exactly, print_json
from promptstore.errors import InvalidArgumentError
from promptstore.interchange.stubs import write_stubs
from promptstore.model.fileschema import file_schema


def schema() -> None:
    """Print the JSON Schema of a prompt file.

    An editor with the YAML language server reads it where a prompt begins with
    `# yaml-language-server: $schema=prompt.schema.json`.
    """
    print_json(file_schema())


def stubs(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; stdout when left out."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when the file is stale.")
    ] = False,
) -> None:
    """Write a typed module of the prompts, so that mypy and pyright find a wrong call."""
    if check and output is None:
        raise InvalidArgumentError(message="--check needs --output FILE to compare with")
    with opened(context) as store:
        reads_files = store.branch is None and store.has_files
        snapshot = store.working_snapshot() if reads_files else store.snapshot()
        text = write_stubs(snapshot)
    if output is None:
        print_exactly(text)
    elif not check:
        write_back(output, text.encode())
    elif not output.exists() or output.read_bytes() != text.encode():
        print_error(f"{output} is stale; write it again: promptstore stubs -o {output}")
        raise typer.Exit(1)
