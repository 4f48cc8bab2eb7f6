"""``promptstore init``: a new store with a first prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.opening import Place
from promptstore.cli.output import print_lines
from promptstore.errors import InvalidArgumentError, RepositoryNotFoundError
from promptstore.repository import Repository, create_repository

_GREETING = """\
description: Greet somebody by name.
variables:
  name: {type: string, description: Who is greeted}
prompt: |
  Write one friendly sentence that greets {{ name }}.
"""


def init(
    context: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="The folder to make the store in.")] = None,
) -> None:
    """Make a store with a first prompt.

    Nothing is committed, and nothing that is there is overwritten.
    """
    place: Place = context.obj
    top = _working_tree(path or place.repo)
    file = top / place.root / "greeting.yaml"
    shown = file.relative_to(top).as_posix()
    if file.parent.is_dir() and any(file.parent.rglob("*.yaml")):
        raise InvalidArgumentError(
            message=f"{file.parent} holds prompts already; `promptstore list --worktree` shows them"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_GREETING, encoding="utf-8", newline="\n")
    print_lines(
        f"Made {shown} in {top}. Next:\n"
        "  promptstore render greeting --worktree --var name=Ada\n"
        f"  git add {shown} && git commit -m 'Greet by name'\n"
        "  promptstore log greeting"
    )


def _working_tree(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    try:
        repository = Repository.discover(path)
    except RepositoryNotFoundError:
        repository = create_repository(path)
    if repository.workdir is None:
        raise InvalidArgumentError(
            message=f"{path} is a bare repository, which has no files on disk; "
            "clone it and make the store there"
        )
    return repository.workdir
