"""The commands that commit: ``promptstore save``, ``delete``, ``rename`` and ``restore``.

With ``--json`` what `promptstore.cli.writing` says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.app import Names, complete_name, opened
from promptstore.cli.inputs import Selected, input_title, near_files, read_input, select
from promptstore.cli.writing import (
    ExpectedVersion,
    Order,
    Write,
    Yes,
    confirm,
    raise_all,
    refuse,
    takes_forcible_order,
    warn,
)
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.model.values import SUFFIX, check_name
from promptstore.promptfile.reader import loads
from promptstore.store.edits import Deletion, Restoration, rename_edits
from promptstore.store.store import PromptStore


@takes_forcible_order
def save(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            help="Files of prompts; with --name one, which may be - for stdin.", metavar="FILE"
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="The prompt's name, for a file that lies elsewhere.", metavar="NAME"),
    ] = None,
    expected_version: ExpectedVersion = None,
    *,
    order: Order,
) -> None:
    """Commit files of prompts as they are, in one commit.

    A file in the prompts' folder has its name from its path: this commits what you edited there.
    Any other file needs --name. Paths start where you are, whatever -C says. All files are checked
    first; where one is wrong, none is committed.
    """
    with opened(context, write=True) as store:
        write = Write(store, order)
        found = _named(store, files, name)
        if name:
            contents = {name: read_input(files[0])}
        else:  # with the line ends that git commits
            on_disk = store.working_snapshot()
            contents = {name: on_disk.file(name).read() for name in found}
        _refuse_broken(found, contents)
        write.commit_files(contents, expected_version)


def _named(store: PromptStore, files: list[str], name: str | None) -> dict[str, str]:
    """Find which prompt each file is, by the prompt's name."""
    if name is None:
        return {_name_of(store, file): file for file in files}
    if len(files) > 1:
        raise InvalidArgumentError(message=f"--name names one file, and {len(files)} are given")
    return {check_name(name): files[0]}


def _name_of(store: PromptStore, file: str) -> str:
    if file == "-":
        raise InvalidArgumentError(message="a prompt from stdin needs a name: add --name NAME")
    # The folders are resolved as the store's path is, the file is not: a link is no prompt file.
    path = Path(file).parent.resolve() / Path(file).name
    root = (store.path / store.root).resolve()
    if not os.path.lexists(path):
        raise InvalidArgumentError(
            message=f"cannot read {file}: there is no such file.{near_files(store, Path(file))}"
        )
    if path.is_symlink():
        raise InvalidArgumentError(
            message=f"{file} is a symbolic link, which is no prompt file; give the file itself"
        )
    if path.is_dir():
        raise InvalidArgumentError(
            message=f"{file} is a folder: name files, for example {Path(file) / '*.yaml'}"
        )
    if not store.has_files or not path.is_relative_to(root):
        raise InvalidArgumentError(
            message=f"{file} lies outside of {root}, so its path gives no name: add --name NAME"
        )
    if path.suffix != SUFFIX:
        raise InvalidArgumentError(message=f"{file} is no prompt file: it must end with {SUFFIX}")
    return check_name(path.relative_to(root).as_posix().removesuffix(SUFFIX))


def _refuse_broken(files: Mapping[str, str], contents: Mapping[str, bytes]) -> None:
    """Refuse files that cannot be read, by the path that the person gave."""
    errors = []
    for name, data in contents.items():
        try:
            loads(data, input_title(files[name]))
        except PromptFileError as error:
            errors.append(error)
    raise_all(errors)


@takes_forcible_order
def delete(
    context: typer.Context,
    names: Names,
    reason: Annotated[
        str | None, typer.Option(help="Why, for people who ask for it later.", metavar="TEXT")
    ] = None,
    replaced_by: Annotated[
        str | None,
        typer.Option(
            help="The prompt to use instead.", metavar="NAME", autocompletion=complete_name
        ),
    ] = None,
    expected_version: ExpectedVersion = None,
    yes: Yes = False,
    *,
    order: Order,
) -> None:
    """Delete prompts, in one commit.

    The texts stay in their files and in history, and `promptstore restore` brings them back. On a
    terminal you are asked first; elsewhere add --yes.
    """
    edits = dict.fromkeys(names, Deletion(reason, replaced_by))
    with opened(context, write=True) as store:
        write = Write(store, order)
        after = store.draft(edits)
        problems = write.new_problems(after, edits)
        refuse([found for found in problems if found.name in edits and not order.force])
        warn(found for found in problems if found.name not in edits or order.force)
        changed = write.changed(after, edits)
        if changed and not order.dry_run:
            confirm(f"Delete {', '.join(changed)}?", yes=yes)
        write.commit(after, edits, expected_version)


@takes_forcible_order
def rename(
    context: typer.Context,
    old: Annotated[
        str, typer.Argument(help="The prompt.", metavar="OLD", autocompletion=complete_name)
    ],
    new: Annotated[str, typer.Argument(help="Its new name.", metavar="NEW")],
    expected_version: ExpectedVersion = None,
    *,
    order: Order,
) -> None:
    """Rename a prompt, in one commit.

    The old name says from then on where the prompt went. Labels that point at the newest version
    come along; those that point at an older one are named and stay.
    """
    with opened(context, write=True) as store:
        write = Write(store, order)
        write.refuse_uncommitted(old)
        if order.dry_run:
            edits = rename_edits(write.base, old, new)
            write.show(store.draft(edits), edits)
            return
        prompt = store.rename(
            old, new, expected_version=expected_version, force=order.force, **order.attribution
        )
        write.print_written([prompt])


@takes_forcible_order
def restore(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="NAME, NAME@3 (version) or NAME@production (label).",
            metavar="NAME[@VERSION]",
            autocompletion=complete_name,
        ),
    ],
    version: Annotated[
        int | None, typer.Option(help="The version to bring back.", metavar="N", min=1)
    ] = None,
    expected_version: ExpectedVersion = None,
    *,
    order: Order,
) -> None:
    """Bring back a deleted prompt or an old version.

    NAME takes the tombstone off, NAME@2 makes that version the newest one. This is an ordinary
    commit: nothing of the history is lost.
    """
    with opened(context, write=True) as store:
        write = Write(store, order)
        selected = select(store, name)
        edits = {selected.name: Restoration(_version(store, selected, version))}
        after = store.draft(edits)
        warn(write.new_problems(after, edits))
        write.commit(after, edits, expected_version)


def _version(store: PromptStore, selected: Selected, version: int | None) -> int | None:
    name, selection = selected
    if not selection:
        return version
    if version is not None:
        raise InvalidArgumentError(message=f"say --version or {name}@N, not both")
    if "label" in selection:
        return store.labels().find(selection["label"], name).version
    if "version" in selection:
        return selection["version"]
    raise InvalidArgumentError(
        message=f"restore takes a version or a label; `promptstore log {name}` lists the versions"
    )
