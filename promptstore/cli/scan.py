"""``promptstore scan``: prompts that are written in source code.

With ``--json`` an array with an object for each place: `path`, `line`, `name` (of the proposed
prompt, or null), `call` (what to write there instead), `note` and `file` (the proposed file's text,
or null).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from promptstore.cli.app import AsJson, opened
from promptstore.cli.output import print_json, print_lines
from promptstore.errors import InvalidArgumentError
from promptstore.interchange.importing import plan_import, write_import
from promptstore.interchange.scan import Proposal
from promptstore.interchange.scan import scan as find_prompts
from promptstore.promptfile.writer import dumps


def scan(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file or folder of Python or TypeScript.")],
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
    names = {one.imported.name for one in found if one.imported}
    for name in only or ():
        if name not in names:
            raise InvalidArgumentError(message=f"--name: nothing of the name {name!r} was found")
    if write:
        chosen = [
            one.imported
            for one in found
            if one.imported and (not only or one.imported.name in only)
        ]
        with opened(context, write=True) as store:
            plan = plan_import(store, chosen)
            done = write_import(store, plan, source="source code")
    if as_json:
        print_json([_row(one) for one in found])
        return
    for one in found:
        name = one.imported.name if one.imported else "-"
        print_lines(f"{one.path}:{one.line}: {name}")
        print_lines(
            f"    write there: {one.call}" + (f"\n    look at: {one.note}" if one.note else "")
        )
        if one.imported and not write:
            print_lines(
                "".join(f"    | {line}\n" for line in dumps(one.imported.prompt).splitlines())
            )
    if write:
        for refused in plan.refused:
            print_lines(f"{refused.source}: {refused.reason}")
        print_lines(f"{len(done.prompts)} written, {len(plan.unchanged)} unchanged")
    else:
        print_lines(f"{len(found)} found; --write commits the prompts")


def _row(one: Proposal) -> dict[str, Any]:
    return {
        "path": one.path, "line": one.line, "name": one.imported.name if one.imported else None,
        "call": one.call, "note": one.note,
        "file": dumps(one.imported.prompt) if one.imported else None,
    }  # fmt: skip
