"""``promptstore render``: one prompt filled with values.

With ``--json`` one object: `text` (of a text prompt only), `messages`, `config`, `name`, `version`,
`commit`, `snapshot_commit` and `digest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from promptstore.cli.inputs import ask, read_values, somebody_is_there
from promptstore.cli.opening import Worktree, opened
from promptstore.cli.output import print_exactly, print_json, print_lines
from promptstore.cli.selection import select
from promptstore.cli.show import Name
from promptstore.errors import VariableError
from promptstore.model.prompt import Prompt
from promptstore.model.rendered import RenderedPrompt
from promptstore.model.rendering import render_prompt


def render(
    context: typer.Context,
    name: Name,
    var: Annotated[
        list[str] | None,
        typer.Option("--var", help="A value; JSON unless a text is wanted.", metavar="NAME=VALUE"),
    ] = None,
    vars_: Annotated[
        list[str] | None,
        typer.Option("--vars", help="Values from a YAML or JSON file; - is stdin.", metavar="FILE"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    worktree: Worktree = False,
) -> None:
    """Fill a prompt with values.

    Prints its text, or its messages under their roles. On a terminal, missing values are asked for.
    """
    with opened(context, worktree=worktree) as store:
        selected = select(store, name)
        prompt = store.get(selected.name, **selected.selection)
    values = read_values(prompt.contract, var or (), vars_ or ())
    rendered = _render(prompt, values)
    if as_json:
        print_json(_as_json(rendered))
    elif rendered.is_chat:
        print_lines(str(rendered))
    else:
        print_exactly(rendered.text)


def _render(prompt: Prompt, values: Mapping[str, Any]) -> RenderedPrompt:
    """Render, and ask for what is missing where that is all that is wrong."""
    try:
        return render_prompt(prompt, values)
    except VariableError as error:
        if error.unknown or error.invalid or not somebody_is_there():
            raise
        missing = error.missing
    return render_prompt(prompt, {**values, **ask(prompt.contract, missing)})


def _as_json(rendered: RenderedPrompt) -> dict[str, Any]:
    text = {} if rendered.is_chat else {"text": rendered.text}
    return {
        **text,
        "messages": rendered.messages,
        "config": rendered.config,
        "name": rendered.name,
        "version": rendered.version,
        "commit": rendered.commit,
        "snapshot_commit": rendered.snapshot_commit,
        "digest": rendered.digest,
    }
