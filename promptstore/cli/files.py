"""The commands that write files: ``promptstore format``, ``schema`` and ``stubs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.app import opened
from promptstore.cli.inputs import Named, write_back
from promptstore.cli.output import print_error, print_exactly, print_json, print_lines
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.interchange.stubs import write_stubs
from promptstore.model.fileschema import file_schema
from promptstore.promptfile.formatter import format_file


def format_files(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Only these files and folders; all prompts when left out.", metavar="PATH"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when a file would change.")
    ] = False,
) -> None:
    """Write every prompt file in canonical form.

    Keys get one order and values one style; comments and meaning stay. A broken file is reported
    and left alone.
    """
    named = Named(paths) if paths else None
    with opened(context) as store:
        if not store.has_files:
            raise InvalidArgumentError(
                message="format needs files on disk to write: run it in a clone that has files"
            )
        snapshot = store.working_snapshot()
        files = [snapshot.file(name) for name in snapshot.names()]
        top = store.path
    changed = broken = 0
    for file in files:
        if named is not None and top / file.path not in named:
            continue
        data = file.read()
        try:
            formatted = format_file(data, file.path)
        except PromptFileError as error:
            broken += 1
            print_error(f"error: {error}")
            continue
        if formatted != data:
            changed += 1
            print_lines(f"{'would change' if check else 'changed'} {file.path}")
            if not check:
                write_back(top / file.path, formatted)
    if broken or (check and changed):
        raise typer.Exit(1)


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
    """Write a typed module of the prompts for mypy and pyright."""
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
