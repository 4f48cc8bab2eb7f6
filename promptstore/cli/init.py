"""``promptstore init``, ``schema`` and ``stubs``: a first prompt, and what editors read."""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

import typer

from promptstore.cli.app import Place, opened
from promptstore.cli.inputs import write_back
from promptstore.cli.output import print_error, print_exactly, print_json, print_lines
from promptstore.errors import (
    InvalidArgumentError,
    PromptStoreError,
    RepositoryError,
    RepositoryNotFoundError,
)
from promptstore.git.reading import Repository, create_repository
from promptstore.interchange.stubs import write_stubs
from promptstore.model.fileschema import file_schema
from promptstore.store.store import DEFAULT_ROOT, PromptStore

_FILE: Final = "greeting.yaml"
_SCHEMA: Final = "prompt.schema.json"
_GREETING: Final = f"""\
# yaml-language-server: $schema={_SCHEMA}
description: Greet somebody by name.
variables:
  name: {{type: string, description: Who is greeted}}
prompt: |
  Write one friendly sentence that greets {{{{ name }}}}.
"""


def init(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="The folder to make the store in.", metavar="PATH")
    ] = None,
) -> None:
    """Make a store with a first prompt.

    A folder that is in no git repository becomes one. Nothing is committed, and nothing that is
    there is overwritten.
    """
    place: Place = context.obj
    folder = path or place.repo
    if folder.is_file():
        raise InvalidArgumentError(message=f"{folder} is a file; name a folder for the store")
    with suppress(RepositoryNotFoundError):
        # Refuses a root that leaves the repository, before anything is made.
        PromptStore.open(folder, root=place.root)
    try:
        top, is_new = _make(folder, place.root)
    except PromptStoreError:
        raise
    except OSError as error:
        where = str(error.filename or folder)
        raise RepositoryError(path=where, reason=f"{error.strerror}.") from error
    print_lines(_next_steps(top, place.root, "a git repository and " if is_new else ""))


def _make(folder: Path, root: str) -> tuple[Path, bool]:
    """Write the first prompt, and return the top of its repository and whether that is new."""
    folder.mkdir(parents=True, exist_ok=True)
    repository = None
    with suppress(RepositoryNotFoundError):
        repository = Repository.discover(folder)
    top = _working_tree(repository) if repository else folder
    file = top / root / _FILE
    if file.parent.is_dir() and any(file.parent.rglob("*.yaml")):
        raise InvalidArgumentError(
            message=f"{file.parent} holds prompts already; `promptstore list --worktree` shows them"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(_GREETING)
    (file.parent / _SCHEMA).write_text(
        json.dumps(file_schema(), indent=2) + "\n", encoding="utf-8", newline="\n"
    )
    return (top, False) if repository else (_working_tree(create_repository(folder)), True)


def _working_tree(repository: Repository) -> Path:
    if repository.workdir is None:
        raise InvalidArgumentError(
            message=f"{repository.git_dir} is a bare repository, which has no files on disk; "
            "clone it and make the store there"
        )
    return repository.workdir


def _next_steps(top: Path, root: str, besides: str) -> str:
    """Return which commands come next, so that they work where they are pasted."""
    there = f" -C {shlex.quote(str(top))}" if top.resolve() != Path.cwd() else ""
    rooted = there + (f" --root {shlex.quote(root)}" if root != DEFAULT_ROOT else "")
    made = (PurePosixPath(root) / _FILE).as_posix()
    schema = (PurePosixPath(root) / _SCHEMA).as_posix()
    files = f"{shlex.quote(made)} {shlex.quote(schema)}"
    return (
        f"Made {besides}{made} in {top}. Next:\n"
        f"  promptstore{rooted} render greeting --worktree --var name=Ada\n"
        f"  git{there} add {files} && git{there} commit -m 'Greet by name'\n"
        f"  promptstore{rooted} log greeting"
    )


def schema() -> None:
    """Print the JSON Schema of a prompt file.

    An editor with the YAML language server reads it where a prompt begins with
    `# yaml-language-server: $schema=prompt.schema.json`.
    """
    print_json(file_schema())


def stubs(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; stdout when left out.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when the file is stale.")
    ] = False,
) -> None:
    """Write a typed module of the prompts for mypy and pyright."""
    if check and output is None:
        raise InvalidArgumentError(message="--check needs --output FILE to compare with")
    with opened(context) as store:
        reads_files = store.branch is None and store.has_files
        snapshot = store.working_snapshot() if reads_files else store.snapshot()
        text = write_stubs(snapshot)
    if output is None:
        print_exactly(text)
    elif not check:
        write_back(output, text.encode())
    elif not output.exists() or output.read_bytes() != text.encode():
        print_error(f"{output} is stale; write it again: promptstore stubs -o {output}")
        raise typer.Exit(1)
