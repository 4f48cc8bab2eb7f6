"""What git calls: ``promptstore difftool`` and ``promptstore merge-driver``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from promptstore.cli.output import print_diff, print_error, print_lines, print_prompt_diff
from promptstore.compare.diff import diff_prompts
from promptstore.compare.merge import Sides, merge_files
from promptstore.compare.sequences import unified
from promptstore.errors import InvalidArgumentError, PromptFileError, RepositoryError
from promptstore.model.prompt import Prompt
from promptstore.promptfile.reader import loads

_WITH_HEADER = 7


def difftool(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="What git gives: PATH OLD HEX MODE NEW HEX MODE [NEW_PATH], or OLD NEW."
        ),
    ],
) -> None:
    """Show what changed in a prompt file, for `git diff`.

    Once: `git config diff.promptstore.command "promptstore difftool"`, and in .gitattributes
    `prompts/**/*.yaml diff=promptstore`.
    """
    if len(arguments) >= _WITH_HEADER:
        path, old, new = arguments[0], arguments[1], arguments[4]
        # Git names the new path of a rename behind all that.
        path = " → ".join([path, *arguments[_WITH_HEADER : _WITH_HEADER + 1]])
    elif len(arguments) == 2:
        old, new = arguments
        path = new
    elif len(arguments) == 1:
        print_lines(f"{arguments[0]} has conflicts")
        return
    else:
        raise InvalidArgumentError(message="git gives 7 arguments; by hand give OLD and NEW")
    _print_difference(path, _read(old), _read(new))


def _print_difference(path: str, old: bytes, new: bytes) -> None:
    print_lines(f"prompt {path}")
    before, after = _prompt(old), _prompt(new)
    if isinstance(before, Prompt) and isinstance(after, Prompt):
        nothing = "its content is the same" if old == new else "only comments or the layout changed"
        print_prompt_diff(diff_prompts(before, after), nothing)
        return
    # A new, a removed or a broken file is shown by its lines.
    for title, side in (("before", before), ("after", after)):
        if isinstance(side, PromptFileError):
            print_lines(f"  {title} it is broken: {side.problems[0].message}")
    print_diff(unified(old.decode(errors="replace"), new.decode(errors="replace")))


def _prompt(data: bytes) -> Prompt | PromptFileError | None:
    if not data:
        return None
    try:
        return loads(data)
    except PromptFileError as error:
        return error


def _read(path: str) -> bytes:
    if path == os.devnull:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RepositoryError(path=path, reason=f"{error.strerror}.") from error


def merge_driver(
    base: Annotated[str, typer.Argument(help="%O: the file that both started from.")],
    ours: Annotated[str, typer.Argument(help="%A: our file, which is overwritten.")],
    theirs: Annotated[str, typer.Argument(help="%B: their file.")],
    path: Annotated[str, typer.Argument(help="%P: the path of the result.")] = "prompt.yaml",
    size: Annotated[int, typer.Argument(help="%L: how long conflict markers are.")] = 7,
) -> None:
    """Merge two edits of one prompt, for `git merge`.

    Fields, variables and messages are merged one by one.
    Once: `git config merge.promptstore.driver "promptstore merge-driver %O %A %B %P %L"`, and in
    .gitattributes `prompts/**/*.yaml merge=promptstore`. Where both sides changed the same thing
    it falls back to lines, with the usual conflict markers.
    """
    sides = Sides(*map(_read, (base, ours, theirs)))
    merged = merge_files(sides, path, marker_size=size)
    try:
        Path(ours).write_bytes(merged.data)
    except OSError as error:
        raise RepositoryError(path=ours, reason=f"{error.strerror}.") from error
    if not merged.is_clean:
        if b"<" * size not in merged.data:
            print_error(
                f"{path}: merged by lines, but it can no longer be read; fix it and git add"
            )
        raise typer.Exit(1)
