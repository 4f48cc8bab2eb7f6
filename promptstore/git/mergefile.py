"""A three-way merge of lines, by the git program itself.

libgit2 merges only what is in an object database, and gives no text back that holds a NUL.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from promptstore.errors import RepositoryError

_MOST_CONFLICTS: Final = 127
_SIDES: Final = ("ours", "base", "theirs")
MARKER_SIZE: Final = 7
"""How long conflict markers are, where nobody wants something else."""


class MergedLines(NamedTuple):
    """What a merge made.

    Attributes:
        data: The result; with conflict markers where both sides changed the same lines.
        is_clean: Whether there are none.
    """

    data: bytes
    is_clean: bool


def merge_lines(
    base: bytes, ours: bytes, theirs: bytes, *, marker_size: int = MARKER_SIZE
) -> MergedLines:
    """Merge two edits of one file by lines.

    Args:
        base: What both started from.
        ours: The one edit.
        theirs: The other edit.
        marker_size: How many characters a conflict marker has.

    Returns:
        The result.

    Raises:
        RepositoryError: The git program is not there, or could not do it, for example because a
            file is binary.
    """
    with TemporaryDirectory(prefix="promptstore-") as folder:
        for name, data in zip(_SIDES, (ours, base, theirs), strict=True):
            Path(folder, name).write_bytes(data)
        titles = [word for name in _SIDES for word in ("-L", name)]
        files = [str(Path(folder, name)) for name in _SIDES]
        command = ["git", "merge-file", "-p", f"--marker-size={marker_size}", *titles, *files]
        try:
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        except OSError as error:
            raise RepositoryError(path="git", reason=f"{error.strerror}.") from error
    if not 0 <= done.returncode <= _MOST_CONFLICTS:
        raise RepositoryError(path="git merge-file", reason=done.stderr.decode(errors="replace"))
    return MergedLines(done.stdout, is_clean=done.returncode == 0)


def merge_texts(base: str, ours: str, theirs: str) -> str | None:
    """Merge two texts that grew from one, line by line.

    Args:
        base: What both grew from.
        ours: One of them.
        theirs: The other.

    Returns:
        The merged text, or None where both changed the same lines.

    Raises:
        RepositoryError: The git program is not there, or could not do it.
    """
    merged = merge_lines(base.encode(), ours.encode(), theirs.encode())
    return merged.data.decode() if merged.is_clean else None
