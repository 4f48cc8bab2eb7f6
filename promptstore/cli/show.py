"""``promptstore show``: one prompt, as it is.

With ``--json`` one object: the keys of `promptstore.cli.output.identity`, `includes` (the names of
all included prompts) and `content` (what the file says, keys at their default left out).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from promptstore.cli.opening import Worktree, complete_name, opened
from promptstore.cli.output import (
    identity,
    print_file,
    print_json,
    print_lines,
    version_text,
    when,
)
from promptstore.cli.selection import Selected, select
from promptstore.cli.times import At, parse_time
from promptstore.errors import VersionNotFoundError
from promptstore.model.messages import MESSAGE_KEYS, Insert, Message
from promptstore.model.names import check_name
from promptstore.model.prompt import Prompt
from promptstore.model.variables import Variable
from promptstore.model.versions import PromptInfo
from promptstore.store.store import PromptStore, Rev

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
    at: At = None,
) -> None:
    """Show one prompt, be it deleted or not.

    What it is, its variables and its texts. With --at as it was then: NAME@production is what the
    label pointed at.
    """
    with opened(context, worktree=worktree) as store:
        selected = select(store, name, parse_time(at) if at else None)
        if source:
            print_file(_source(store, selected))
            return
        prompt = store.get(selected.name, deleted=True, **selected.selection)
        info = store.info(selected.name, **selected.selection)
    if as_json:
        row = identity(prompt, info)
        print_json(row | {"includes": sorted(prompt.includes), "content": prompt.content})
    else:
        print_lines("\n".join(_lines(prompt, info)))


def _source(store: PromptStore, selected: Selected) -> bytes:
    """Read the file of what was selected, which may be broken: then one wants to see it most."""
    name, selection = check_name(selected.name), selected.selection
    rev: Rev | None = selection.get("rev")
    if "version" in selection:
        rev = _commit_of(store, name, selection["version"])
    elif "label" in selection:
        rev = store.get(name, deleted=True, **selection).snapshot_commit
    return store.snapshot(rev).file(name).read()


def _commit_of(store: PromptStore, name: str, number: int) -> str:
    history = store.history(name)
    for version in history:
        if version.number == number and version.blob is not None:
            return version.commit
    removed = any(version.number == number for version in history)
    raise VersionNotFoundError(name=name, version=number, latest=history[0].number, removed=removed)


def _lines(prompt: Prompt, info: PromptInfo) -> Iterator[str]:
    kind = "chat" if prompt.is_chat else "text"
    labels = f", {', '.join(info.labels)}" if info.labels else ""
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
        yield f"updated:  {when(info.updated_at)} by {info.updated_by}"
        yield f"created:  {when(info.created_at)} by {info.created_by}"
    yield f"digest:   {prompt.digest}"
    if prompt.tags:
        yield f"tags:     {', '.join(prompt.tags)}"
    if prompt.template != "jinja2":
        yield f"template: {prompt.template}"
    if prompt.includes:
        yield f"includes: {', '.join(sorted(prompt.includes))}"
    for name, variable in prompt.contract.items():
        yield f"variable: {name} {_described(variable)}"
    for key, value in prompt.config.items():
        yield f"config:   {key} = {_json(value)}"
    if prompt.prompt is not None:
        yield ""
        yield prompt.prompt.removesuffix("\n")
    for message in prompt.messages or ():
        yield ""
        yield _message(message)


def _described(variable: Variable) -> str:
    needs = "required" if variable.needs_value else "optional"
    default = f", default {_json(variable.default)}" if variable.has_default else ""
    choices = f", one of {', '.join(map(_json, variable.enum))}" if variable.enum else ""
    about = f" - {variable.description}" if variable.description else ""
    return f"({variable.type}, {needs}{default}{choices}){about}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _message(message: Message | Insert) -> str:
    if isinstance(message, Insert):
        return f"[insert {message.insert}]"
    content = message.content
    text = content if isinstance(content, str) else "\n".join(map(_json, content or ()))
    lines = [f"[{message.role}]", text.removesuffix("\n")]
    for key in MESSAGE_KEYS[2:]:
        value = getattr(message, key)
        if value is not None:
            lines.append(f"{key}: {_json(value)}")
    return "\n".join(line for line in lines if line)
