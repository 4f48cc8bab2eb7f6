"""A person's own editor on the text of a prompt, which is never lost."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from promptstore.cli.inputs import somebody_is_there
from promptstore.cli.output import print_error
from promptstore.errors import InvalidArgumentError, PromptStoreError, RepositoryError
from promptstore.git.reading import Repository
from promptstore.model.names import SUFFIX
from promptstore.store.store import PromptStore

_VARIABLES: Final = ("GIT_EDITOR", "VISUAL", "EDITOR")
_BASE_LENGTH: Final = 12
_NEW: Final = "new"


class EditedFile:
    """The file that an editor is opened on; it stays until its text is committed.

    Its name tells which text the edit began with, so that an edit of an older text is never taken
    for one of the newest.

    Args:
        store: The store, in whose git directory it lies.
        name: The prompt's name.
        path: The path of the prompt's file in the repository.
        base: The id of the text that the edit begins with, or None for a new prompt.
    """

    def __init__(self, store: PromptStore, name: str, path: str, base: str | None) -> None:
        stem = path.removesuffix(SUFFIX)
        folder = Repository.discover(store.path).git_dir / "promptstore" / "edits"
        self._store = store
        self._name = name
        self._base = base
        self.path = folder / f"{stem}.{(base or _NEW)[:_BASE_LENGTH]}{SUFFIX}"
        self._leaf = Path(stem).name

    @property
    def is_there(self) -> bool:
        """Return whether an earlier edit was kept."""
        return self.path.is_file()

    def edit(self, start: bytes, folder: Path) -> bytes:
        """Let the person edit, from where an earlier edit ended or from the start.

        Args:
            start: The text to begin with.
            folder: The folder to start the editor in.

        Returns:
            The text after that.

        Raises:
            InvalidArgumentError: There is no editor, or it failed.
            RepositoryError: The file cannot be written.
        """
        editor = _find_editor(folder)
        try:
            if self.is_there:
                print_error(f"going on with the text kept in {self.path}")
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.write_bytes(start)
            for other in self._others():
                print_error(f"an edit of an older text is kept in {other}")
            _run(editor, self.path)
            return self.path.read_bytes()
        except OSError as error:
            raise RepositoryError(path=str(self.path), reason=f"{error.strerror}.") from error

    def drop(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Note where the text is when something goes wrong."""
        try:
            yield
        except PromptStoreError as error:
            if self.is_there:
                error.add_note(self.note)
            raise

    @property
    def note(self) -> str:
        """Return where the text is kept, and how to go on."""
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

    def _others(self) -> list[Path]:
        pattern = re.compile(
            rf"{re.escape(self._leaf)}\.(?:{_NEW}|[0-9a-f]{{{_BASE_LENGTH}}})\.yaml"
        )
        siblings = self.path.parent.iterdir()
        return sorted(
            file for file in siblings if file != self.path and pattern.fullmatch(file.name)
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
