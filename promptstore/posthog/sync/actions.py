"""What a sync does to one prompt: push it, pull it, or settle a conflict about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from promptstore.errors import ConflictError, RemoteError
from promptstore.git.refs import start_branch
from promptstore.git.revs import is_ancestor
from promptstore.git.writing import Deadline
from promptstore.model.prompt import Prompt
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync.comparison import Comparison, SeenPrompt, archived
from promptstore.posthog.sync.remote import RemotePrompts, SyncRules
from promptstore.posthog.sync.state import PendingReview, RemoteRecord, RemoteState, trailers_of
from promptstore.store.edits import Deletion, Edit
from promptstore.store.store import PromptStore

MAX_DESCRIPTION: Final = 400
_LOCK_SECONDS: Final = 10.0
_NOT_IN_A_PERSON: Final = re.compile(r"[<>\s\0]+")


@dataclass(frozen=True, slots=True)
class Actions:
    """The acts of one sync. Each gives a few words on what it did.

    Attributes:
        store: The store.
        remote: The remote.
        rules: How prompts are kept in step.
        comparison: Both sides as they were looked at.
        state: What remembers the remote's side. Each act is recorded as soon as it is done, so a
            process that is killed leaves at most one that is not; both sides are equal then, and
            the next sync notes it.
    """

    store: PromptStore
    remote: RemotePrompts
    rules: SyncRules
    comparison: Comparison
    state: RemoteState

    def push(self, name: str) -> str:
        """Bring git's side of a prompt to the remote."""
        local = self.comparison.local.get(name)
        if local is None or local.prompt.deleted:
            return self._push_archive(name)
        return self._publish(
            name, local.content, local.prompt.commit, self.comparison.snapshot.commit
        )

    def pull(self, name: str) -> str:
        """Bring the remote's side of a prompt to git, as a commit of the remote's user."""
        seen = self.comparison.remote.get(name)
        if seen is None:
            return self._pull_archive(name)
        prompt = self._commit(name, self._decoded(name, seen.content), seen, self.store)
        self._note(name, self.comparison.record(name, prompt.snapshot_commit))
        return _here(prompt)

    def merge(self, name: str, *, and_push: bool) -> str:
        """Commit what both sides are together; the remote gets it now or by the next push."""
        seen = self.comparison.remote[name]
        merged = self._decoded(name, self.comparison.merges[name])
        prompt = self._commit(name, merged, seen, self.store)
        self._note(name, self.comparison.record(name, prompt.snapshot_commit))
        if not and_push:
            return f"merged: {_here(prompt)}; push it now"
        content = self.comparison.codec.encode(prompt)
        return f"merged, {self._publish(name, content, prompt.commit, prompt.snapshot_commit)}"

    def keep_local(self, name: str, *, and_push: bool) -> str:
        """Let git's side win; what the remote held is kept in its state first."""
        known = self.comparison.known.get(name)
        if name in self.comparison.remote:
            self._note(name, self.comparison.record(name))
        elif known is not None:
            self._note(name, archived(known, self.comparison.snapshot.commit))
        return f"kept git's side, {self.push(name)}" if and_push else "kept git's side; push it now"

    def offer(self, name: str, branch: str) -> str:
        """Commit the remote's side on a branch, for a pull request."""
        seen = self.comparison.remote[name]
        tip = self.comparison.snapshot.commit
        if tip is None:
            raise ConflictError(names=[name], reason="there is no commit to begin a branch from.")
        if self._is_pending(name, branch):
            return f"the remote's side is on the branch {branch} already"
        start_branch(self.store.repository, branch, tip, deadline=Deadline(_LOCK_SECONDS))
        store = PromptStore.open(self.store.path, root=self.store.root, branch=branch)
        prompt = self._commit(name, self._decoded(name, seen.content), seen, store)
        # Where there is no base, this one says that there was nothing.
        base = self.comparison.base.get(name) or archived(seen.record(), tip)
        commit = prompt.snapshot_commit or tip
        self._note(name, replace(base, pending=PendingReview(commit, seen.content.digest)))
        return f"the remote's side is on the branch {branch}"

    def _is_pending(self, name: str, branch: str) -> bool:
        """Return whether a branch has the remote's side, and perhaps what a person made of it."""
        known, tip = (
            self.comparison.known.get(name),
            self.store.repository.branch_tip(_head(branch)),
        )
        if known is None or known.pending is None or tip is None:
            return False
        is_same = known.pending.digest == self.comparison.remote[name].content.digest
        return is_same and is_ancestor(self.store.repository, known.pending.commit, tip)

    def _note(self, name: str, record: RemoteRecord) -> None:
        self.state.record({name: record})

    def _publish(
        self, name: str, content: RemoteContent, commit: str | None, synced: str | None
    ) -> str:
        remote_name = self.rules.to_remote(name)
        seen = self.comparison.remote.get(name) or self._brought_back(name, remote_name)
        if seen is not None and seen.content.digest == content.digest:
            return f"version {seen.row.version} on the remote"
        description = self._description(commit)

        def write() -> RemotePrompt:
            if seen is None:
                return self.remote.create(remote_name, content, description)
            return self.remote.publish(seen.row, content, description)

        answer = self._certainly(remote_name, content, write)
        self._note(
            name, self.comparison.seen(answer).record(synced, self.comparison.known.get(name))
        )
        return f"version {answer.version} on the remote"

    def _brought_back(self, name: str, remote_name: str) -> SeenPrompt | None:
        """Unarchive a prompt, so that its id and history live on; None where that cannot be."""
        known = self.comparison.known.get(name)
        if known is None or not known.deleted:
            return None
        row = self._unarchived(remote_name)
        if row is None:
            return None
        seen = self.comparison.seen(row)
        if seen.content.digest != known.content.digest:
            reason = "it came back with another text than was known. Sync again."
            raise ConflictError(names=[name], reason=reason)
        self._note(name, seen.record(self.comparison.snapshot.commit))
        return seen

    def _unarchived(self, remote_name: str) -> RemotePrompt | None:
        try:
            return self.remote.unarchive(remote_name)
        except RemoteError as error:
            if not error.may_have_written:
                raise
            found = self.remote.read(remote_name)
            if found is None:
                raise
            return found

    def _certainly(
        self, remote_name: str, content: RemoteContent, write: Callable[[], RemotePrompt]
    ) -> RemotePrompt:
        """Write, and where the answer was lost look whether it happened."""
        try:
            return write()
        except RemoteError as error:
            if not error.may_have_written:
                raise
            found = self.remote.read(remote_name)
            wanted = content if self.remote.keeps_config else replace(content, config={})
            if found is None or self.comparison.seen(found).content.digest != wanted.digest:
                raise
            return found

    def _push_archive(self, name: str) -> str:
        seen = self.comparison.remote[name]
        try:
            self.remote.archive(seen.row)
        except RemoteError as error:
            # The list is asked, as a busy server says of a single prompt that it is not there.
            if not error.may_have_written or seen.row.name in {x.name for x in self.remote.fetch()}:
                raise
        self._note(name, archived(seen.record(), self.comparison.snapshot.commit))
        return "archived on the remote"

    def _pull_archive(self, name: str) -> str:
        record = self.comparison.known[name]
        if self.remote.read(record.remote_name) is not None:
            raise ConflictError(names=[name], reason="it is on the remote after all. Sync again.")
        done = self.store.commit(
            {name: Deletion(reason=f"Archived on {self.state.remote}.")},
            base=self.comparison.snapshot,
            force=True,
            message=f"Delete {name}, which is gone from {self.state.remote}",
            trailers={"Remote-Version": f"{self.state.remote} {record.remote_name} archived"},
        )
        self._note(name, archived(record, done[name].snapshot_commit))
        return "deleted in git"

    def _decoded(self, name: str, content: RemoteContent) -> Prompt:
        local = self.comparison.local.get(name)
        return self.comparison.codec.decode(content, local.prompt if local else None)

    def _commit(self, name: str, prompt: Edit, seen: SeenPrompt, store: PromptStore) -> Prompt:
        row = seen.row
        verb = "Update" if name in self.comparison.local else "Create"
        return store.commit(
            {name: prompt},
            base=self.comparison.snapshot if store is self.store else None,
            force=True,
            message=f"{verb} {name} from {self.state.remote}, version {row.version}",
            author=_person(row),
            trailers=trailers_of(self.state.remote, seen.record()),
        )[name]

    def _description(self, commit: str | None) -> str:
        """Return what the remote is told about a version: the commit that it is from."""
        if commit is None:
            return "From git"
        subject = self.store.repository.commit(commit).message.strip().partition("\n")[0]
        return f"{commit[:12]} {subject}".strip()[:MAX_DESCRIPTION]


def _head(branch: str) -> str:
    return f"refs/heads/{branch}"


def _here(prompt: Prompt) -> str:
    """Return which version in git a prompt is, where versions can be counted."""
    return "committed to git" if prompt.version is None else f"version {prompt.version} in git"


def _person(row: RemotePrompt) -> str | None:
    """Return who made a version as git writes it; None where it is not told."""
    person = row.created_by
    if person is None:
        return None
    name = _NOT_IN_A_PERSON.sub(" ", person.name).strip()
    email = _NOT_IN_A_PERSON.sub("", person.email)
    return f"{name or email} <{email}>" if email else None
