"""Git's configuration: what is asked of it is asked again only when one of its files has moved."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, cast

import pygit2
from pygit2.enums import ConfigLevel

_T = TypeVar("_T")
_Stamps: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]

_FILES_OF_A_REPOSITORY: Final = ("config", "config.worktree")
_FILES_OF_A_LEVEL: Final = (
    (ConfigLevel.SYSTEM, "gitconfig"),
    (ConfigLevel.XDG, "config"),
    (ConfigLevel.GLOBAL, ".gitconfig"),
)


class Configuration:
    """What a repository's configuration says, remembered while its files stay as they are.

    Libgit2 looks at the same facts of the same files at each question, and then takes five times as
    long to answer: a save asks seven. Threads may share it.

    Args:
        folders: The folders with files of the repository itself.
        read: Gives the configuration as it is.
    """

    def __init__(self, folders: set[str], read: Callable[[], pygit2.Config]) -> None:
        self._read = read
        self._files = [
            *(f"{folder}/{name}" for folder in folders for name in _FILES_OF_A_REPOSITORY),
            *(
                f"{folder}/{name}"
                for level, name in _FILES_OF_A_LEVEL
                for folder in pygit2.settings.search_path[level].split(os.pathsep)
                if folder
            ),
        ]
        # What belongs together is one value, so that threads never see half of it.
        self._known: tuple[_Stamps, dict[Callable[[pygit2.Config], Any], Any]] = (), {}

    def ask(self, question: Callable[[pygit2.Config], _T]) -> _T:
        """Ask a question.

        Args:
            question: Answers it from the configuration alone.

        Returns:
            What it answers, or answered before if nothing has moved since.
        """
        stamps = tuple([_stamp(file) for file in self._files])
        known, answers = self._known
        if known == stamps and question in answers:
            return cast("_T", answers[question])
        config = self._read().snapshot()
        answer = question(config)
        if not _has_includes(config):
            # It could lie in files that are not looked at.
            kept = answers if known == stamps else {}
            self._known = stamps, {**kept, question: answer}
        return answer


def _stamp(file: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _has_includes(config: pygit2.Config) -> bool:
    names = (entry.name for entry in config)
    return any(name.startswith(("include.", "includeif.")) for name in names)
