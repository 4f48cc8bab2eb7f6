"""The commands put together; loading all of them would take longer than most of them do."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from promptstore import __version__
from promptstore.cli.output import make_output_exact
from promptstore.cli.place import Place
from promptstore.store import DEFAULT_ROOT

HOMES: Final = {
    "init": "init:init",
    "list": "listing:list_prompts",
    "show": "show:show",
    "render": "render:render",
    "log": "log:log",
    "new": "new:new",
    "edit": "edit:edit",
    "save": "save:save",
    "delete": "delete:delete",
    "restore": "restore:restore",
    "label": "label:label_app",
    "diff": "diff:diff",
    "review": "review:review",
    "check": "check:check",
    "explain": "explain:explain",
    "format": "formatting:format_files",
    "schema": "typed:schema",
    "stubs": "typed:stubs",
    "difftool": "merging:difftool",
    "merge-driver": "merging:merge_driver",
    "text-repr": "text_repr:show_events",
    "serve": "serve:serve",
    "token": "token:token_app",
    "sync": "sync:app",
}
"""Where each command is, as ``module:name``, in the order of the help."""


class _Commands(TyperGroup):
    """All commands, of which only those are loaded that are asked for."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(HOMES)  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer names it
        """Load a command, or give None where there is none of that name."""
        if cmd_name in HOMES and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands.get(cmd_name)


def _load(name: str) -> Any:
    module, _, attribute = HOMES[name].partition(":")
    found = getattr(import_module(f"promptstore.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="promptstore",
    cls=_Commands,
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
