"""``promptstore diff``: what changed between two versions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from promptstore.cli.opening import complete_name, opened
from promptstore.cli.output import print_diff, print_json, print_lines, version_text
from promptstore.cli.selection import select
from promptstore.cli.show import Name
from promptstore.diff import PromptDiff, diff_prompts
from promptstore.errors import HistoryUnavailableError, InvalidArgumentError
from promptstore.model import Prompt
from promptstore.store import PromptStore


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
) -> None:
    """Tell what changed between two versions.

    With one name since the version before, with two from the first to the second.
    """
    with opened(context) as store:
        first = _get(store, name)
        before, after = (
            (_previous(store, first), first)
            if other is None
            else (
                first,
                _get(store, other),
            )
        )
    found = diff_prompts(before, after)
    if as_json:
        print_json(_as_json(before, after, found))
        return
    print_lines(f"{_title(before)} → {_title(after)}")
    for change in found.changes:
        print_lines(f"  {change}")
    for text in found.texts:
        print_lines(f"\n{text.title}:")
        print_diff(text.diff)
    if found.is_empty:
        print_lines("  nothing changed")


def _get(store: PromptStore, text: str) -> Prompt:
    selected = select(store, text)
    return store.get(selected.name, deleted=True, **selected.selection)


def _previous(store: PromptStore, prompt: Prompt) -> Prompt:
    name = prompt.name or ""
    if prompt.version is None:
        raise HistoryUnavailableError(reason="so there is no version before this one; name two.")
    for version in store.history(name):
        if version.number < prompt.version and version.blob is not None:
            return store.get(name, version=version.number)
    raise InvalidArgumentError(
        message=f"{name!r} has no version before version {prompt.version}; name two to compare"
    )


def _title(prompt: Prompt) -> str:
    return f"{prompt.name}@{version_text(prompt.version)}"


def _as_json(before: Prompt, after: Prompt, found: PromptDiff) -> dict[str, Any]:
    return {
        "before": {"name": before.name, "version": before.version, "commit": before.commit},
        "after": {"name": after.name, "version": after.version, "commit": after.commit},
        "changes": list(found.changes),
        "texts": [{"title": text.title, "diff": text.diff} for text in found.texts],
    }
