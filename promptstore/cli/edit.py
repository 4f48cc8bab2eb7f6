"""``promptstore edit``: a prompt's file in one's own editor.

With ``--json`` what `promptstore.cli.writing` says; an empty array where nothing was changed.
"""

from __future__ import annotations

from typing import Annotated

import typer

from promptstore.cli.editor import EditedFile
from promptstore.cli.opening import complete_name, opened_to_write
from promptstore.cli.output import print_error, print_json
from promptstore.cli.writing import (
    Order,
    refuse_uncommitted,
    takes_order,
    write_files,
)
from promptstore.model.names import check_name
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore


@takes_order
def edit(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The prompt's name.", autocompletion=complete_name)],
    *,
    order: Order,
) -> None:
    """Edit a prompt's file in your editor and commit it.

    The editor is the one that git opens: GIT_EDITOR, core.editor, VISUAL or EDITOR. The text is
    checked before it is committed; where it is wrong, it is kept, and the same command goes on
    with it. Nothing is committed when nothing was changed.
    """
    with opened_to_write(context) as (store, base):
        file = base.file(check_name(name))
        refuse_uncommitted(store, base, name)
        edited = EditedFile(store, name, file.path, file.blob)
        edit_prompt(store, base, name, file.read(), edited, order)


def edit_prompt(
    store: PromptStore,
    base: Snapshot,
    name: str,
    start: bytes,
    edited: EditedFile,
    order: Order,
) -> None:
    """Let the person edit the text of a prompt, and commit it.

    Args:
        store: The store.
        base: The prompts that the person saw.
        name: The prompt's name.
        start: The text to begin with.
        edited: The file to edit it in.
        order: How to write.

    Raises:
        PromptStoreError: It cannot be committed; a note says where the text is kept.
    """
    with edited.kept():
        data = edited.edit(start, store.path)
        if data == start or not data.strip():
            edited.drop()
            if order.as_json:
                print_json([])
            fault = "nothing was changed" if data == start else "the text is empty"
            print_error(f"{name}: {fault}, so nothing is committed")
            return
        write_files(store, base, {name: data}, {}, order)
    if order.dry_run:
        print_error(edited.note)
    else:
        edited.drop()
