"""The projects of a server, each an open store with what was answered lately."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from starlette.responses import Response

from promptstore.errors import HistoryUnavailableError, PromptFileError
from promptstore.model.prompt import Prompt
from promptstore.server import ids
from promptstore.server.settings import ProjectSettings
from promptstore.store.history import History
from promptstore.store.snapshot import Snapshot
from promptstore.store.store import Position, PromptStore

Question: TypeAlias = tuple[str, bytes, str]
"""What a read asks: the path and the query as they were sent, and the origin."""

_MAX_KEPT_BYTES: Final = 32 * 1024 * 1024


class Kept(NamedTuple):
    """An answer to a read, ready to be sent again.

    Attributes:
        etag: The state that it shows.
        answer: The answer, or None where the client had it already.
    """

    etag: str
    answer: Response | None


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


class Moment:
    """What was answered while the branch and the labels stayed where they are.

    Attributes:
        position: Where they are.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self._answers: dict[Question, Kept] = {}
        self._bytes = 0

    def find(self, question: Question) -> Kept | None:
        """Find the answer to a question that was asked before."""
        return self._answers.get(question)

    def keep(self, question: Question, answer: Kept) -> None:
        """Remember an answer; when all together are too large, all are forgotten."""
        body = answer.answer.body if answer.answer else b""
        self._bytes += len(body) + sum(map(len, question))
        if self._bytes > _MAX_KEPT_BYTES:
            self._answers.clear()
            self._bytes = 0
            return
        self._answers[question] = answer


class Project:
    """One project of a server.

    Threads may share it.

    Attributes:
        settings: What the server was told about it.
        store: Its store.
        turn: Whose turn it is to write: who comes first writes first.
    """

    def __init__(self, settings: ProjectSettings) -> None:
        self.settings = settings
        self.store = PromptStore.open(
            settings.repository, root=settings.root, branch=settings.branch
        )
        self.turn = asyncio.Lock()
        self._moment: Moment | None = None
        self._store_id: UUID | None = None
        self._ids: tuple[str | None, dict[str, str]] = (None, {})
        self._file_ids: Mapping[tuple[str, str], FileId] = {}

    @property
    def id(self) -> int:
        """Its number in URLs."""
        return self.settings.id

    def moment(self) -> Moment:
        """Tell the present moment, with what was answered in it."""
        position = self.store.position()
        moment = self._moment
        if moment is None or moment.position != position:
            moment = self._moment = Moment(position)
        return moment

    def history(self, snapshot: Snapshot) -> History:
        """Give the history of a snapshot of this project.

        Raises:
            HistoryUnavailableError: The clone is shallow, or there is no commit.
        """
        if snapshot.history is None:
            raise HistoryUnavailableError(
                reason="a server needs the whole history. Run `git fetch --unshallow`."
            )
        return snapshot.history

    def id_of(self, snapshot: Snapshot, prompt: Prompt) -> str:
        """Give the id of a prompt: the one in its file, or the one that follows from its name."""
        if prompt.id is None:
            return self.derived_id(snapshot, prompt.name or "")
        return ids.read_uuid(prompt.id) or prompt.id

    def derived_id(self, snapshot: Snapshot, name: str) -> str:
        """Give the id that follows from a name."""
        if self._store_id is None:
            first = self.history(snapshot).timeline.first_commit()
            self._store_id = ids.store_id(first, self.store.root)
        return ids.prompt_id(self._store_id, name)

    def names_by_id(self, snapshot: Snapshot) -> dict[str, str]:
        """List the names of the prompts that are not deleted by id; an id in a file goes first."""
        commit, known = self._ids
        if commit is None or commit != snapshot.commit:
            known = self._read_ids(snapshot)
            self._ids = (snapshot.commit, known)
        return known

    def note_made(self, snapshot: Snapshot, made: Prompt) -> None:
        """Take note of a new prompt, so that the ids of all others need not be read again.

        Args:
            snapshot: The prompts that it was added to.
            made: The prompt.
        """
        commit, known = self._ids
        if commit is None or commit != snapshot.commit or made.snapshot_commit is None:
            return
        newest = next(self.store.repository.walk(made.snapshot_commit))
        # Else somebody else's commit came in between.
        if newest.parent == commit and made.name is not None:
            now = self.store.snapshot(newest.id)
            self._ids = (newest.id, {**known, self.id_of(now, made): made.name})

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
