"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package.
"""

from __future__ import annotations

from promptstore.git.odb import Link
from promptstore.git.reading import (
    Commit,
    Repository,
    blob_id,
    create_repository,
    is_ancestor,
)
from promptstore.git.trees import EMPTY_TREE, Difference, Entry

__all__ = [
    "EMPTY_TREE",
    "Commit",
    "Difference",
    "Entry",
    "Link",
    "Repository",
    "blob_id",
    "create_repository",
    "is_ancestor",
]
