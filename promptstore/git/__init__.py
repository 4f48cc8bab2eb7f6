"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package. What only writing needs is
loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from promptstore.git.odb import Commit, Link
from promptstore.git.reading import (
    Repository,
    blob_id,
    clean_content,
    create_repository,
)
from promptstore.git.trees import EMPTY_TREE, Difference, Entry
from promptstore.lazy import lazy_names

if TYPE_CHECKING:
    from promptstore.git.commits import FileChange
    from promptstore.git.identity import CommitNote, Signature, choose_signatures
    from promptstore.git.refs import join_ref, start_branch
    from promptstore.git.revs import common_ancestor, is_ancestor, resolve_rev
    from promptstore.git.writing import update_ref

__all__ = [
    "EMPTY_TREE",
    "Commit",
    "CommitNote",
    "Difference",
    "Entry",
    "FileChange",
    "Link",
    "Repository",
    "Signature",
    "blob_id",
    "choose_signatures",
    "clean_content",
    "common_ancestor",
    "create_repository",
    "is_ancestor",
    "join_ref",
    "resolve_rev",
    "start_branch",
    "update_ref",
]

_HOME_OF: Final = {
    "CommitNote": "identity",
    "FileChange": "commits",
    "Signature": "identity",
    "choose_signatures": "identity",
    "common_ancestor": "revs",
    "is_ancestor": "revs",
    "resolve_rev": "revs",
    "join_ref": "refs",
    "start_branch": "refs",
    "update_ref": "writing",
}

__getattr__ = lazy_names(__name__, _HOME_OF)
