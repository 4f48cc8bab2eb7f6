"""``promptstore new``: a new prompt.

With ``--json`` what `promptstore.cli.writing` says; an empty array where nothing was written.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from promptstore.cli.edit import edit_prompt
from promptstore.cli.editor import EditedFile
from promptstore.cli.inputs import input_title, read_input
from promptstore.cli.opening import opened_to_write
from promptstore.cli.writing import (
    Order,
    overlay,
    refuse_uncommitted,
    takes_order,
    write_files,
)
from promptstore.errors import InvalidArgumentError, PromptFileError
from promptstore.model.names import check_name
from promptstore.promptfile.reader import loads
from promptstore.store.snapshot import Snapshot

_TEXT: Final = b"""\
description: Greet somebody by name.
variables:
  name: {type: string, description: Who is greeted}
prompt: |
  Write one friendly sentence that greets {{ name }}.
"""
_CHAT: Final = b"""\
description: Answer a question.
variables:
  question: {type: string, description: What the person asks}
messages:
  - role: system
    content: |
      You answer in one short paragraph.
  - role: user
    content: |
      {{ question }}
"""


@takes_order
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The new prompt's name.")],
    chat: Annotated[bool, typer.Option("--chat", help="Begin with a chat prompt.")] = False,
    from_: Annotated[
        str | None,
        typer.Option("--from", help="Take the text from a file; - is stdin.", metavar="FILE"),
    ] = None,
    no_edit: Annotated[
        bool, typer.Option("--no-edit", help="Commit the skeleton as it is, without an editor.")
    ] = False,
    *,
    order: Order,
) -> None:
    """Make a new prompt and commit it.

    Opens your editor on a skeleton of a text or chat prompt, or takes a file. The text is checked
    before it is committed; where it is wrong, it is kept, and the same command goes on with it.
    """
    if from_ is not None and (chat or no_edit):
        raise InvalidArgumentError(message="--from takes the whole file: leave the skeleton's out")
    skeleton = _CHAT if chat else _TEXT
    with opened_to_write(context) as (store, base):
        _refuse_present(base, check_name(name))
        refuse_uncommitted(store, base, name)
        if from_ is not None:
            data = read_input(from_)
            loads(data, input_title(from_))
            write_files(store, base, {name: data}, {}, order)
        elif no_edit:
            write_files(store, base, {name: skeleton}, {}, order)
        else:
            path = overlay(store, base, {name: skeleton}).file(name).path
            edited = EditedFile(store, name, path, None)
            edit_prompt(store, base, name, skeleton, edited, order)


def _refuse_present(base: Snapshot, name: str) -> None:
    if base.find(name) is None:
        return
    advice = f"`promptstore edit {name}` changes it"
    try:
        if base.read(name, deleted=True).deleted:
            advice = f"it is deleted; `promptstore restore {name}` brings it back"
    except PromptFileError:
        pass
    raise InvalidArgumentError(message=f"{name!r} is in {base.place} already: {advice}")
