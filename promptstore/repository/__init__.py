"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package.
"""

from promptstore.repository.identity import Signature, choose_signatures
from promptstore.repository.locks import Patience
from promptstore.repository.mergefile import USUAL_NAMES, MarkerNames, MergedLines, merge_lines
from promptstore.repository.reading import (
    EMPTY_TREE,
    Commit,
    Entry,
    Link,
    Repository,
    blob_id,
    create_repository,
)
from promptstore.repository.writing import CommitNote, FileChange, update_branch

__all__ = [
    "EMPTY_TREE",
    "USUAL_NAMES",
    "Commit",
    "CommitNote",
    "Entry",
    "FileChange",
    "Link",
    "MarkerNames",
    "MergedLines",
    "Patience",
    "Repository",
    "Signature",
    "blob_id",
    "choose_signatures",
    "create_repository",
    "merge_lines",
    "update_branch",
]
