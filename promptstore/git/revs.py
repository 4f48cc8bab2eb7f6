"""Revs: which commit is meant, and how two commits stand to each other."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

import pygit2
from pygit2.enums import ObjectType

from promptstore.errors import RevisionNotFoundError
from promptstore.git.opening import explain
from promptstore.git.reading import Repository, translated

_ID: Final = re.compile(r"[0-9a-f]{40}")
_PLAIN_REV: Final = re.compile(r"[^~^:@{}]+")
"""A rev that names a reference or an object, and is not an expression."""


def resolve_rev(repository: Repository, rev: str) -> str:
    """Resolve a rev to a commit, as ``git rev-parse REV^{commit}`` does.

    Args:
        repository: The repository.
        rev: A branch, tag, commit id or any other spelling of git; a name that only a remote
            has (``feature`` for ``origin/feature``) works too.

    Returns:
        The commit's id.

    Raises:
        RevisionNotFoundError: It names nothing, too much, or no commit.
        RepositoryError: An object is missing or damaged.
    """
    if not rev or "\0" in rev:
        raise RevisionNotFoundError(rev=rev)
    found = _named(repository, rev) if _PLAIN_REV.fullmatch(rev) else None
    if found == rev and rev not in repository.handle:
        raise RevisionNotFoundError(rev=rev, reason=_shallowness(repository))
    return _peel(repository, rev, found or _parse(repository, rev))


def common_ancestor(repository: Repository, one: str, other: str) -> str:
    """Return the commit that two commits grew from.

    Args:
        repository: The repository.
        one: The id of a commit.
        other: The id of another.

    Returns:
        The id of the best common ancestor.

    Raises:
        RevisionNotFoundError: They have none.
        RepositoryError: An object is missing or damaged.
    """
    repository.objects.check_loose()
    with translated(repository.git_dir):
        # The stubs of pygit2 leave out that there may be none.
        found: pygit2.Oid | None = repository.handle.merge_base(one, other)
    if not found:
        reason = f"it has no history in common with {other}"
        shallow = _shallowness(repository)
        raise RevisionNotFoundError(rev=one, reason=f"{reason}; {shallow}" if shallow else reason)
    return str(found)


def _named(repository: Repository, rev: str) -> str | None:
    """Find the object that a plain rev names, without reading it; None where it names none."""
    if _ID.fullmatch(rev):
        return rev
    with translated(repository.git_dir):
        with suppress(KeyError, pygit2.InvalidSpecError):
            return str(repository.handle.lookup_reference_dwim(rev).resolve().target)
        with suppress(KeyError, ValueError):
            return str(repository.handle.expand_id(rev))
    return None


def _parse(repository: Repository, rev: str) -> str:
    """Let libgit2 parse a rev, which may read any object."""
    repository.objects.check_loose()
    try:
        return str(repository.handle.revparse_single(rev).id)
    except KeyError:
        remote = None if rev == "HEAD" else _remote_tip(repository, rev)
        if remote is None:
            raise RevisionNotFoundError(rev=rev, reason=_shallowness(repository)) from None
        return remote
    except (ValueError, pygit2.GitError) as error:
        raise RevisionNotFoundError(rev=rev, reason=str(error).rstrip(".")) from None
    except OSError as error:
        raise explain(repository.git_dir, error) from error


def _peel(repository: Repository, rev: str, object_id: str) -> str:
    found = repository.objects.find(object_id)
    while isinstance(found, pygit2.Tag):
        found = repository.objects.find(str(found.target))
    if found.type != ObjectType.COMMIT:
        raise RevisionNotFoundError(rev=rev, reason=f"it is a {found.type_str}, no commit")
    return str(found.id)


def _remote_tip(repository: Repository, rev: str) -> str | None:
    with translated(repository.git_dir):
        names = [name for name in repository.handle.references if name.startswith("refs/remotes/")]
    tips = {repository.branch_tip(name) for name in names if name.split("/", 3)[3:] == [rev]} - {
        None
    }
    return tips.pop() if len(tips) == 1 else None


def _shallowness(repository: Repository) -> str:
    """Return that older commits may be missing, where they may."""
    if not repository.is_shallow:
        return ""
    return "the clone is shallow; `git fetch --unshallow` brings the older commits"


def is_ancestor(repository: Repository, commit: str, tip: str) -> bool:
    """Return whether a commit is part of the history of another, or that one itself.

    Raises:
        RepositoryError: An object is missing or damaged.
    """
    repository.objects.check_loose()
    with translated(repository.git_dir):
        if commit not in repository.handle:
            return False
        return commit == tip or bool(repository.handle.descendant_of(tip, commit))
