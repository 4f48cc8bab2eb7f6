"""What libgit2 and the operating system say when they fail, as errors of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pygit2

from promptstore.errors import (
    PromptStoreError,
    ReadOnlyError,
    RepositoryError,
    UnsupportedRepositoryError,
)

_ADVICE: Final[tuple[tuple[str, Callable[[str], RepositoryError]], ...]] = (
    (
        "read-only file system",
        lambda path: ReadOnlyError(path=path, reason="the file system is read-only."),
    ),
    (
        "refstorage",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its references are kept as a reftable, which libgit2 cannot read. "
            "Convert it with `git refs migrate --ref-format=files`.",
        ),
    ),
    (
        "objectformat",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its objects are named by SHA-256, which libgit2 cannot read. Convert it with "
            "`git init --object-format=sha1 NEW` and "
            "`git fast-export --all | git -C NEW fast-import`.",
        ),
    ),
    (
        "extension: 'link'",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its index is split, which libgit2 cannot read. Join it with "
            "`git config core.splitIndex false && git update-index --no-split-index`.",
        ),
    ),
    (
        "extension: 'sdir'",
        lambda path: UnsupportedRepositoryError(
            path=path,
            reason="its index is sparse, which libgit2 cannot read. Make it whole with "
            "`git sparse-checkout reapply --no-sparse-index`.",
        ),
    ),
)

_DAMAGED: Final = ("corrupt", "malformed", "mismatch", "invalid")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the errors of libgit2 and of the operating system into ours.

    Args:
        path: The repository that they are about.

    Raises:
        RepositoryError: With what git says, and what helps.
    """
    try:
        yield
    except PromptStoreError:
        raise
    except (pygit2.GitError, OSError) as error:
        raise explain(path, error) from error


def explain(path: Path, error: Exception) -> RepositoryError:
    """Return the error of ours for one of libgit2 or of the operating system."""
    text = str(error).rstrip(".")
    folded = text.lower().replace(" ", "")
    for sign, make in _ADVICE:
        if sign.replace(" ", "") in folded:
            return make(str(path))
    damage = any(word in folded for word in _DAMAGED)
    advice = " Check the repository with `git fsck`." if damage else ""
    return RepositoryError(path=str(path), reason=f"git says: {text}.{advice}")
