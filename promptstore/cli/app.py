"""The commands put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptstore import __version__
from promptstore.cli import (
    check,
    delete,
    diff,
    edit,
    explain,
    formatting,
    init,
    listing,
    log,
    merging,
    new,
    render,
    restore,
    review,
    save,
    serve,
    show,
    sync,
    text_repr,
    typed,
)
from promptstore.cli.label import label_app
from promptstore.cli.opening import Place
from promptstore.cli.output import make_output_exact
from promptstore.cli.token import token_app
from promptstore.store import DEFAULT_ROOT

app = typer.Typer(
    name="promptstore",
    help="LLM prompts as reviewed, versioned YAML files in a git repository.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"promptstore {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    repo: Annotated[
        Path, typer.Option("--repo", "-C", help="A folder in the repository.", metavar="PATH")
    ] = Path(),
    root: Annotated[
        str, typer.Option(help="The prompts' folder in the repository.", metavar="DIR")
    ] = DEFAULT_ROOT,
    branch: Annotated[
        str | None,
        typer.Option(help="The branch to read and write instead of HEAD.", metavar="NAME"),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_say_version)
    ] = False,
) -> None:
    """Keep LLM prompts as reviewed, versioned YAML files in a git repository."""
    make_output_exact()
    context.obj = Place(repo, root, branch)


app.command("init")(init.init)
app.command("list")(listing.list_prompts)
app.command("show")(show.show)
app.command("render")(render.render)
app.command("log")(log.log)
app.command("new")(new.new)
app.command("edit")(edit.edit)
app.command("save")(save.save)
app.command("delete")(delete.delete)
app.command("restore")(restore.restore)
app.add_typer(label_app)
app.command("diff")(diff.diff)
app.command("review")(review.review)
app.command("check")(check.check)
app.command("explain")(explain.explain)
app.command("format")(formatting.format_files)
app.command("schema")(typed.schema)
app.command("stubs")(typed.stubs)
app.command("difftool")(merging.difftool)
app.command("merge-driver")(merging.merge_driver)
app.command("text-repr")(text_repr.show_events)
app.command("serve")(serve.serve)
app.add_typer(token_app)
app.add_typer(sync.app)
