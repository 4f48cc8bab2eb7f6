"""``promptstore bundle``: one file that an application reads instead of a repository.

With ``--json`` `build` prints one object: `path`, `commit`, `branch`, `prompts` (how many),
`bytes` and `digest`. `verify`: one object, `path`, `commit`, `differences` (a sentence each) and
`is_newest` (whether the branch has no newer commit).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.app import AsJson, opened
from promptstore.cli.inputs import write_back
from promptstore.cli.output import counted, print_error, print_json, print_lines
from promptstore.errors import BundleError, InvalidArgumentError
from promptstore.store.bundle import Bundle, read_bundle

bundle_app = typer.Typer(
    name="bundle",
    help="Put prompts into one file, for where there is no repository.",
    no_args_is_help=True,
)


@bundle_app.command("build")
def build(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write; - is stdout.", metavar="FILE")
    ] = Path("prompts.bundle"),
    label: Annotated[
        list[str] | None,
        typer.Option(help="Only what this label points at; again for more.", metavar="LABEL"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only these names and what they include.", metavar="PATTERN"),
    ] = None,
    with_history: Annotated[
        int, typer.Option(help="The text of how many of the newest versions.", min=1, metavar="N")
    ] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Take prompts along that cannot be read or rendered.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build a bundle of what is committed.

    The same commit gives the same bytes. What a label points at always comes along. Prompts that
    cannot be read or rendered are refused; old versions of others are taken as they are.
    """
    if as_json and str(output) == "-":
        raise InvalidArgumentError(
            message="--json prints to stdout, so the bundle needs a file: --output FILE"
        )
    with opened(context) as store:
        made = store.bundle(
            only=only or (), label=label or (), with_history=with_history, force=force
        )
    data = made.encode()
    if str(output) == "-":
        sys.stdout.buffer.write(data)
        return
    write_back(output, data)
    count = len({name for tree in made.trees.values() for name, found in tree.items() if found})
    if as_json:
        facts = {"commit": made.commit, "branch": made.branch, "prompts": count}
        print_json({"path": str(output), **facts, "bytes": len(data), "digest": made.digest})
        return
    print_lines(f"{output}: {counted(count, 'prompt')} of {_source(made)}, {len(data):,} bytes")


@bundle_app.command("verify")
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The bundle.", metavar="FILE")] = Path(
        "prompts.bundle"
    ),
    as_json: AsJson = False,
) -> None:
    """Check a bundle against the repository that it was built from.

    The exit code is 1 where it is not what the repository holds at the bundle's commit.
    """
    found = read_bundle(file)
    with opened(context) as store:
        differences = store.verify_bundle(found)
        is_newest = store.position().tip == found.commit
    if as_json:
        facts = {"path": str(file), "commit": found.commit}
        print_json({**facts, "differences": differences, "is_newest": is_newest})
        raise typer.Exit(1 if differences else 0)
    if differences:
        reason = f"it is not what {_source(found)} holds: {'; '.join(differences)}. Build it anew."
        raise BundleError(path=str(file), reason=reason)
    print_lines(f"{file}: as {_source(found)}")
    if not is_newest:
        print_error(f"note: {found.branch} has newer commits")


def _source(found: Bundle) -> str:
    return f"{found.branch} ({found.commit[:7]})"
