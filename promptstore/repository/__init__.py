"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package. What only writing needs is
loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from promptstore.repository.reading import (
    EMPTY_TREE,
    Commit,
    Entry,
    Link,
    Repository,
    blob_id,
    create_repository,
)

if TYPE_CHECKING:
    from promptstore.repository.identity import Signature, choose_signatures
    from promptstore.repository.locks import Patience
    from promptstore.repository.mergefile import (
        MARKER_SIZE,
        MergedLines,
        merge_lines,
        merge_texts,
    )
    from promptstore.repository.refs import is_ancestor, start_branch, update_ref
    from promptstore.repository.writing import CommitNote, FileChange, update_branch

__all__ = [
    "EMPTY_TREE",
    "MARKER_SIZE",
    "Commit",
    "CommitNote",
    "Entry",
    "FileChange",
    "Link",
    "MergedLines",
    "Patience",
    "Repository",
    "Signature",
    "blob_id",
    "choose_signatures",
    "create_repository",
    "is_ancestor",
    "merge_lines",
    "merge_texts",
    "start_branch",
    "update_branch",
    "update_ref",
]

_HOME_OF: Final = {
    "CommitNote": "writing",
    "FileChange": "writing",
    "MARKER_SIZE": "mergefile",
    "MergedLines": "mergefile",
    "Patience": "locks",
    "Signature": "identity",
    "choose_signatures": "identity",
    "is_ancestor": "refs",
    "merge_lines": "mergefile",
    "merge_texts": "mergefile",
    "start_branch": "refs",
    "update_branch": "writing",
    "update_ref": "refs",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
