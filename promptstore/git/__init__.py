"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package.
"""

from __future__ import annotations

from promptstore.git.reading import (
    Commit,
    Link,
    Repository,
    blob_id,
    create_repository,
)
from promptstore.git.trees import (
    EMPTY_TREE,
    Difference,
    Entry,
    PlainNames,
    Step,
    changes_along,
)

__all__ = [
    "EMPTY_TREE",
    "Commit",
    "Difference",
    "Entry",
    "Link",
    "PlainNames",
    "Repository",
    "Step",
    "blob_id",
    "changes_along",
    "create_repository",
]
