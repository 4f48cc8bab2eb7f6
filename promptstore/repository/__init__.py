"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package.
"""

from promptstore.repository.identity import Signature, choose_signatures
from promptstore.repository.locks import Patience
from promptstore.repository.reading import (
    EMPTY_TREE,
    Commit,
    Entry,
    Link,
    Repository,
    blob_id,
    create_repository,
)
from promptstore.repository.refs import is_ancestor, merge_texts, start_branch, update_ref
from promptstore.repository.writing import CommitNote, FileChange, update_branch

__all__ = [
    "EMPTY_TREE",
    "Commit",
    "CommitNote",
    "Entry",
    "FileChange",
    "Link",
    "Patience",
    "Repository",
    "Signature",
    "blob_id",
    "choose_signatures",
    "create_repository",
    "is_ancestor",
    "merge_texts",
    "start_branch",
    "update_branch",
    "update_ref",
]
