"""``promptstore show``: one prompt, as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from promptstore.cli.opening import Worktree, complete_name, opened
from promptstore.cli.output import (
    identity,
    print_exactly,
    print_json,
    print_lines,
    version_text,
    when,
)
from promptstore.cli.selection import select
from promptstore.model import Insert, Message, Prompt
from promptstore.sources import File
from promptstore.store import PromptStore
from promptstore.variables import Variable

Name = Annotated[
    str,
    typer.Argument(
        help="NAME, NAME@3 (version), NAME@production (label) or NAME@main~2 (rev).",
        metavar="NAME[@SEL]",
        autocompletion=complete_name,
    ),
]


def show(
    context: typer.Context,
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Print the file as it is.")] = False,
    worktree: Worktree = False,
) -> None:
    """Show one prompt, be it deleted or not.

    What it is, its variables and its texts.
    """
    with opened(context, worktree=worktree) as store:
        selected = select(store, name)
        prompt = store.get(selected.name, deleted=True, **selected.selection)
        if source:
            print_exactly(_file_of(store, prompt).read().decode())
            return
    if as_json:
        print_json(identity(prompt) | {"content": prompt.content})
    else:
        print_lines("\n".join(_lines(prompt)))


def _file_of(store: PromptStore, prompt: Prompt) -> File:
    return store.snapshot(prompt.snapshot_commit).file(prompt.name or "")


def _lines(prompt: Prompt) -> Iterator[str]:
    kind = "chat" if prompt.is_chat else "text"
    labels = f", {', '.join(prompt.labels)}" if prompt.labels else ""
    deleted = ", deleted" if prompt.deleted else ""
    yield f"{prompt.name} ({kind}, version {version_text(prompt.version)}{labels}{deleted})"
    if prompt.deleted_reason:
        yield f"deleted:  {prompt.deleted_reason}"
    if prompt.replaced_by:
        yield f"instead:  {prompt.replaced_by}"
    if prompt.description:
        yield f"about:    {prompt.description}"
    if prompt.commit:
        yield f"commit:   {prompt.commit}"
        yield f"updated:  {when(prompt.updated_at)} by {prompt.updated_by}"
        yield f"created:  {when(prompt.created_at)} by {prompt.created_by}"
    yield f"digest:   {prompt.digest}"
    if prompt.tags:
        yield f"tags:     {', '.join(prompt.tags)}"
    if prompt.includes:
        yield f"includes: {', '.join(prompt.includes)}"
    for name, variable in prompt.contract.items():
        yield f"variable: {name} {_described(variable)}"
    for key in prompt.config:
        yield f"config:   {key}"
    for message in prompt.messages or (Message("", prompt.prompt or ""),):
        yield ""
        yield _message(message)


def _described(variable: Variable) -> str:
    needs = "required" if variable.needs_value else "optional"
    default = f", default {variable.default!r}" if variable.has_default else ""
    about = f" - {variable.description}" if variable.description else ""
    return f"({variable.type}, {needs}{default}){about}"


def _message(message: Message | Insert) -> str:
    if isinstance(message, Insert):
        return f"[insert {message.insert}]"
    content = message.content
    text = content if isinstance(content, str) else "\n".join(str(part) for part in content)
    head = f"[{message.role}]\n" if message.role else ""
    return head + text.removesuffix("\n")
