"""What a sync does to one prompt: push it, pull it, or settle a conflict about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic

from promptstore.edits import Deletion, Edit
from promptstore.errors import ConflictError, RemoteError
from promptstore.model import Prompt
from promptstore.repository import start_branch
from promptstore.store import PromptStore
from promptstore.sync.comparison import Comparison, Seen, SyncRules, archived, wire_of
from promptstore.sync.encoding import Wire, decode, encode
from promptstore.sync.sides import AnyRow, Remote, Row
from promptstore.sync.state import Held, RemoteState

MAX_DESCRIPTION: Final = 400
_BATCH: Final = 25
_NOT_IN_A_PERSON: Final = re.compile(r"[<>\s\0]+")


class Memory:
    """Collects what the remote holds by now, and writes it to the state now and then.

    A process that is killed in between loses nothing: where both sides are equal the next sync
    sees it, and only notes it.

    Args:
        state: The state.
    """

    def __init__(self, state: RemoteState) -> None:
        self._state = state
        self._moves: dict[str, Held] = {}

    def note(self, name: str, held: Held) -> None:
        """Remember the state of one prompt."""
        self._moves[name] = held
        if len(self._moves) >= _BATCH:
            self.write()

    def write(self) -> None:
        """Write what was collected."""
        if self._moves:
            self._state.record(self._moves)
            self._moves = {}


@dataclass(frozen=True, slots=True)
class Actions(Generic[AnyRow]):
    """The acts of one sync. Each gives a few words on what it did.

    Attributes:
        store: The store.
        remote: The remote.
        remote_name: Its name in the configuration.
        rules: How prompts are kept in step.
        comparison: Both sides as they were looked at.
        memory: What remembers the remote's state.
    """

    store: PromptStore
    remote: Remote[AnyRow]
    remote_name: str
    rules: SyncRules
    comparison: Comparison[AnyRow]
    memory: Memory

    def push(self, name: str) -> str:
        """Bring git's side of a prompt to the remote."""
        local = self.comparison.local.get(name)
        if local is None or local.prompt.deleted:
            return self._push_archive(name)
        return self._publish(name, local.wire, local.prompt.commit)

    def pull(self, name: str) -> str:
        """Bring the remote's side of a prompt to git, as a commit of the remote's user."""
        seen = self.comparison.remote.get(name)
        if seen is None:
            return self._pull_archive(name)
        prompt = self._commit(name, self._decoded(name, seen.wire), seen, self.store)
        self.memory.note(name, seen.held())
        return _here(prompt)

    def merge(self, name: str, *, and_push: bool) -> str:
        """Commit what both sides are together; the remote gets it now or by the next push."""
        seen = self.comparison.remote[name]
        merged = self._decoded(name, self.comparison.merges[name])
        prompt = self._commit(name, merged, seen, self.store)
        self.memory.note(name, seen.held())
        if not and_push:
            return f"merged: {_here(prompt)}; push it now"
        wire = encode(
            prompt, keeps_config=self.comparison.keeps_config, as_source=self.rules.as_source
        )
        return f"merged, {self._publish(name, wire, prompt.commit)}"

    def keep_local(self, name: str, *, and_push: bool) -> str:
        """Let git's side win; what the remote held is kept in its state first."""
        seen = self.comparison.remote.get(name)
        base = self.comparison.base.get(name)
        if seen is not None:
            self.memory.note(name, seen.held())
        elif base is not None:
            self.memory.note(name, archived(base))
        self.memory.write()
        return f"kept git's side, {self.push(name)}" if and_push else "kept git's side; push it now"

    def offer(self, name: str, branch: str) -> str:
        """Commit the remote's side on a branch, for a pull request."""
        seen = self.comparison.remote[name]
        tip = self.comparison.snapshot.commit
        if tip is None:
            raise ConflictError(names=[name], reason="there is no commit to begin a branch from.")
        start_branch(self.store.repository, branch, tip)
        store = PromptStore.open(self.store.path, root=self.store.root, branch=branch)
        self._commit(name, self._decoded(name, seen.wire), seen, store)
        base = self.comparison.base.get(name) or archived(seen.held())
        commit = self.store.repository.branch_tip(f"refs/heads/{branch}") or tip
        self.memory.note(name, replace(base, offered=(commit, seen.wire.digest)))
        return f"the remote's side is on the branch {branch}"

    def _publish(self, name: str, wire: Wire, commit: str | None) -> str:
        seen = self.comparison.remote.get(name)
        spelling = self.rules.naming.to_remote(name)
        description = self._description(commit)

        def write() -> AnyRow:
            if seen is None:
                return self.remote.create(spelling, wire.text, wire.config, description)
            return self.remote.publish(seen.row, wire.text, wire.config, description)

        answer = self._certainly(spelling, wire, write)
        self.memory.note(name, self._seen(answer).held())
        return f"version {answer.version} on the remote"

    def _certainly(self, spelling: str, wire: Wire, write: Callable[[], AnyRow]) -> AnyRow:
        """Write, and where the answer was lost look whether it happened."""
        try:
            return write()
        except RemoteError as error:
            if not error.may_have_written:
                raise
            found = self.remote.read(spelling)
            wanted = wire if self.remote.keeps_config else Wire(wire.text)
            if found is None or self._seen(found).wire.digest != wanted.digest:
                raise
            return found

    def _seen(self, row: AnyRow) -> Seen[AnyRow]:
        return Seen(row, wire_of(row, keeps_config=self.remote.keeps_config))

    def _push_archive(self, name: str) -> str:
        seen = self.comparison.remote[name]
        try:
            self.remote.archive(seen.row)
        except RemoteError as error:
            if not error.may_have_written or self.remote.read(seen.row.name) is not None:
                raise
        self.memory.note(name, archived(seen.held()))
        return "archived on the remote"

    def _pull_archive(self, name: str) -> str:
        held = self.comparison.base[name]
        if self.remote.read(held.spelling) is not None:
            raise ConflictError(names=[name], reason="it is on the remote after all. Sync again.")
        self.store.commit(
            {name: Deletion(reason=f"Archived on {self.remote_name}.")},
            base=self.comparison.snapshot,
            message=f"Delete {name}, which is gone from {self.remote_name}",
            trailers={"Remote-Version": f"{self.remote_name} {held.spelling} archived"},
        )
        self.memory.note(name, archived(held))
        return "deleted in git"

    def _decoded(self, name: str, wire: Wire) -> Prompt:
        local = self.comparison.local.get(name)
        return decode(
            wire,
            local.prompt if local else None,
            keeps_config=self.comparison.keeps_config,
            as_source=self.rules.as_source,
        )

    def _commit(self, name: str, prompt: Edit, seen: Seen[AnyRow], store: PromptStore) -> Prompt:
        row = seen.row
        verb = "Update" if name in self.comparison.local else "Create"
        return store.commit(
            {name: prompt},
            base=self.comparison.snapshot if store is self.store else None,
            message=f"{verb} {name} from {self.remote_name}, version {row.version}",
            author=_person(row),
            trailers={
                "Remote-Version": f"{self.remote_name} {row.name} {row.version}",
                "Remote-Id": row.id,
            },
        )[name]

    def _description(self, commit: str | None) -> str:
        """Say on the remote which commit a version is from."""
        if commit is None:
            return "From git"
        subject = self.store.repository.commit(commit).message.strip().partition("\n")[0]
        return f"{commit[:12]} {subject}".strip()[:MAX_DESCRIPTION]


def _here(prompt: Prompt) -> str:
    """Say which version of git a prompt is, where versions can be counted."""
    return "committed to git" if prompt.version is None else f"version {prompt.version} in git"


def _person(row: Row) -> str | None:
    """Write who made a version as git does; None where it is not told."""
    person = row.created_by
    if person is None:
        return None
    name = _NOT_IN_A_PERSON.sub(" ", person.name).strip()
    email = _NOT_IN_A_PERSON.sub("", person.email)
    return f"{name or email} <{email}>" if email else None
