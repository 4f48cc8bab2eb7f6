"""``promptstore export``: prompts as files of other tools.

With ``--json`` an array with an object for each prompt: `name`, `path` (of the file that was
written, or null), `losses` (each thing that cannot be said there) and `reason` (why it is refused).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptstore.cli.app import AsJson, complete_name, opened
from promptstore.cli.inputs import write_back
from promptstore.cli.output import print_error, print_file, print_json, print_lines
from promptstore.cli.selection import select
from promptstore.errors import ExportRefusedError, InvalidArgumentError
from promptstore.interchange.exporting import EXPORT_FORMATS, export_history
from promptstore.interchange.sources import export_from
from promptstore.interchange.writers.texts import Exported
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore


def export(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME, NAME@3 (version), NAME@production (label) or NAME@main~2 (rev); all "
            "prompts when left out.",
            autocompletion=complete_name,
            metavar="NAME[@VERSION]",
        ),
    ] = None,
    to: Annotated[
        str,
        typer.Option("--to", help=f"The format: {', '.join(EXPORT_FORMATS)}.", metavar="FORMAT"),
    ] = ...,  # type: ignore[assignment]
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder to write; stdout for one prompt."),
    ] = None,
    history: Annotated[
        bool,
        typer.Option("--history", help="All versions, for langfuse, which knows them."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Write nothing and exit 1 where anything would be lost."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export prompts as files of other tools.

    What cannot be said in the other format is reported on stderr. A prompt that would mean
    something else there, such as one with logic in a format without any, is refused.
    """
    with opened(context) as store:
        prompts = [_get(store, text) for text in names or store.names()]
        if output is None and len(prompts) != 1 and not as_json:
            raise InvalidArgumentError(message="several prompts need --output FOLDER")
        made = [(prompt, _export(store, prompt, to, history=history)) for prompt in prompts]
    rows = [_row(prompt, found, output) for prompt, found in made]
    for row in rows:
        for loss in row["losses"]:
            print_error(f"warning: {row['name']}: {loss}")
        if row["reason"]:
            print_error(f"refused: {row['reason']}")
    stops = strict and any(row["losses"] or row["reason"] for row in rows)
    if not stops:
        _write([found for _, found in made if isinstance(found, Exported)], output, force=force,
               prints=not as_json)  # fmt: skip
    if as_json:
        print_json(rows)
    elif output is not None and not stops:
        for row in rows:
            if row["path"]:
                print_lines(f"{row['name']}: {row['path']}")
    if stops or any(row["reason"] for row in rows):
        raise typer.Exit(1)


def _get(store: PromptStore, text: str) -> Prompt:
    name, selection = select(store, text)
    return store.get(name, **selection)


def _export(
    store: PromptStore, prompt: Prompt, form: str, *, history: bool
) -> Exported | ExportRefusedError:
    try:
        if history:
            return export_history(store, prompt.name or "", form)
        return export_from(store, prompt, form)
    except ExportRefusedError as error:
        return error


def _row(
    prompt: Prompt, found: Exported | ExportRefusedError, output: Path | None
) -> dict[str, Any]:
    if isinstance(found, ExportRefusedError):
        return {"name": prompt.name, "path": None, "losses": [], "reason": str(found)}
    path = None if output is None else (output / found.path).as_posix()
    return {"name": prompt.name, "path": path, "losses": [*found.losses], "reason": None}


def _write(found: list[Exported], output: Path | None, *, force: bool, prints: bool) -> None:
    if output is None:
        if prints and found:
            print_file(found[0].data)
        return
    for one in found:
        path = output / one.path
        if not force and path.exists() and path.read_bytes() != one.data:
            raise InvalidArgumentError(
                message=f"{path} is there and differs; --force overwrites it"
            )
    for one in found:
        write_back(output / one.path, one.data)
