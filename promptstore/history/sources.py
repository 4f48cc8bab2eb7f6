"""Sets of prompt files that can be read by name: those of a label, those in a folder on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from promptstore.errors import RepositoryError
from promptstore.git.reading import Repository, blob_id, clean_content
from promptstore.model.values import SUFFIX, is_name

_Entry = TypeVar("_Entry")

SKILL_FILE: Final = "SKILL.md"
"""What makes the folder that it is in, below the root, a skill: no file there is a prompt."""


def without_skills(files: Iterable[tuple[str, _Entry]]) -> list[tuple[str, _Entry]]:
    """Return the files that are in no skill, of all that there are, by their paths."""
    found = [*files]
    end = f"/{SKILL_FILE}"
    skills = {path.removesuffix(end) for path, _ in found if path.endswith(end)}
    if skills:
        found = [one for one in found if skills.isdisjoint(_folders_above(one[0]))]
    return found


def _folders_above(path: str) -> list[str]:
    return [path[:end] for end, character in enumerate(path) if character == "/"]


class File(NamedTuple):
    """A file that was found.

    Attributes:
        path: Its path as a person knows it.
        blob: The id that git gives to its content.
        read: Gives its content.
    """

    path: str
    blob: str
    read: Callable[[], bytes]


class Source:
    """A set of prompt files that can be read by name; it is empty where no class says otherwise.

    Attributes:
        place: What it is, in words, for example ``main (3f2a91c)``.
        commit: The commit whose tree it is, or None for anything else.
    """

    place: str
    commit: str | None = None

    def names(self) -> list[str]:
        """List the names of all files, sorted, without reading any."""
        return []

    def find(self, _name: str) -> File | None:
        """Find the regular file of a prompt."""
        return None

    def blobs(self) -> dict[str, str]:
        """Return the blob of every file by its name, in the order of `names`."""
        files = ((name, self.find(name)) for name in self.names())
        return {name: file.blob for name, file in files if file is not None}

    def skill_around(self, name: str) -> str | None:
        """Return the folder of the skill that a name lies in, or None."""
        folders = _folders_above(name)
        return next((one for one in folders if self._holds(f"{one}/{SKILL_FILE}")), None)

    def skill_note(self, name: str) -> str:
        """Return that a name lies in a skill, as a sentence, or an empty string."""
        skill = self.skill_around(name)
        return f"It lies in the skill {skill!r}, whose files are no prompts." if skill else ""

    def _holds(self, _path: str) -> bool:
        return False

    def unrecognized(self) -> list[str]:
        """List the paths of files that look like prompts but have no name that can be asked for."""
        return []


class EmptySource(Source):
    """No files at all: a branch without commits.

    Args:
        place: What it is, in words.
    """

    def __init__(self, place: str) -> None:
        self.place = place


class LabelSource(Source):
    """The files that a label points at, each as of its own commit.

    Args:
        label: The label.
        names: The prompts that have it.
        find: Finds the file of one of them.
    """

    def __init__(
        self, label: str, names: Collection[str], find: Callable[[str], File | None]
    ) -> None:
        self.place = f"label {label}"
        self._names = names
        self._find = find

    def names(self) -> list[str]:
        """List the names of all prompts that have the label, sorted."""
        return sorted(self._names)

    def find(self, name: str) -> File | None:
        """Find the regular file of a prompt."""
        return self._find(name) if name in self._names else None


class FolderSource(Source):
    """The prompt files in a folder on disk, as they are at this moment.

    Args:
        top: The folder that paths are told from.
        root: The prompts' folder, as a path within `top`; empty for `top` itself.
        repository: The repository whose working tree it is, or None.
    """

    def __init__(self, top: Path, root: str, repository: Repository | None) -> None:
        self._folder = top / root if root else top
        self._root = root
        self._repository = repository
        self.place = str(self._folder)

    def names(self) -> list[str]:
        """List the names of all files, sorted, without reading any."""
        found = (path.removesuffix(SUFFIX) for path in self._walk() if path.endswith(SUFFIX))
        return sorted(name for name in found if is_name(name) and self._is_inside(name))

    def find(self, name: str) -> File | None:
        """Find the regular file of a prompt and read it."""
        if not is_name(name) or not self._is_inside(name) or self.skill_around(name):
            return None
        path = self._folder / (name + SUFFIX)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise RepositoryError(path=str(path), reason=f"{error.strerror}.") from error
        shown = self._path(name + SUFFIX)
        if self._repository is not None:
            data = clean_content(self._repository, shown, data)
        return File(shown, blob_id(data), partial(bytes, data))

    def _holds(self, path: str) -> bool:
        return (self._folder / path).is_file()

    def unrecognized(self) -> list[str]:
        """List the paths of files that look like prompts but have no name that can be asked for."""
        return sorted(
            self._path(path)
            for path in self._walk()
            if not path.endswith(SUFFIX)
            or not is_name(path.removesuffix(SUFFIX))
            or not self._is_inside(path.removesuffix(SUFFIX))
        )

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}" if self._root else path

    def _is_inside(self, name: str) -> bool:
        # Symbolic links are not followed: git would not, and one may lead out of the root.
        path = self._folder
        for segment in (name + SUFFIX).split("/"):
            path = path / segment
            if path.is_symlink():
                return False
        return True

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if name != ".git"]
            prefix = Path(folder).relative_to(self._folder).as_posix()
            if SKILL_FILE in files and prefix != ".":
                folders.clear()
                continue
            for name in files:
                if name.endswith((SUFFIX, ".yml")):
                    yield name if prefix == "." else f"{prefix}/{name}"
