"""The commands that read prompts: ``promptstore list``, ``show``, ``render`` and ``log``.

With ``--json`` all keys are stable. `list` prints an array of objects: the keys of
`promptstore.cli.output.identity`, `description` and `tags`. `show`: one object, those keys,
`includes` (the names of all included prompts) and `content` (what the file says, keys at their
default left out). `render`: one object, `text` (of a text prompt only), `messages`, `config`,
`name`, `version`, `commit`, `snapshot_commit` and `digest`. `log`: an array of objects, `number`,
`commit`, `author`, `committed_at` (ISO 8601 with a zone), `message`, `blob` (null where the commit
removed the file), `deleted` and `labels`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from promptstore.cli.app import AsJson, Name, NameOnly, Worktree, complete_name, opened
from promptstore.cli.inputs import (
    At,
    Selected,
    ask,
    parse_time,
    read_values,
    select,
    somebody_is_there,
)
from promptstore.cli.output import (
    identity,
    print_error,
    print_exactly,
    print_file,
    print_json,
    print_lines,
    print_listing,
    short_time,
    version_text,
    when,
)
from promptstore.errors import InvalidArgumentError, VariableError, VersionNotFoundError
from promptstore.model.parts import MESSAGE_KEYS, Insert, Message
from promptstore.model.prompt import Prompt
from promptstore.model.rendering import RenderedPrompt, render_prompt
from promptstore.model.values import check_name
from promptstore.model.variables import Variable
from promptstore.model.versions import PromptInfo
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore, Rev


def list_prompts(
    context: typer.Context,
    prefix: Annotated[
        str,
        typer.Argument(
            help="Only names that start with this.", metavar="PREFIX", autocompletion=complete_name
        ),
    ] = "",
    tag: Annotated[str | None, typer.Option(help="Only prompts with this tag.")] = None,
    search: Annotated[
        str | None,
        typer.Option(help="Only prompts whose name, description, tags or texts hold it."),
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted prompts too.")] = False,
    as_json: AsJson = False,
    worktree: Worktree = False,
) -> None:
    """List the prompts.

    Each with its version, labels, time of change and description. A broken file hides no other
    prompt: it is reported on stderr, and the exit code is 1.
    """
    with opened(context, worktree=worktree) as store:
        snapshot = store.snapshot()
        prompts, broken = snapshot.list_readable(prefix, tag=tag, search=search, deleted=deleted)
        infos = snapshot.infos([prompt.name or "" for prompt in prompts])
        pairs = [(prompt, infos[prompt.name or ""]) for prompt in prompts]
        rows = [
            identity(*pair) | {"description": pair[0].description, "tags": list(pair[0].tags)}
            for pair in pairs
        ]
        heads = ("NAME", "VERSION", "LABELS", "UPDATED", "DESCRIPTION")
        print_listing(rows, heads, [_cells(*pair) for pair in pairs], as_json=as_json)
        _note_uncommitted(store, snapshot.names(prefix), worktree=worktree)
        is_hidden = not (prompts or broken or deleted) and any(
            snapshot.list_readable(prefix, tag=tag, search=search, deleted=True)
        )
    if is_hidden:
        print_error(f"no prompt in {snapshot.place} is like that but deleted ones: add --deleted")
    elif not prompts and not broken:
        print_error(_nothing(store, snapshot, worktree=worktree))
    for error in broken:
        print_error(f"error: {error}")
    if broken:
        raise typer.Exit(1)


def _note_uncommitted(store: PromptStore, names: Iterable[str], *, worktree: bool) -> None:
    """Say on stderr which of some prompts are not read as their files on disk are."""
    if worktree or store.branch is not None or not store.has_files:
        return
    committed, disk = store.snapshot(), store.working_snapshot()
    if committed.commit is None:  # the files on disk are what is read
        return
    for name in sorted(set(names)):
        file, edited = committed.find(name), disk.find(name)
        if file is not None and (edited is None or edited.blob != file.blob):
            what = "has uncommitted edits" if edited else "is deleted, uncommitted"
            print_error(
                f"note: {file.path} {what}; what is committed is read (--worktree reads the disk)"
            )


def _nothing(store: PromptStore, snapshot: Snapshot, *, worktree: bool) -> str:
    """Return why nothing is listed, and where uncommitted files are."""
    if snapshot.names():
        return f"no prompt in {snapshot.place} is like that"
    folder = f" under {store.root!r}" if store.root else ""
    none = f"no prompts{folder} in {snapshot.place}"
    if worktree or not store.has_files or not store.working_snapshot().names():
        return f"{none}; `promptstore init` makes a first one"
    return f"{none}; there are some on disk that are not committed: add --worktree"


def _cells(prompt: Prompt, info: PromptInfo) -> tuple[str, ...]:
    mark = "(deleted) " if prompt.deleted else ""
    return (
        prompt.name or "",
        version_text(prompt.version),
        ", ".join(info.labels),
        short_time(info.updated_at),
        mark + (prompt.description or ""),
    )


def show(
    context: typer.Context,
    name: Name,
    as_json: AsJson = False,
    source: Annotated[bool, typer.Option("--source", help="Print the file as it is.")] = False,
    worktree: Worktree = False,
    at: At = None,
) -> None:
    """Show one prompt, also a deleted one.

    What it is, its variables and its texts. `NAME@production --at yesterday` shows what the label
    pointed at then.
    """
    if as_json and source:
        raise InvalidArgumentError(message="--json and --source exclude each other")
    with opened(context, worktree=worktree) as store:
        selected = select(store, name, parse_time(at) if at else None)
        if source:
            print_file(_source(store, selected))
            return
        prompt = store.get(selected.name, deleted=True, **selected.selection)
        info = store.info(selected.name, **selected.selection)
        if not selected.selection:
            _note_uncommitted(store, [selected.name, *prompt.includes], worktree=worktree)
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
        number, history = selection["version"], store.history(name)
        found = {version.number: version for version in history}.get(number)
        if found is None or found.blob is None:
            raise VersionNotFoundError(
                name=name, version=number, latest=history[0].number, removed=found is not None
            )
        rev = found.commit
    elif "label" in selection:
        rev = store.get(name, deleted=True, **selection).snapshot_commit
    return store.snapshot(rev).file(name).read()


def _lines(prompt: Prompt, info: PromptInfo) -> Iterator[str]:
    kind = "chat" if prompt.is_chat else "text"
    labels = f", {', '.join(info.labels)}" if info.labels else ""
    deleted = ", deleted" if prompt.deleted else ""
    yield f"{prompt.name} ({kind}, version {version_text(prompt.version)}{labels}{deleted})"
    facts = {
        "deleted": prompt.deleted_reason,
        "instead": prompt.replaced_by,
        "about": prompt.description,
        "commit": prompt.commit,
        "updated": prompt.commit and f"{when(info.updated_at)} by {info.updated_by}",
        "created": prompt.commit and f"{when(info.created_at)} by {info.created_by}",
        "digest": prompt.digest,
        "tags": ", ".join(prompt.tags),
        "template": prompt.template if prompt.template != "jinja2" else None,
        "includes": ", ".join(sorted(prompt.includes)),
    }
    yield from (f"{key + ':':<10}{value}" for key, value in facts.items() if value)
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
    more = {key: getattr(message, key) for key in MESSAGE_KEYS[2:]}
    lines = [f"[{message.role}]", text.removesuffix("\n")]
    lines += [f"{key}: {_json(value)}" for key, value in more.items() if value is not None]
    return "\n".join(line for line in lines if line)


def render(
    context: typer.Context,
    name: Name,
    var: Annotated[
        list[str] | None,
        typer.Option(
            "--var",
            help="A value, again for more; JSON unless the variable is a string.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    vars_: Annotated[
        list[str] | None,
        typer.Option("--vars", help="Values from a YAML or JSON file; - is stdin.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
    worktree: Worktree = False,
) -> None:
    """Fill a prompt with values.

    Prints its text, or its messages under their roles. On a terminal, missing values are asked for.
    """
    with opened(context, worktree=worktree) as store:
        selected = select(store, name)
        prompt = store.get(selected.name, **selected.selection)
        if not selected.selection:
            _note_uncommitted(store, [selected.name, *prompt.includes], worktree=worktree)
    rendered = _render(prompt, read_values(prompt.contract, var or (), vars_ or ()))
    if as_json:
        text = {} if rendered.is_chat else {"text": rendered.text}
        keys = ("messages", "config", "name", "version", "commit", "snapshot_commit", "digest")
        print_json(text | {key: getattr(rendered, key) for key in keys})
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
            if not (error.unknown or error.invalid):
                error.add_note(
                    f"Give each value with --var, such as --var {error.missing[0]}=VALUE."
                )
            raise
        missing = error.missing
    return render_prompt(prompt, {**values, **ask(prompt.contract, missing)})


def log(
    context: typer.Context,
    name: NameOnly,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on at the old name of a renamed prompt.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the versions of a prompt, newest first.

    Each with its number, commit, time, author, labels and subject.
    """
    with opened(context) as store:
        history = store.history(name, follow=follow)
    cells = []
    for version in history:
        removed = "(removed) " if version.blob is None else "(deleted) "
        subject = (removed if version.deleted else "") + version.subject
        number = str(version.number) if version.name == name else f"{version.name}@{version.number}"
        place = (number, version.commit[:7], short_time(version.committed_at))
        cells.append((*place, version.author, ", ".join(version.labels), subject))
    heads = ("VERSION", "COMMIT", "TIME", "AUTHOR", "LABELS", "SUBJECT")
    print_listing([*map(asdict, history)], heads, cells, as_json=as_json)
