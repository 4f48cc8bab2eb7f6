"""A three-way merge of lines, by the git program itself.

libgit2 merges only what is in its object database; this needs no repository. It is called where
git called promptstore, so the program is there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from promptstore.errors import RepositoryError

_MOST_CONFLICTS: Final = 127


class MarkerNames(NamedTuple):
    """What stands in conflict markers.

    Attributes:
        ours: What the one edit is called.
        base: What both started from is called.
        theirs: What the other edit is called.
        size: How long the markers are.
    """

    ours: str = "ours"
    base: str = "base"
    theirs: str = "theirs"
    size: int = 7


USUAL_NAMES: Final = MarkerNames()
"""The names where git gives none."""


class MergedLines(NamedTuple):
    """What a merge made.

    Attributes:
        data: The result; with conflict markers where both sides changed the same lines.
        is_clean: Whether there are none.
    """

    data: bytes
    is_clean: bool


def merge_lines(
    base: bytes, ours: bytes, theirs: bytes, names: MarkerNames = USUAL_NAMES
) -> MergedLines:
    """Merge two edits of one file by lines.

    Args:
        base: What both started from.
        ours: The one edit.
        theirs: The other edit.
        names: What stands in conflict markers.

    Returns:
        The result.

    Raises:
        RepositoryError: Git could not do it, for example because a file is binary.
    """
    with TemporaryDirectory(prefix="promptstore-") as folder:
        files = []
        for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
            path = Path(folder, name)
            path.write_bytes(data)
            files.append(str(path))
        titles = [word for name in names[:3] for word in ("-L", name)]
        command = ["git", "merge-file", "-p", f"--marker-size={names.size}", *titles, *files]
        try:
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        except OSError as error:
            raise RepositoryError(path="git", reason=f"{error.strerror}.") from error
    if not 0 <= done.returncode <= _MOST_CONFLICTS:
        raise RepositoryError(path="git merge-file", reason=done.stderr.decode(errors="replace"))
    return MergedLines(done.stdout, is_clean=done.returncode == 0)
