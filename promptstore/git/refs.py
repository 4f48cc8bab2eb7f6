"""References that are joined with another history, or begin at a commit that is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pygit2

from promptstore.errors import ConflictError, RepositoryLockedError
from promptstore.git.commits import (
    CommitNote,
    FileChange,
    Move,
    choose_signatures,
    store_commit,
)
from promptstore.git.reading import Repository
from promptstore.git.revs import is_ancestor
from promptstore.git.writing import Deadline, move_to

_COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}")
_MOST_BYTES: Final = 240
"""A reference is a file, and so is its lock: its name must leave room for a few bytes more."""


def join_ref(
    repository: Repository,
    ref: str,
    tip: str | None,
    other: str,
    files: Sequence[FileChange],
    note: CommitNote,
    *,
    deadline: Deadline,
) -> None:
    """Bring another history into that of a reference.

    A reference that is part of the other history, or is not there, only moves forward. Else a merge
    is committed.

    Args:
        repository: The repository.
        ref: The reference's full name.
        tip: Where the reference stands; None where there is none.
        other: The newest commit of the other history.
        files: What a merge changes on top of the reference.
        note: The author, the committer and the message of a merge.
        deadline: How long locks of others are waited for.

    Raises:
        RepositoryLockedError: Another process held a lock for too long, or moved the reference.
        ReadOnlyError: The repository cannot be written.
        RepositoryError: Git could not do it.
    """

    def draft(fresh: Repository, now: str | None) -> tuple[str, tuple[Move, ...]]:
        if now != tip:
            raise RepositoryLockedError(
                path=str(repository.git_dir),
                reason=f"another process moved {ref} meanwhile. Try again.",
            )
        if tip is None or is_ancestor(fresh, tip, other):
            return other, ()
        return store_commit(fresh, [tip, other], files, note)

    move_to(repository, ref, draft, note, deadline)


def start_branch(repository: Repository, branch: str, commit: str, *, deadline: Deadline) -> None:
    """Make a branch that begins at a commit; one that is there already stays where it is.

    Args:
        repository: The repository.
        branch: The branch's name.
        commit: The commit's id.
        deadline: How long locks of others are waited for.

    Raises:
        ConflictError: The name cannot be a branch's.
        RepositoryError: Git could not do it.
    """
    ref = check_branch_name(branch)
    by, through = choose_signatures(repository)
    note = CommitNote(by, through, f"Start {branch}")
    move_to(repository, ref, lambda _, tip: None if tip else (commit, ()), note, deadline)


def check_branch_name(branch: str) -> str:
    """Return the reference of a branch, whose name is one that git takes.

    Raises:
        ConflictError: The name cannot be a branch's.
    """
    ref = f"refs/heads/{branch}"
    is_other = branch.startswith(("-", "refs/")) or branch in ("HEAD", "@") or "\0" in branch
    if len(branch.encode()) > _MOST_BYTES:
        reason = f"the name of a branch has at most {_MOST_BYTES} bytes."
        raise ConflictError(names=[branch], reason=reason)
    if is_other or _COMMIT_ID.fullmatch(branch) or not pygit2.reference_is_valid_name(ref):
        raise ConflictError(names=[branch], reason="this cannot be the name of a branch.")
    return ref


def explain_name(handle: pygit2.Repository, ref: str) -> None:
    """Raise an error where a branch has the name of a folder that a reference needs."""
    segments = ref.split("/")
    for depth in range(3, len(segments)):
        other = "/".join(segments[:depth])
        if other in handle.references:
            name, wanted = (full.split("/", 2)[2] for full in (other, ref))
            raise ConflictError(
                names=[wanted],
                reason=f"git cannot have this branch beside one that is called {name!r}. Rename "
                f"that one: `git branch -m {name} NEW-NAME`.",
            )
