"""``promptstore diff``: what changed between two versions, or in a range of commits.

With ``--json`` one object: `before` and `after` (each `name`, `version`, `commit`), `changes` (a
sentence each) and `texts` (each `title` and `diff`).
For a range `base`, `head` and `prompts`.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from promptstore.cli.differences import print_prompt_diff
from promptstore.cli.opening import complete_name, opened
from promptstore.cli.output import print_json, print_lines, version_text
from promptstore.cli.ranges import check_format, compare_ends, ends, is_range, print_range
from promptstore.cli.selection import select
from promptstore.cli.show import Name
from promptstore.compare.diff import PromptDiff, diff_prompts
from promptstore.errors import (
    HistoryUnavailableError,
    InvalidArgumentError,
    VersionNotFoundError,
)
from promptstore.model.prompt import Prompt
from promptstore.store.store import PromptStore


def diff(
    context: typer.Context,
    name: Name,
    other: Annotated[
        str | None,
        typer.Argument(
            help="What to compare it with; the version before it when left out.",
            metavar="NAME[@SEL]",
            autocompletion=complete_name,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[
        str,
        typer.Option("--format", help="Of a range: terminal, markdown, json, github or sarif."),
    ] = "terminal",
    examples: Annotated[
        str | None,
        typer.Option(
            "--render", help="Of a range: values to compare renders with.", metavar="FILE"
        ),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Of a range: fail when it breaks a call.")
    ] = False,
) -> None:
    """Show what changed between two versions, or in a range of commits.

    With one name since the version before, with two from the first to the second. BASE..HEAD
    tells of every prompt that changed between two revs, and what that does to its callers.
    """
    check_format(output)
    with opened(context) as store:
        if other is None and is_range(store, name):
            found_range = compare_ends(*ends(store, name), examples)
            print_range(found_range, (), "json" if as_json else output)
            if exit_code and found_range.of("breaking"):
                raise typer.Exit(1)
            return
        before, after = _pair(store, name, other)
    found = diff_prompts(before, after)
    if as_json:
        print_json(_as_json(before, after, found))
        return
    print_lines(f"{_title(before)} → {_title(after)}")
    print_prompt_diff(found)


def _pair(store: PromptStore, name: str, other: str | None) -> tuple[Prompt, Prompt]:
    first = _get(store, name)
    if other is None:
        return _previous(store, first), first
    return first, _get(store, other)


def _get(store: PromptStore, text: str) -> Prompt:
    selected = select(store, text)
    return store.get(selected.name, deleted=True, **selected.selection)


def _previous(store: PromptStore, prompt: Prompt) -> Prompt:
    """Read the version before, on the history that this one was read from."""
    name, version = prompt.name or "", prompt.version
    if version is None:
        store.history(name)  # says why versions cannot be counted here
        raise HistoryUnavailableError(reason="name two prompts to compare.")
    if version == 1:
        raise InvalidArgumentError(
            message=f"{name!r} has no version before version 1; name two to compare"
        )
    # Another branch may count other versions, so git is asked for the parent, not for a number.
    parent = store.snapshot(f"{prompt.commit}^")
    if name not in parent.names():
        raise VersionNotFoundError(name=name, version=version - 1, latest=version, removed=True)
    return parent.read(name, deleted=True)


def _title(prompt: Prompt) -> str:
    return f"{prompt.name}@{version_text(prompt.version)}"


def _as_json(before: Prompt, after: Prompt, found: PromptDiff) -> dict[str, Any]:
    return {
        "before": {"name": before.name, "version": before.version, "commit": before.commit},
        "after": {"name": after.name, "version": after.version, "commit": after.commit},
        "changes": list(found.changes),
        "texts": [{"title": text.title, "diff": text.diff} for text in found.texts],
    }
