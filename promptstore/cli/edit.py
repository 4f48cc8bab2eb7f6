"""``promptstore new`` and ``edit``: a prompt in one's own editor, and its text is never lost.

The editor is the one program that is run here, as the person's own settings name it.

With ``--json`` what `promptstore.cli.writing` says; an empty array where nothing was written.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

import typer

from promptstore.cli.app import NameOnly, opened
from promptstore.cli.inputs import input_title, read_input, somebody_is_there
from promptstore.cli.output import print_error, print_json
from promptstore.cli.writing import Order, Write, takes_forcible_order
from promptstore.errors import (
    InvalidArgumentError,
    PromptFileError,
    PromptStoreError,
    RepositoryError,
)
from promptstore.git.reading import Repository
from promptstore.model.values import SUFFIX, check_name
from promptstore.promptfile.reader import loads
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

_VARIABLES: Final = ("GIT_EDITOR", "VISUAL", "EDITOR")
_BASE_LENGTH: Final = 12
_NEW: Final = "new"
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


@takes_forcible_order
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The new prompt's name.", metavar="NAME")],
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
    with opened(context, write=True) as store:
        write = Write(store, order)
        _refuse_present(write.base, check_name(name))
        write.refuse_uncommitted(name)
        if from_ is not None:
            data = read_input(from_)
            loads(data, input_title(from_))
            write.commit_files({name: data})
        elif no_edit:
            write.commit_files({name: skeleton})
        else:
            path = (PurePosixPath(store.root) / f"{name}{SUFFIX}").as_posix()
            _edit(write, name, skeleton, _EditedFile(store, name, path, None))


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


@takes_forcible_order
def edit(context: typer.Context, name: NameOnly, *, order: Order) -> None:
    """Edit a prompt's file in your editor and commit it.

    The editor is the one that git opens: GIT_EDITOR, core.editor, VISUAL or EDITOR. The text is
    checked before it is committed; where it is wrong, it is kept, and the same command goes on
    with it. Nothing is committed when nothing was changed.
    """
    with opened(context, write=True) as store:
        write = Write(store, order)
        file = write.base.file(check_name(name))
        write.refuse_uncommitted(name)
        _edit(write, name, file.read(), _EditedFile(store, name, file.path, file.blob))


def _edit(write: Write, name: str, start: bytes, edited: _EditedFile) -> None:
    """Let the person edit a prompt, and commit it; a note of an error says where the text is."""
    try:
        data = edited.edit(start)
        if data == start or not data.strip():
            edited.path.unlink(missing_ok=True)
            if write.order.as_json:
                print_json([])
            fault = "nothing was changed" if data == start else "the text is empty"
            print_error(f"{name}: {fault}, so nothing is committed")
            return
        write.commit_files({name: data})
    except PromptStoreError as error:
        if edited.path.is_file():
            error.add_note(edited.note)
        raise
    if write.order.dry_run:
        print_error(edited.note)
    else:
        edited.path.unlink(missing_ok=True)


class _EditedFile:
    """The file that an editor is opened on; it stays until its text is committed.

    Its name has the id of the text that the edit began with, so that an edit of an older text is
    never taken for one of the newest.
    """

    def __init__(self, store: PromptStore, name: str, path: str, base: str | None) -> None:
        stem = path.removesuffix(SUFFIX)
        folder = Repository.discover(store.path).git_dir / "promptstore" / "edits"
        self._store = store
        self._name = name
        self._base = base
        self.path = folder / f"{stem}.{(base or _NEW)[:_BASE_LENGTH]}{SUFFIX}"
        leaf = re.escape(Path(stem).name)
        self._alike = re.compile(rf"{leaf}\.(?:{_NEW}|[0-9a-f]{{{_BASE_LENGTH}}})\.yaml")

    def edit(self, start: bytes) -> bytes:
        """Let the person edit, from where an earlier edit ended or from the start."""
        editor = _find_editor(self._store.path)
        try:
            if self.path.is_file():
                print_error(f"going on with the text kept in {self.path}")
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.write_bytes(start)
            for other in sorted(self.path.parent.iterdir()):
                if other != self.path and self._alike.fullmatch(other.name):
                    print_error(f"an edit of an older text is kept in {other}")
            _run(editor, self.path)
            return self.path.read_bytes()
        except OSError as error:
            raise RepositoryError(path=str(self.path), reason=f"{error.strerror}.") from error

    @property
    def note(self) -> str:
        """Where the text is kept, and how to go on."""
        file = self._store.snapshot().find(self._name)
        if (file.blob if file else None) != self._base:
            return (
                f"Your text is kept in {self.path}; `promptstore edit {self._name}` opens the one "
                "that is there now."
            )
        verb = "edit" if file else "new"
        return (
            f"The text is kept in {self.path}; `promptstore {verb} {self._name}` goes on with it."
        )


def _find_editor(folder: Path) -> str:
    """Find the editor that git would open: see GIT_EDITOR in git-var(1)."""
    if not somebody_is_there() and not any(map(os.environ.get, _VARIABLES)):
        raise InvalidArgumentError(
            message="there is no terminal to open an editor on, and neither VISUAL nor EDITOR is "
            "set. `promptstore save` and `promptstore new --from` take the text from a file."
        )
    command = ["git", "var", "GIT_EDITOR"]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise InvalidArgumentError(
            message="the git program, which knows your editor, is not installed. "
            "`promptstore save` and `promptstore new --from` take the text from a file."
        ) from error
    if done.returncode:
        raise InvalidArgumentError(
            message=f"git knows no editor ({done.stderr.strip()}); set VISUAL or EDITOR"
        )
    return done.stdout.strip()


def _run(editor: str, file: Path) -> None:
    # The editor is a line of shell, as for git: it may hold arguments and quotes.
    command = ["sh", "-c", f'{editor} "$@"', editor, str(file)]
    code = subprocess.run(command, check=False).returncode  # noqa: S603
    if code:
        raise InvalidArgumentError(
            message=f"the editor {editor!r} ended with the code {code}, so nothing was committed"
        )
