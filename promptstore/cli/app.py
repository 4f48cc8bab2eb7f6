"""The commands put together; each is loaded when it is asked for."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from promptstore import __version__
from promptstore.cli.opening import Place, placed
from promptstore.cli.output import make_output_exact
from promptstore.store.store import DEFAULT_ROOT

COMMANDS: Final = {
    "init": "init:init",
    "list": "listing:list_prompts",
    "show": "show:show",
    "render": "render:render",
    "log": "log:log",
    "new": "new:new",
    "edit": "edit:edit",
    "save": "save:save",
    "delete": "delete:delete",
    "rename": "rename:rename",
    "restore": "restore:restore",
    "label": "label:label_app",
    "diff": "diff:diff",
    "review": "review:review",
    "check": "check:check",
    "explain": "explain:explain",
    "doctor": "doctor:doctor",
    "format": "formatting:format_files",
    "schema": "typed:schema",
    "stubs": "typed:stubs",
    "difftool": "merging:difftool",
    "merge-driver": "merging:merge_driver",
    "import": "import_:import_",
    "export": "export:export",
    "scan": "scan:scan",
    "text-repr": "text_repr:show_events",
    "translate": "translate:translate",
    "logs": "logs:logs_app",
    "serve": "serve:serve",
    "token": "token:token_app",
    "sync": "sync:app",
}
"""Where each command is: a module of this package, and the function or the group there."""


class _Commands(UserDict[str, Any]):
    """The commands by name; to load all takes longer than most of them."""

    def __getitem__(self, name: str) -> Any:
        found = self.data[name]
        if isinstance(found, str):
            found = self.data[name] = _load(name, found)
        return found


class _Group(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(COMMANDS)


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"promptstore.cli.{module}"), attribute)
    one = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    one.callback()(lambda: None)
    if isinstance(found, typer.Typer):
        for command in found.registered_commands:
            if command.callback is not None:
                command.callback = placed(command.callback)
        one.add_typer(found)
    else:
        one.command(name)(placed(found))
    group = get_command(one)
    assert isinstance(group, TyperGroup)
    return group.commands[name]


app = typer.Typer(
    name="promptstore",
    cls=_Group,
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
