"""Prompts of other tools and of source code: ``promptstore import``, ``export`` and ``scan``.

With ``--json`` an array with an object for each prompt. `import`: `result` (``imported``,
``unchanged`` or ``refused``), `name`, `format`, `source`, `versions` (how many are new), `labels`,
`losses` (each thing that did not come along) and `reason` (why it is refused). `export`: `name`,
`path` (of the file that was written, or null), `losses` and `reason`. `scan`: `path`, `line`,
`name` (of the proposed prompt, or null), `call` (what to write there instead), `note` and `file`
(the proposed file's text, or null).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer

from promptstore.cli.app import AsJson, complete_name, opened
from promptstore.cli.inputs import get_selected, read_input, write_back
from promptstore.cli.output import print_error, print_file, print_json, print_lines, print_table
from promptstore.cli.writing import Order, takes_order
from promptstore.errors import ExportRefusedError, InvalidArgumentError
from promptstore.interchange.exported import Exported
from promptstore.interchange.exporting import EXPORT_FORMATS, export_from, export_history
from promptstore.interchange.imported import NOT_TRANSLATED, Imported, Refused
from promptstore.interchange.importing import (
    Plan,
    plan_import,
    with_prefix,
    without_trailing_spaces,
    write_import,
)
from promptstore.interchange.recognition import FORMATS, read_bytes, read_path, unique
from promptstore.interchange.scan import Proposal
from promptstore.interchange.scan import scan as find_prompts
from promptstore.promptfile.writer import dumps

Strict = Annotated[
    bool, typer.Option("--strict", help="Write nothing and exit 1 where anything would be lost.")
]


@takes_order
def import_(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files or folders, - for stdin, or the address of a Langfuse server, whose keys "
            "are in LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.",
            metavar="SOURCE",
        ),
    ],
    from_: Annotated[
        str | None,
        typer.Option("--from", help=f"The format: {', '.join(FORMATS)}.", metavar="FORMAT"),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="A folder to put before the names.", metavar="NAME")
    ] = "",
    strict: Strict = False,
    replace_: Annotated[
        bool,
        typer.Option("--replace", help="Give prompts that were written here a new version, too."),
    ] = False,
    strip_trailing_spaces: Annotated[
        bool,
        typer.Option("--strip-trailing-spaces", help="Take the spaces at the ends of lines away."),
    ] = False,
    *,
    order: Order,
) -> None:
    """Import prompts of other tools.

    The format is recognised by the name and the content. Foreign templates are translated where
    the result renders the same, else kept as source with `template: none`. Versions become commits
    with their authors, times and messages; labels become labels. A second import brings only what
    is new. No code, file or environment variable that a source names is ever followed.
    """
    found = [one for source in sources for one in _read(source, from_)]
    found = unique(with_prefix(unique(found), prefix))
    if strip_trailing_spaces:
        found = [
            without_trailing_spaces(one) if isinstance(one, Imported) else one for one in found
        ]
    with opened(context, write=True) as store:
        plan = plan_import(store, found, replace=replace_)
        is_refused = strict and bool(plan.refused or any(one.losses for one in _taken(plan)))
        writes = not (order.dry_run or is_refused)
        if writes:
            title = " and ".join(sorted({one.format for one in _taken(plan)})) or sources[0]
            write_import(store, plan, source=title, attribution=order.attribution)
    _show(plan, as_json=order.as_json, writes=writes)
    if not found:
        print_error("nothing to import was found; `promptstore import FILE` says why of one file")
    if is_refused or (plan.refused and not plan.new and not plan.unchanged):
        raise typer.Exit(1)


def _read(source: str, form: str | None) -> Sequence[Imported | Refused]:
    if source.startswith(("https://", "http://")):
        if form not in (None, "langfuse"):
            raise InvalidArgumentError(message=f"{source}: only Langfuse's API is read by address")
        from promptstore.interchange.langfuse import fetch_langfuse  # few need a client

        return fetch_langfuse(source)
    if source == "-":
        return read_bytes("stdin", read_input("-"), form)
    return read_path(Path(source), form)


def _taken(plan: Plan) -> list[Imported]:
    return [*(one for one, _ in plan.new), *plan.unchanged]


def _show(plan: Plan, *, as_json: bool, writes: bool) -> None:
    for one in _taken(plan):
        for loss in one.losses:
            if loss.startswith(NOT_TRANSLATED):
                print_error(f"warning: {one.name}: {loss}")
    rows = _plan_rows(plan)
    if as_json:
        print_json(rows)
        return
    cells = [
        (
            "with losses" if row["losses"] and row["result"] == "imported" else row["result"],
            row["name"] or "",
            row["format"],
            row["source"],
            row["reason"] or "; ".join(row["losses"]),
        )
        for row in rows
    ]
    print_table(("RESULT", "NAME", "FORMAT", "SOURCE", "LOST, OR WHY REFUSED"), cells)
    done = "imported" if writes else "would be imported"
    counts = f"{len(plan.new)} {done}, {len(plan.unchanged)} unchanged, {len(plan.refused)} refused"
    print_lines(counts if writes else f"{counts}; nothing was written")


def _plan_rows(plan: Plan) -> list[dict[str, Any]]:
    taken = [("imported", one, len(versions)) for one, versions in plan.new]
    taken += [("unchanged", one, 0) for one in plan.unchanged]
    rows: list[dict[str, Any]] = [
        {
            "result": result, "name": one.name, "format": one.format, "source": one.source,
            "versions": count,
            "labels": sorted({label for version in one.versions for label in version.labels}),
            "losses": list(one.losses), "reason": None,
        }
        for result, one, count in taken
    ]  # fmt: skip
    rows += [
        {
            "result": "refused", "name": None, "format": "", "source": one.source, "versions": 0,
            "labels": [], "losses": [], "reason": one.reason,
        }
        for one in plan.refused
    ]  # fmt: skip
    return rows


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
        bool, typer.Option("--history", help="All versions, for langfuse, which knows them.")
    ] = False,
    strict: Strict = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export prompts as files of other tools.

    What cannot be said in the other format is reported on stderr. A prompt that would mean
    something else there, such as one with logic in a format without any, is refused.
    """
    with opened(context) as store:
        if output is not None and output.is_file():
            raise InvalidArgumentError(message=f"--output: {output} is a file; name a folder")
        chosen = names or [prompt.name or "" for prompt in store.list()]
        if not chosen:
            raise InvalidArgumentError(message=f"there is no prompt in {store.snapshot().place}")
        prompts = [get_selected(store, text) for text in chosen]
        if output is None and len(prompts) != 1 and not as_json:
            raise InvalidArgumentError(message="several prompts need --output FOLDER")
        rows: list[dict[str, Any]] = []
        made: list[tuple[dict[str, Any], Exported]] = []
        for prompt in prompts:
            row: dict[str, Any] = {"name": prompt.name, "path": None, "losses": [], "reason": None}
            rows.append(row)
            try:
                found = (
                    export_history(store, prompt.name or "", to)
                    if history
                    else export_from(store, prompt, to)
                )
            except ExportRefusedError as error:
                row["reason"] = str(error)
                print_error(f"refused: {error}")
                continue
            made.append((row, found))
            row["losses"] = [*found.losses]
            for loss in found.losses:
                print_error(f"warning: {prompt.name}: {loss}")
    is_refused = len(made) < len(rows)
    stops = strict and (is_refused or any(row["losses"] for row in rows))
    if output is not None and not stops:
        _write([found for _, found in made], output, force=force)
        for row, found in made:
            row["path"] = (output / found.path).as_posix()
    if as_json:
        print_json(rows)
    elif output is None and made and not stops:
        print_file(made[0][1].data)
    else:
        for row in rows:
            if row["path"]:
                print_lines(f"{row['name']}: {row['path']}")
    if stops or is_refused:
        raise typer.Exit(1)


def _write(found: Sequence[Exported], output: Path, *, force: bool) -> None:
    for one in found:
        path = output / one.path
        if not force and path.exists() and path.read_bytes() != one.data:
            raise InvalidArgumentError(
                message=f"{path} is there and differs; --force overwrites it"
            )
    for one in found:
        write_back(output / one.path, one.data)


def scan(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="A file or folder of Python or TypeScript.", metavar="PATH")
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Commit the proposed prompts; the code stays as it is.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--name", help="Write only this prompt of those found.", metavar="NAME"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find prompts in source code, and propose a file for each.

    Looks for long strings given as `messages`, `system`, `instructions` or `prompt`, for constants
    of such names, and for the ids of OpenAI's prompt objects. No code is run or changed: the
    report says what to write in its place.
    """
    found = find_prompts(path)
    proposed = {one.imported.name for one in found if one.imported}
    for name in only or ():
        if name not in proposed:
            raise InvalidArgumentError(message=f"--name: nothing of the name {name!r} was found")
    if write:
        chosen = [one.imported for one in found if one.imported]
        with opened(context, write=True) as store:
            plan = plan_import(store, [one for one in chosen if not only or one.name in only])
            done = write_import(store, plan, source="source code")
    if as_json:
        print_json([_proposal_row(one) for one in found])
        return
    for one in found:
        print_lines(f"{one.path}:{one.line}: {one.imported.name if one.imported else '-'}")
        print_lines(f"    write there: {one.call}")
        if one.note:
            print_lines(f"    look at: {one.note}")
        if one.imported and not write:
            print_lines(indent(dumps(one.imported.prompt), "    | ", lambda _line: True))
    if write:
        for refused in plan.refused:
            print_lines(f"{refused.source}: {refused.reason}")
        print_lines(f"{len(done)} written, {len(plan.unchanged)} unchanged")
    else:
        print_lines(f"{len(found)} found{'; --write commits the prompts' if proposed else ''}")


def _proposal_row(one: Proposal) -> dict[str, Any]:
    name = one.imported.name if one.imported else None
    file = dumps(one.imported.prompt) if one.imported else None
    return {
        "path": one.path, "line": one.line, "name": name,
        "call": one.call, "note": one.note, "file": file,
    }  # fmt: skip
