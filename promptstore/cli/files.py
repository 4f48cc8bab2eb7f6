"""The files that a person names on the command line, and those that a command writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptstore.errors import InvalidArgumentError, RepositoryError


class Named:
    """The files and folders that were named.

    Args:
        paths: Their paths.

    Raises:
        InvalidArgumentError: One of them is not there.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if not path.exists():
                raise InvalidArgumentError(message=f"{path} is not there")
        self._paths = {path.resolve() for path in paths}

    def __contains__(self, file: Path) -> bool:
        """Return whether a file was named, or a folder that it is in."""
        found = file.resolve()
        return found in self._paths or not self._paths.isdisjoint(found.parents)


def write_back(path: Path, data: bytes) -> None:
    """Write a file, in a new folder if need be.

    Raises:
        RepositoryError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise RepositoryError(path=str(path), reason=f"{error.strerror}.") from error
