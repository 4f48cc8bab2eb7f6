"""References beside branches: commits that belong to no branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pygit2

from promptstore.errors import ConflictError, RepositoryLockedError
from promptstore.git.commits import (
    CommitNote,
    FileChange,
    add_files,
    move_ref,
    new_objects,
    store_commit,
    tip_of,
)
from promptstore.git.locks import Patience
from promptstore.git.reading import Repository, translated
from promptstore.git.revs import is_ancestor


def update_ref(
    repository: Repository,
    ref: str,
    plan: Callable[[str | None], Sequence[FileChange]],
    note: CommitNote,
    *,
    patience: Patience,
) -> str | None:
    """Put file changes on top of a reference that is no branch, as one commit.

    No working tree follows it, so a process that dies leaves the old state or the new one.

    Args:
        repository: The repository.
        ref: The reference's full name, such as ``refs/promptstore/remotes/posthog``.
        plan: Gives the changes for a tip of the reference (None where there is none). It is asked
            again whenever somebody else moved the reference meanwhile.
        note: The author, the committer and the message.
        patience: How long locks of others are waited for.

    Returns:
        The commit's id, or None where the changes change nothing.

    Raises:
        RepositoryLockedError: Another process held a lock for too long.
        ReadOnlyError: The repository cannot be written.
        RepositoryError: Git could not do it.
    """
    with translated(repository.git_dir):
        while True:
            tip = tip_of(repository, ref)
            objects = new_objects(repository)
            moves = add_files(repository, objects, tip, plan(tip))
            if all(move.before == move.after for move in moves):
                return None
            commit = store_commit(repository, objects, [tip] if tip else [], moves, note)
            if move_ref(repository, ref, tip, commit, note, patience):
                return commit
            patience.wait(repository.common_dir / ref, "ever new commits of others")


def join_ref(
    repository: Repository,
    ref: str,
    tip: str | None,
    other: str,
    files: Sequence[FileChange],
    note: CommitNote,
    *,
    patience: Patience,
) -> None:
    """Bring another history into that of a reference which is no branch.

    A reference that is part of the other history, or is not there, only moves forward. Else a merge
    is committed.

    Args:
        repository: The repository.
        ref: The reference's full name.
        tip: Where the reference stands; None where there is none.
        other: The newest commit of the other history.
        files: What a merge changes on top of the reference.
        note: The author, the committer and the message of a merge.
        patience: How long locks of others are waited for.

    Raises:
        RepositoryLockedError: Another process held a lock for too long, or moved the reference.
        ReadOnlyError: The repository cannot be written.
        RepositoryError: Git could not do it.
    """
    with translated(repository.git_dir):
        commit = other
        if tip is not None and not is_ancestor(repository, tip, other):
            objects = new_objects(repository)
            moves = add_files(repository, objects, tip, files)
            commit = store_commit(repository, objects, [tip, other], moves, note)
        if not move_ref(repository, ref, tip, commit, note, patience):
            raise RepositoryLockedError(
                path=str(repository.git_dir),
                reason=f"another process moved {ref} meanwhile. Try again.",
            )


def start_branch(repository: Repository, branch: str, commit: str) -> None:
    """Make a branch that begins at a commit; one that is there already stays where it is.

    Args:
        repository: The repository.
        branch: The branch's name.
        commit: The commit's id.

    Raises:
        ConflictError: The name cannot be a branch's.
        RepositoryError: Git could not do it.
    """
    if not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
        raise ConflictError(names=[branch], reason="this cannot be the name of a branch.")
    with translated(repository.git_dir):
        if repository.branch_tip(f"refs/heads/{branch}") is None:
            repository.handle.references.create(f"refs/heads/{branch}", commit)
