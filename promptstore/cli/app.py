"""The command line: its commands, the options that they share, and the store that they open.

Each command is loaded when it is asked for.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from promptstore import __version__
from promptstore.cli.output import make_output_exact, progress_bar
from promptstore.errors import InvalidArgumentError, PromptStoreError
from promptstore.model.values import near_matches
from promptstore.store.store import DEFAULT_ROOT, PromptStore

if TYPE_CHECKING:
    from rich.progress import Progress

_WORTH_SHOWING: Final = 1_000

COMMANDS: Final = {
    "init": "init:init",
    "list": "reading:list_prompts",
    "show": "reading:show",
    "render": "reading:render",
    "log": "reading:log",
    "new": "edit:new",
    "edit": "edit:edit",
    "save": "save:save",
    "delete": "save:delete",
    "rename": "save:rename",
    "restore": "save:restore",
    "label": "label:label_app",
    "bundle": "bundle:bundle_app",
    "diff": "diff:diff",
    "review": "diff:review",
    "check": "check:check",
    "explain": "check:explain",
    "doctor": "doctor:doctor",
    "format": "check:format_files",
    "schema": "init:schema",
    "stubs": "init:stubs",
    "difftool": "diff:difftool",
    "merge-driver": "diff:merge_driver",
    "import": "interchange:import_",
    "export": "interchange:export",
    "scan": "interchange:scan",
    "text-repr": "text_repr:show_events",
    "translate": "logs:translate",
    "logs": "logs:logs_app",
    "mcp": "serve:mcp",
    "serve": "serve:serve",
    "token": "serve:token_app",
    "sync": "sync:app",
}
"""Where each command is: a module of this package, and the function or the group there."""


class _Group(TyperGroup):
    """The group of all commands, each loaded when it is asked for: all take longer than most."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]

    def get_command(self, _context: Any, name: str) -> Any:
        """Return a command, or None where there is none of that name."""
        if name in COMMANDS and self.commands[name] is None:
            self.commands[name] = _load(name, COMMANDS[name])
        return self.commands.get(name)


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


class Place(NamedTuple):
    """Where the store is: options that stand before the command or behind it.

    Attributes:
        repo: A folder in the repository.
        root: The prompts' folder in the repository.
        branch: The branch to read and write, or None for HEAD.
    """

    repo: Path = Path()
    root: str = DEFAULT_ROOT
    branch: str | None = None


def with_options(
    command: Callable[..., Any], block: Callable[..., Any], name: str = ""
) -> Callable[..., Any]:
    """Return a command that takes the options of a block besides its own.

    Args:
        command: The command.
        block: A function whose parameters are options, as typer reads them. It is called first;
            parameters that the command has too, such as its context, are shared.
        name: The parameter of the command that gets what the block returns, if it wants it. The
            options stand in its place, else behind all others.
    """
    own = inspect.signature(command, eval_str=True).parameters
    added = inspect.signature(block, eval_str=True).parameters

    @wraps(command)
    def extended(**given: Any) -> Any:
        made = block(**{key: given[key] for key in added})
        kept = {key: value for key, value in given.items() if key in own}
        return command(**kept, **({name: made} if name else {}))

    places = [*own] if name else [*own, ""]
    parameters: dict[str, inspect.Parameter] = {}
    for key in places:
        parameters |= added if key == name else {key: own[key]}
    extended.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    return extended


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the options of a place behind its name, too."""
    own = inspect.signature(command).parameters.keys()
    # Without a context it needs no place; one option of `sync` has the name of a place's.
    is_placed = "context" in own and own.isdisjoint(Place._fields)
    return with_options(command, _move) if is_placed else command


def _move(
    context: typer.Context,
    *,
    repo: Annotated[Path | None, typer.Option("--repo", "-C", hidden=True)] = None,
    root: Annotated[str | None, typer.Option(hidden=True)] = None,
    branch: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    given = {"repo": repo, "root": root, "branch": branch}
    context.obj = context.obj._replace(**{key: value for key, value in given.items() if value})


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


@contextmanager
def opened(
    context: typer.Context, *, worktree: bool | None = None, write: bool = False
) -> Iterator[PromptStore]:
    """Open the store for one command.

    Args:
        context: The command's context.
        worktree: Whether the files on disk are read; where that is not asked for, the environment
            may say so. None for a command that always reads what is committed.
        write: Whether the command writes; that it cannot is better said before a person has typed.

    Raises:
        InvalidArgumentError: The prompts' folder was named, and there is none of that name.
        ReadOnlyError: There is no branch to write to.
    """
    place: Place = context.obj
    with _progress() as show:
        store = PromptStore.open(
            place.repo,
            root=place.root,
            branch=place.branch,
            worktree=False if worktree is None else worktree or None,
            progress=show if sys.stderr.isatty() else None,
        )
        _refuse_missing_root(store, place)
        if write:
            _ = store.writable_branch
        yield store


def _refuse_missing_root(store: PromptStore, place: Place) -> None:
    if place.root == DEFAULT_ROOT or not store.root or store.names():
        return
    if store.has_files and (store.path / store.root).is_dir():
        return
    top = PromptStore.open(place.repo, root="", branch=place.branch)
    names = [*top.names(), *(top.working_snapshot().names() if top.has_files else ())]
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
    if store.root in folders:
        return
    near = near_matches(store.root, sorted(folders - {"."}))
    advice = f"did you mean --root {near[0]}?" if near else "`promptstore init` makes one"
    raise InvalidArgumentError(
        message=f"--root: there is no folder {store.root!r} in {top.snapshot().place}; {advice}"
    )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how many commits are indexed: a bar on stderr, where they are many."""
    with ExitStack() as stack:
        bars: list[Progress] = []

        def show(done: int, total: int) -> None:
            if total < _WORTH_SHOWING:
                return
            if not bars:
                bars.append(stack.enter_context(progress_bar()))
                bars[0].add_task("Indexing the history", total=total)
            bars[0].update(bars[0].task_ids[0], completed=done)

        yield show


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that an option does not take.

    Raises:
        InvalidArgumentError: It is none of the choices.
    """
    if value not in choices:
        raise InvalidArgumentError(message=f"{option} takes one of {', '.join(choices)}")


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a prompt, and what may stand behind its ``@``."""
    place = _place_of(context)
    try:
        store = PromptStore.open(place.repo, root=place.root, branch=place.branch)
        name, at, _ = incomplete.partition("@")
        if not at:
            return store.names(incomplete)
        numbers = [str(version.number) for version in store.history(name)]
        labels = sorted(label for label, names in store.labels().targets.items() if name in names)
        return [f"{name}@{selector}" for selector in [*labels, *numbers]]
    except PromptStoreError:
        return []


def complete_label(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a label."""
    place = _place_of(context)
    try:
        labels = PromptStore.open(place.repo, root=place.root).labels().targets
    except PromptStoreError:
        return []
    return [label for label in sorted(labels) if label.startswith(incomplete)]


def _place_of(context: typer.Context) -> Place:
    """Return the place that was typed so far; the shell asks before the command runs."""
    typed: dict[str, Any] = {}
    for params in (context.find_root().params, context.params):
        typed |= {key: params[key] for key in Place._fields if params.get(key)}
    place = Place(**typed)
    return place._replace(repo=Path(place.repo))


Name = Annotated[
    str,
    typer.Argument(
        help="NAME, NAME@3 (version), NAME@production (label) or NAME@main~2 (rev).",
        metavar="NAME[@VERSION]",
        autocompletion=complete_name,
    ),
]
NameOnly = Annotated[
    str, typer.Argument(help="The prompt's name.", metavar="NAME", autocompletion=complete_name)
]
Names = Annotated[
    list[str], typer.Argument(help="The prompts.", metavar="NAME", autocompletion=complete_name)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Worktree = Annotated[
    bool, typer.Option("--worktree", help="Read the files on disk, uncommitted edits included.")
]
