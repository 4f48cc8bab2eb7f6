"""The projects of a server: each an open store, whose prompts are found by name and by id."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from promptstore.errors import HistoryUnavailableError, InvalidNameError, PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.posthog.content import decode_name
from promptstore.posthog.fields import read_uuid
from promptstore.server.errors import no_such_prompt, not_found
from promptstore.server.http import AnswerCache, make_etag
from promptstore.server.settings import ProjectSettings
from promptstore.store.lookup import History
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import PromptStore

SPACE: Final = UUID("5b2f6a54-8f0e-4c3e-9f43-6d1b7a0c2e91")
"""Where all ids are derived, so that they are the same on every clone."""


class FileId(NamedTuple):
    """The id of a prompt as its file tells it.

    Attributes:
        id: The id.
        is_written: Whether it stands in the file; else it follows from the name.
        is_deleted: Whether the prompt is deleted.
        is_broken: Whether the file, or one that it includes, cannot be read at present.
    """

    id: str
    is_written: bool = False
    is_deleted: bool = False
    is_broken: bool = False


class Project:
    """One project of a server.

    Threads may share it.

    Attributes:
        settings: What the server was told about it.
        store: Its store.
        answers: What was answered since the branch or a label moved.
        turn: Whose turn it is to write: who comes first writes first.
    """

    def __init__(self, settings: ProjectSettings) -> None:
        self.settings = settings
        self.store = PromptStore.open(
            settings.repository,
            root=settings.root,
            branch=settings.branch,
            worktree=False,
            fetch_interval=settings.fetch_interval,
        )
        self.answers = AnswerCache()
        self.turn = asyncio.Lock()
        self._store_id: UUID | None = None
        self._ids: tuple[str | None, dict[str, str]] = (None, {})
        self._file_ids: Mapping[tuple[str, str], FileId] = {}

    @property
    def id(self) -> int:
        """Its number in URLs."""
        return self.settings.id

    def history(self, snapshot: Snapshot) -> History:
        """Return the history of a snapshot of this project.

        Raises:
            HistoryUnavailableError: The clone is shallow, or there is no commit.
        """
        if snapshot.history is None:
            raise HistoryUnavailableError(
                reason="a server needs the whole history. Run `git fetch --unshallow`."
            )
        return snapshot.history

    def id_of(self, snapshot: Snapshot, prompt: Prompt) -> str:
        """Return the id of a prompt: the one in its file, or the one that follows from its name."""
        if prompt.id is None:
            return self.derived_id(snapshot, prompt.name or "")
        return read_uuid(prompt.id) or prompt.id

    def derived_id(self, snapshot: Snapshot, name: str) -> str:
        """Return the id that follows from a name."""
        if self._store_id is None:
            first = self.history(snapshot).timeline.first_commit()
            # All clones share the first commit, and so the ids.
            self._store_id = uuid5(SPACE, f"store {first} {self.store.root}")
        return str(uuid5(self._store_id, f"prompt {name}"))

    def names_by_id(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the names of all prompts that are not deleted, by id; one in a file goes first."""
        commit, known = self._ids
        if commit is None or commit != snapshot.commit:
            known = self._read_ids(snapshot)
            self._ids = (snapshot.commit, known)
        return known

    def _read_ids(self, snapshot: Snapshot) -> dict[str, str]:
        if snapshot.commit is None:
            return {}
        before = self._file_ids
        keys = [(name, snapshot.file(name).blob) for name in snapshot.names()]
        # A file that was read before is not read again: else each write would read all of them.
        found = {key: before.get(key) or self._read_id(snapshot, key[0]) for key in keys}
        self._file_ids = {key: one for key, one in found.items() if not one.is_broken}
        alive = [(one, name) for (name, _), one in found.items() if not one.is_deleted]
        # Those with an id in the file come last, and so win.
        alive.sort(key=lambda pair: pair[0].is_written)
        return {one.id: name for one, name in alive}

    def _read_id(self, snapshot: Snapshot, name: str) -> FileId:
        try:
            prompt = snapshot.read(name, deleted=True)
        except PromptFileError:
            return FileId(self.derived_id(snapshot, name), is_broken=True)
        return FileId(self.id_of(snapshot, prompt), prompt.id is not None, prompt.deleted)


class Found(NamedTuple):
    """A prompt that was found.

    Attributes:
        snapshot: The snapshot that it was found in.
        prompt: Its newest version there.
    """

    snapshot: Snapshot
    prompt: Prompt

    @property
    def name(self) -> str:
        """Its name in git."""
        return self.prompt.name or ""

    @property
    def latest(self) -> int:
        """The number of its newest version."""
        return self.prompt.version or 0

    @property
    def etag(self) -> str:
        """The state of the prompt, which ``If-Match`` names."""
        prompt = self.prompt
        return make_etag(prompt.name, prompt.commit, prompt.version, prompt.digest)


def find_by_name(project: Project, text: str, *, ids: bool = False) -> Found:
    """Find a prompt that is there and not deleted.

    Args:
        project: The project.
        text: Its name as the API writes it, or as git does.
        ids: Whether its id is taken too.

    Raises:
        ApiError: There is none (404).
    """
    snapshot = project.store.snapshot()
    found = find_file(snapshot, git_name(text))
    if found is None and ids and (wanted := read_uuid(text)):
        found = find_file(snapshot, project.names_by_id(snapshot).get(wanted, ""))
    if found is None or found.prompt.deleted:
        raise no_such_prompt(text)
    return found


def find_by_id(project: Project, text: str) -> Found:
    """Find a prompt that is there and not deleted by its id.

    Raises:
        ApiError: There is none (404).
    """
    snapshot = project.store.snapshot()
    name = project.names_by_id(snapshot).get(read_uuid(text) or "")
    found = find_file(snapshot, name or "")
    if found is None:
        raise not_found()
    return found


def git_name(text: str) -> str:
    """Return the name in git of a name as the API writes it, or as git does; else nothing."""
    if "/" in text or "." in text:
        return text
    try:
        return decode_name(text)
    except InvalidNameError:
        return ""


def find_file(snapshot: Snapshot, name: str) -> Found | None:
    """Find a prompt whose file is there, deleted or not; None where there is none."""
    return Found(snapshot, snapshot.read(name, deleted=True)) if snapshot.find(name) else None


def open_projects(settings: Sequence[ProjectSettings]) -> dict[int, Project]:
    """Open the stores of all projects.

    Raises:
        RepositoryError: A repository cannot be opened.
        RevisionNotFoundError: A branch is not there.
        HistoryUnavailableError: A clone is shallow, or no repository at all.
    """
    projects = {one.id: Project(one) for one in settings}
    for project in projects.values():
        if project.store.position().tip is not None:
            # The first question brings the index up, so that no request waits for that.
            project.history(project.store.snapshot()).timeline.first_commit()
    return projects
