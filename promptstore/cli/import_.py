"""``promptstore import``: prompts of other tools become files and commits.

With ``--json`` an array with an object for each prompt: `result` (``imported``, ``unchanged`` or
``refused``), `name`, `format`, `source`, `versions` (how many are new), `labels`, `losses` (each
thing that did not come along) and `reason` (why it is refused).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from promptstore.cli.app import opened
from promptstore.cli.inputs import read_input
from promptstore.cli.output import print_error, print_json, print_lines, print_table
from promptstore.cli.writing import Order, takes_order
from promptstore.errors import InvalidArgumentError
from promptstore.interchange.imported import (
    NOT_TRANSLATED,
    Imported,
    Refused,
    with_prefix,
    without_trailing_spaces,
)
from promptstore.interchange.importing import Plan, plan_import, write_import
from promptstore.interchange.recognition import FORMATS, read_bytes, read_path, unique


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
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Write nothing and exit 1 where anything would be lost."),
    ] = False,
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
        is_refused = strict and _has_loss(plan)
        if not (order.dry_run or is_refused):
            title = _title(plan, sources)
            write_import(store, plan, source=title, attribution=order.attribution)
    _show(plan, as_json=order.as_json, writes=not (order.dry_run or is_refused))
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


def _title(plan: Plan, sources: Sequence[str]) -> str:
    formats = {one.format for one, _ in plan.new} | {one.format for one in plan.unchanged}
    return " and ".join(sorted(formats)) or sources[0]


def _has_loss(plan: Plan) -> bool:
    return bool(plan.refused) or any(one.losses for one in _taken(plan))


def _taken(plan: Plan) -> Iterable[Imported]:
    yield from (one for one, _ in plan.new)
    yield from plan.unchanged


def _show(plan: Plan, *, as_json: bool, writes: bool) -> None:
    for one in _taken(plan):
        for loss in one.losses:
            if loss.startswith(NOT_TRANSLATED):
                print_error(f"warning: {one.name}: {loss}")
    if as_json:
        print_json(_rows(plan))
        return
    cells = []
    for row in _rows(plan):
        what = row["reason"] or "; ".join(row["losses"])
        result = row["result"]
        if result == "imported":
            result = "with losses" if row["losses"] else "imported"
        cells.append((result, row["name"] or "", row["format"], row["source"], what))
    print_table(("RESULT", "NAME", "FORMAT", "SOURCE", "LOST, OR WHY REFUSED"), cells)
    done = "imported" if writes else "would be imported"
    counts = f"{len(plan.new)} {done}, {len(plan.unchanged)} unchanged, {len(plan.refused)} refused"
    print_lines(counts if writes else f"{counts}; nothing was written")


def _rows(plan: Plan) -> list[dict[str, Any]]:
    rows = [_row("imported", one, len(versions)) for one, versions in plan.new]
    rows += [_row("unchanged", one, 0) for one in plan.unchanged]
    rows += [
        {
            "result": "refused", "name": None, "format": "", "source": one.source, "versions": 0,
            "labels": [], "losses": [], "reason": one.reason,
        }
        for one in plan.refused
    ]  # fmt: skip
    return rows


def _row(result: str, one: Imported, count: int) -> dict[str, Any]:
    labels = sorted({label for version in one.versions for label in version.labels})
    return {
        "result": result, "name": one.name, "format": one.format, "source": one.source,
        "versions": count, "labels": labels, "losses": list(one.losses), "reason": None,
    }  # fmt: skip
