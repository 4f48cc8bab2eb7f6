"""``promptstore format``: every file in canonical form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.files import Named, write_back
from promptstore.cli.opening import opened
from promptstore.cli.output import print_error, print_lines
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.promptfile.formatter import format_file


def format_files(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Only these files and folders; all prompts when left out.", metavar="[PATH]..."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when a file would change.")
    ] = False,
) -> None:
    """Write every prompt file in canonical form.

    Keys get one order and values one style; comments and meaning stay. A broken file is told and
    left alone.
    """
    named = Named(paths) if paths else None
    with opened(context) as store:
        if not store.has_files:
            raise InvalidArgumentError(message="format needs files on disk to write")
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
