"""What a sync does in git: it takes in the remote's side of a prompt, or a merge of both sides."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from promptstore.errors import ConflictError
from promptstore.git.refs import start_branch
from promptstore.git.revs import is_ancestor
from promptstore.git.writing import Deadline
from promptstore.model.prompt import Prompt
from promptstore.posthog.content import RemoteContent
from promptstore.posthog.models import RemotePrompt
from promptstore.posthog.sync.comparison import Comparison, Step, SyncOptions
from promptstore.posthog.sync.state import PendingReview, trailers_of
from promptstore.store.edits import Deletion
from promptstore.store.store import PromptStore

_LOCK_SECONDS: Final = 10.0
_NOT_IN_A_PERSON: Final = re.compile(r"[<>\s\0]+")


def pull(both: Comparison, name: str) -> str:
    """Bring the remote's side of a prompt to git, as a commit of the remote's user.

    Returns:
        What was done, in words.
    """
    if name not in both.remote:
        return _pull_archive(both, name)
    return describe(take_in(both, name, both.remote[name].content))


def take_in(both: Comparison, name: str, content: RemoteContent) -> Prompt:
    """Commit a content that takes in the remote's side of a prompt, and record that.

    Returns:
        The prompt as of the commit.
    """
    prompt = _commit(both, name, content, both.store)
    both.state.record({name: both.record(name, prompt.snapshot_commit)})
    return prompt


def describe(prompt: Prompt) -> str:
    """Return which version in git a prompt is, where versions can be counted."""
    return "committed to git" if prompt.version is None else f"version {prompt.version} in git"


def offer(both: Comparison, name: str, branch: str) -> str:
    """Commit the remote's side on a branch, for a pull request.

    Returns:
        What was done, in words.

    Raises:
        ConflictError: There is no commit to begin the branch from.
    """
    store, seen = both.store, both.remote[name]
    tip = both.snapshot.commit
    if tip is None:
        raise ConflictError(names=[name], reason="there is no commit to begin a branch from.")
    if _is_pending(both, name, branch):
        return f"the remote's side is on the branch {branch} already"
    start_branch(store.repository, branch, tip, deadline=Deadline(_LOCK_SECONDS))
    theirs = PromptStore.open(store.path, root=store.root, branch=branch)
    commit = _commit(both, name, seen.content, theirs).snapshot_commit or tip
    # Where there is no base, this one says that there was nothing.
    base = both.base.get(name) or seen.archived(tip)
    pending = PendingReview(commit, seen.content.digest)
    both.state.record({name: replace(base, pending=pending)})
    return f"the remote's side is on the branch {branch}"


def advise(both: Comparison, step: Step, options: SyncOptions) -> str:
    """Return what settles a conflict that is left."""
    if step.name in both.merges:
        return f"{step.reason}, in different lines: `sync pull` merges them"
    is_deletion = step.name not in both.remote or step.name not in both.local
    if options.prefer is not None and is_deletion:
        return f"{step.reason}; say --allow-delete too"
    return (
        f"{step.reason}; settle it by `sync pull --prefer remote`, `sync push --prefer local` or "
        "`sync pull --branch NAME`"
    )


def _pull_archive(both: Comparison, name: str) -> str:
    record, remote = both.known[name], both.state.remote
    if both.api.read(record.remote_name) is not None:
        raise ConflictError(names=[name], reason="it is on the remote after all. Sync again.")
    done = both.store.commit(
        {name: Deletion(reason=f"Archived on {remote}.")},
        base=both.snapshot,
        force=True,
        message=f"Delete {name}, which is gone from {remote}",
        trailers={"Remote-Version": f"{remote} {record.remote_name} archived"},
    )
    both.state.record({name: record.archived(done[name].snapshot_commit)})
    return "deleted in git"


def _commit(both: Comparison, name: str, content: RemoteContent, store: PromptStore) -> Prompt:
    row, local, remote = both.rows[name], both.local.get(name), both.state.remote
    return store.commit(
        {name: both.codec.decode(content, local.prompt if local else None)},
        base=both.snapshot if store is both.store else None,
        force=True,
        message=f"{'Update' if local else 'Create'} {name} from {remote}, version {row.version}",
        author=_person(row),
        trailers=trailers_of(remote, both.remote[name]),
    )[name]


def _is_pending(both: Comparison, name: str, branch: str) -> bool:
    """Return whether a branch has the remote's side, and perhaps what a person made of it."""
    pending = both.known[name].pending if name in both.known else None
    tip = both.store.repository.branch_tip(f"refs/heads/{branch}")
    if pending is None or tip is None or pending.digest != both.remote[name].digest:
        return False
    return is_ancestor(both.store.repository, pending.commit, tip)


def _person(row: RemotePrompt) -> str | None:
    """Return who made a version as git writes it; None where it is not told."""
    person = row.created_by
    if person is None:
        return None
    name = _NOT_IN_A_PERSON.sub(" ", person.name).strip()
    email = _NOT_IN_A_PERSON.sub("", person.email)
    return f"{name or email} <{email}>" if email else None
